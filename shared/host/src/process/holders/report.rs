//! All that holds the Claude processes of one reading of the process table, and what Claude has
//! left.

use std::collections::{BTreeMap, HashMap};

use model::record::Holding;

use super::asked::{Asked, AskedTree, Left};
use super::dead_pipeline::dead_pipelines;
use super::everyone::{Everyone, Wanted};
use super::examination::Examination;
use super::line::{Line, LineEnd};
use super::survey::Survey;

/// Whether who takes in orphans has taken in this process itself.
pub fn is_orphan(pid: i32, survey: &Survey<'_>) -> bool {
    let line = Line::of(pid, survey);
    matches!(line.end, LineEnd::Reaper) && line.members.len() == 1
}

/// What holds each of these Claude processes, and each process of these trees.
pub fn holdings(
    asked: &[Asked<'_>],
    trees: &[AskedTree<'_>],
    survey: &Survey<'_>,
) -> (Vec<Holding>, BTreeMap<i32, Left>) {
    let lines: Vec<Line> = asked.iter().map(|asked| Line::of(asked.pid, survey)).collect();
    let candidates = || {
        let all = asked.iter().zip(&lines);
        all.filter(|(_, line)| line.is_candidate())
    };
    let mut examination = Examination::new(survey);
    let mut wanted = Wanted::default();
    let mut pipelines = dead_pipelines(candidates().map(|(asked, _)| asked.pid), survey);
    for (asked, line) in candidates() {
        for pid in line.members.iter().chain(pipelines.of(asked.pid)) {
            examination.read(*pid, &asked.of_claude.directories, asked.tmux_server);
        }
    }
    for asked in trees {
        for pid in &asked.tree.members {
            examination.read(*pid, asked.directories, asked.tmux_server);
        }
    }
    examination.want(&mut wanted);
    let everyone = match wanted.processes.is_empty() {
        true => Everyone::default(),
        false => Everyone::ask(&wanted, survey),
    };
    pipelines.keep(|members| examination.is_loose(members, &everyone));
    let sessions = sessions(asked);
    let holding = |(asked, line): (&Asked<'_>, &Line)| {
        examination.holding(asked, line, &pipelines, &everyone, &sessions)
    };
    let claude = asked.iter().zip(&lines).map(holding).collect();
    let left = trees.iter().flat_map(|asked| examination.left(asked.tree, &everyone)).collect();
    (claude, left)
}

/// The session of each Claude that wrote it down.
fn sessions(asked: &[Asked<'_>]) -> HashMap<i32, String> {
    let session =
        |asked: &Asked<'_>| Some((asked.pid, asked.of_claude.session_file.as_ref()?.id.clone()));
    asked.iter().filter_map(session).collect()
}
