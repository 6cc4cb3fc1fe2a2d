//! All that holds the Claude processes of one reading of the process table.

use std::collections::{HashMap, HashSet};

use model::parse::cgroup::holding_unit;
use model::record::{Holder, Holding, How};

use super::background;
use super::candidate::{Candidate, cgroup};
use super::claude_files::OfClaude;
use super::dead_pipeline::{DeadPipelines, dead_pipelines};
use super::everyone::{Everyone, Wanted};
use super::line::{Line, LineEnd};
use super::own_tree::OwnTree;
use super::sockets::Sockets;
use super::survey::Survey;

/// A Claude that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'c> {
    /// Its process.
    pub pid: i32,
    /// Its effective uid.
    pub uid: u32,
    /// Whether it is a part of Claude's own background service.
    pub is_background: bool,
    /// What it says about itself.
    pub of_claude: &'c OfClaude,
    /// The living tmux server it belongs to.
    pub tmux_server: Option<i32>,
}

/// Whether who takes in orphans has taken in this process itself.
pub fn is_orphan(pid: i32, survey: &Survey<'_>) -> bool {
    let line = Line::of(pid, survey);
    matches!(line.end, LineEnd::Reaper) && line.members.len() == 1
}

/// What holds each of these processes.
pub fn holdings(asked: &[Asked<'_>], survey: &Survey<'_>) -> Vec<Holding> {
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
            examination.read(*pid, asked);
        }
    }
    examination.candidates.values().for_each(|candidate| candidate.want(&mut wanted));
    let everyone = match wanted.processes.is_empty() {
        true => Everyone::default(),
        false => Everyone::ask(&wanted, survey),
    };
    pipelines.keep(|members| examination.is_loose(members, &everyone));
    let sessions = sessions(asked);
    let holding = |(asked, line): (&Asked<'_>, &Line)| {
        examination.holding(asked, line, &pipelines, &everyone, &sessions)
    };
    asked.iter().zip(&lines).map(holding).collect()
}

/// The session of each Claude that wrote it down.
fn sessions(asked: &[Asked<'_>]) -> HashMap<i32, String> {
    let session =
        |asked: &Asked<'_>| Some((asked.pid, asked.of_claude.session_file.as_ref()?.id.clone()));
    asked.iter().filter_map(session).collect()
}

struct Examination<'s, 't> {
    survey: &'s Survey<'t>,
    sockets: Sockets,
    own_cgroup: String,
    units: HashMap<i32, Option<String>>,
    candidates: HashMap<i32, Candidate>,
}

impl<'s, 't> Examination<'s, 't> {
    fn new(survey: &'s Survey<'t>) -> Self {
        Examination {
            survey,
            sockets: Sockets::default(),
            own_cgroup: cgroup(survey.own_pid).unwrap_or_default(),
            units: HashMap::new(),
            candidates: HashMap::new(),
        }
    }

    /// Reads a process of the line of `asked`, once.
    fn read(&mut self, pid: i32, asked: &Asked<'_>) -> &Candidate {
        let own_cgroup = &self.own_cgroup;
        let unit_of_server = asked.tmux_server.and_then(|server| {
            let unit = || Some(holding_unit(&cgroup(server).ok()?, own_cgroup)?.name);
            self.units.entry(server).or_insert_with(unit).clone()
        });
        self.candidates.entry(pid).or_insert_with(|| {
            Candidate::read(
                pid,
                &asked.of_claude.directories,
                own_cgroup,
                unit_of_server.as_deref(),
                &mut self.sockets,
                self.survey,
            )
        })
    }

    fn holding(
        &self,
        asked: &Asked<'_>,
        line: &Line,
        pipelines: &DeadPipelines,
        everyone: &Everyone,
        sessions: &HashMap<i32, String>,
    ) -> Holding {
        let mut holding = Holding::default();
        if asked.is_background {
            let held = background::held(asked.pid, asked.uid, asked.of_claude, self.survey);
            holding.holders.extend(held);
        }
        match &line.end {
            LineEnd::Held(holder) | LineEnd::Started(holder) => {
                holding.holders.push(holder.clone())
            }
            LineEnd::Unread => holding.unread.push(How::Parent),
            LineEnd::Reaper => holding.orphaned = line.members.len() == 1,
        }
        if line.is_candidate() {
            holding.examined = true;
            let sessions = line.members.iter().filter_map(|pid| sessions.get(pid).cloned());
            let mut tree = OwnTree::new(line.top(), sessions.collect(), self.survey);
            pipelines.of(asked.pid).iter().for_each(|pid| tree.add(*pid));
            for pid in &line.members {
                let (holders, unread) = self.of(*pid, &tree, everyone);
                let of = (*pid != asked.pid).then_some(*pid);
                let of_it = holders.into_iter().map(|holder| Holder { of, ..holder });
                holding.holders.extend(of_it);
                holding.unread.extend(unread);
            }
        }
        holding.holders.sort_by_key(|holder| (holder.how, holder.pid));
        holding.unread.sort();
        holding.unread.dedup();
        holding
    }

    /// Whether nothing holds any of these processes but they themselves.
    fn is_loose(&self, members: &[i32], everyone: &Everyone) -> bool {
        let mut tree = OwnTree::empty(HashSet::new(), self.survey);
        members.iter().for_each(|pid| tree.add(*pid));
        members.iter().all(|pid| {
            let line = Line::of(*pid, self.survey);
            matches!(line.end, LineEnd::Reaper)
                && line.members.iter().all(|above| tree.has(*above))
                && self.of(*pid, &tree, everyone) == (Vec::new(), Vec::new())
        })
    }

    fn of(&self, pid: i32, tree: &OwnTree<'_, '_>, everyone: &Everyone) -> (Vec<Holder>, Vec<How>) {
        match self.candidates.get(&pid) {
            Some(candidate) => candidate.holders(tree, everyone, self.survey),
            None => (Vec::new(), vec![How::Parent]),
        }
    }
}
