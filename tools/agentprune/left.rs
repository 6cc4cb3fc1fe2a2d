//! What leaked processes leave behind: the processes below them, which live on without them.
//!
//! They are held before their ancestor is signalled; afterwards nobody could tell any more
//! whose they were. They end only with `--tree`, and only those that nothing holds, by the
//! rule for leaks: a child whose output somebody reads, a server that writes its log, a
//! terminal multiplexer and whatever has Claude below it live on.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use cli::Failure;
use host::Table;
use host::processes::of;
use host::sessions::TMUX_LIMIT;
use host::signal::{Held, Means};
use itertools::Itertools;
use model::drift::{Options, ProcessVerdict, process_verdict};
use model::finding::{Evidence, Remedy};
use model::plan::{Case, Order};
use model::record::{ProcSource, Process};

use crate::args::Arguments;
use crate::processes::{Target, end_held};
use crate::report::Report;
use crate::scene::Scene;

/// How long they may take to notice that they are alone: most end by themselves.
const NOTICE: Duration = Duration::from_millis(500);

/// A process left behind.
#[derive(Debug)]
pub struct Left<'p, 'a> {
    /// The process it was below.
    of: &'p Case<'a, Process>,
    /// What to do about it.
    case: Case<'a, Process>,
    held: Held,
}

/// Takes hold of everything below these processes that is not among them, of at most
/// `room` of it: each hold takes a descriptor.
///
/// # Errors
/// When the process table cannot be read.
pub fn hold<'p, 'a>(
    means: &dyn Means,
    targets: &[Target<'p, 'a>],
    source: ProcSource,
    room: usize,
) -> io::Result<Vec<Left<'p, 'a>>> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let table = Table::read(source)?;
    let children = table.children();
    let mut seen: HashSet<i32> = targets.iter().map(|(case, _)| case.subject.pid).collect();
    let mut below = Vec::new();
    for (case, _) in targets {
        let mut parents = vec![case.subject.pid];
        while let Some(parent) = parents.pop() {
            let new = children.get(&parent).into_iter().flatten().filter(|pid| seen.insert(**pid));
            for pid in new {
                parents.push(*pid);
                below.push((*case, *pid));
            }
        }
    }
    below.truncate(room);
    let pids: Vec<i32> = below.iter().map(|(_, pid)| *pid).collect();
    let processes = of(&table, &pids)?;
    let mut left = Vec::new();
    for ((of, pid), holding) in below.into_iter().zip(means.hold(&pids)?) {
        let seen = processes.iter().find(|process| process.pid == pid);
        let (Some(process), Ok(Some(held))) = (seen, holding) else { continue };
        // Between the table and the hold, the pid may have passed to another.
        let now = table.source.now(pid)?;
        if now.is_some_and(|now| now.start.to_string() == process.start_time) {
            left.push(Left { of, case: case(of, process), held });
        }
    }
    Ok(left)
}

fn case<'a>(of: &Case<'a, Process>, process: &Process) -> Case<'a, Process> {
    let ancestor = of.subject.pid;
    let order = Order {
        remedy: Remedy::KillProcess,
        target: format!("process {} {}, left behind by {ancestor}", process.pid, process.name)
            .into(),
        reason: format!("process {ancestor} has left it behind").into(),
        origin: of.order.origin.clone(),
        raw: of.order.raw,
    };
    Case { order, subject: process.clone() }
}

/// Ends those of them that still live and that nothing holds, if `--tree` was given; says
/// which others there are. One that goes may be what held the next: so it goes in rounds.
///
/// # Errors
/// When tmux or the process table cannot be asked, or the log cannot be written.
pub fn end(
    means: &dyn Means,
    left: Vec<Left<'_, '_>>,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let held: Vec<&Held> = left.iter().map(|left| &left.held).collect();
    let ended = means.wait(&held, NOTICE).map_err(Failure::trouble)?;
    let mut living: Vec<Left<'_, '_>> =
        left.into_iter().zip(ended).filter_map(|(left, ended)| (!ended).then_some(left)).collect();
    if !arguments.tree {
        say(living.iter().map(|left| (left, "--tree ends what nothing holds")), report);
        return Ok(());
    }
    while !living.is_empty() {
        let mut free = Vec::new();
        let mut others = Vec::new();
        for (evidence, of_look) in &living.into_iter().chunk_by(evidence) {
            let scene = Scene::look(evidence, TMUX_LIMIT)?;
            let of_look: Vec<Left<'_, '_>> = of_look.collect();
            let pids: Vec<i32> = of_look.iter().map(|left| left.case.subject.pid).collect();
            let now = of(&scene.tmux.table, &pids).map_err(Failure::trouble)?;
            for left in of_look {
                match holder(&left, &now, &scene) {
                    Standing::Gone => {}
                    Standing::Free => free.push(left),
                    Standing::Held(why) => others.push((left, why)),
                }
            }
        }
        if free.is_empty() {
            say(others.iter().map(|(left, why)| (left, why.as_str())), report);
            return Ok(());
        }
        let (cases, held): (Vec<Case<'_, Process>>, Vec<Held>) =
            free.into_iter().map(|left| (left.case, left.held)).unzip();
        let targets = cases.iter().zip(held).collect();
        end_held(means, ProcSource::Proc, targets, arguments.grace, report)?;
        living = others.into_iter().map(|(left, _)| left).collect();
    }
    Ok(())
}

/// By what its ancestor was found.
fn evidence<'p>(left: &Left<'p, '_>) -> &'p Evidence {
    &left.of.order.origin.evidence
}

/// How a process left behind stands now.
enum Standing {
    Gone,
    Free,
    /// What holds it.
    Held(String),
}

/// `now`: those left behind that there are, as they are now.
fn holder(left: &Left<'_, '_>, now: &[Process], scene: &Scene) -> Standing {
    let before = &left.case.subject;
    let is_it =
        |process: &&Process| (process.pid, &process.start_time) == (before.pid, &before.start_time);
    let Some(process) = now.iter().find(is_it) else { return Standing::Gone };
    if process.uid != left.of.subject.uid {
        return Standing::Held(format!("it belongs to uid {}", process.uid));
    }
    if scene.tmux.table.tmux_servers().contains(&process.pid) {
        return Standing::Held("it is a tmux server".to_owned());
    }
    let above =
        |claude: &&Process| claude.pid == process.pid || claude.ancestors.contains(&process.pid);
    if let Some(claude) = scene.processes.iter().find(above) {
        return Standing::Held(format!("there is Claude in it, process {}", claude.pid));
    }
    let options = Options { outside_tmux: false, ..scene.options.clone() };
    match process_verdict(process, &scene.panes(), &options) {
        ProcessVerdict::Leaked(_) => Standing::Free,
        ProcessVerdict::Defunct => Standing::Gone,
        ProcessVerdict::InPane(session) => Standing::Held(format!("in a pane of {session}")),
        ProcessVerdict::Held(by) => Standing::Held(by),
    }
}

fn say<'l, 'p: 'l, 'a: 'p + 'l>(
    left: impl Iterator<Item = (&'l Left<'p, 'a>, &'l str)>,
    report: &Report,
) {
    for (left, why) in left {
        report.note(&format!("{}: {why}", left.case.order.target));
    }
}
