//! What leaked processes leave behind: the processes below them, which live on without them.
//!
//! They are held before their ancestor is signalled: afterwards nobody could tell whose they
//! were. They end only with `--tree`, and only those that nothing holds, by the
//! rule for leaks: a child whose output somebody reads, a server that writes its log, a
//! terminal multiplexer and whatever has Claude below it live on.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use cli::Failure;
use host::process::Table;
use host::process::of;
use host::signal::{ProcessHandle, Terminator};
use host::tmux::TMUX_LIMIT;
use itertools::Itertools;
use model::plan::{Identity, PlanItem, PlannedAction};
use model::record::{ActionKind, Evidence};
use model::record::{ProcSource, Process};
use model::rules::{Options, ProcessVerdict, process_verdict};

use super::args::Arguments;
use super::ending::{Target, end_held};
use super::recheck::Recheck;
use super::report::Report;

/// How long they may take to notice that they are alone: most end by themselves.
const NOTICE: Duration = Duration::from_millis(500);

/// A process left behind.
#[derive(Debug)]
pub struct Descendant<'p, 'a> {
    /// The process it was below.
    of: &'p PlanItem<'a, Process>,
    /// What to do about it.
    item: PlanItem<'a, Process>,
    held: ProcessHandle,
}

/// Takes hold of everything below these processes that is not among them, of at most
/// `room` of it: each hold takes a descriptor.
///
/// # Errors
/// When the process table cannot be read.
pub fn hold<'p, 'a>(
    terminator: &dyn Terminator,
    targets: &[Target<'p, 'a>],
    source: ProcSource,
    room: usize,
) -> io::Result<Vec<Descendant<'p, 'a>>> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let table = Table::read(source)?;
    let children = table.children();
    let mut seen: HashSet<i32> = targets.iter().map(|(item, _)| item.subject.pid).collect();
    let mut below = Vec::new();
    for (item, _) in targets {
        let mut parents = vec![item.subject.pid];
        while let Some(parent) = parents.pop() {
            let new = children.get(&parent).into_iter().flatten().filter(|pid| seen.insert(**pid));
            for pid in new {
                parents.push(*pid);
                below.push((*item, *pid));
            }
        }
    }
    below.truncate(room);
    let pids: Vec<i32> = below.iter().map(|(_, pid)| *pid).collect();
    let processes = of(&table, &pids)?;
    let mut left = Vec::new();
    for ((of, pid), holding) in below.into_iter().zip(terminator.hold(&pids)?) {
        let seen = processes.iter().find(|process| process.pid == pid);
        let (Some(process), Ok(Some(held))) = (seen, holding) else { continue };
        // Between the table and the hold, the pid may have passed to another.
        let now = table.source.now(pid)?;
        if now.is_some_and(|now| now.start.to_string() == process.start_time) {
            left.push(Descendant { of, item: item(of, process), held });
        }
    }
    Ok(left)
}

fn item<'a>(of: &PlanItem<'a, Process>, process: &Process) -> PlanItem<'a, Process> {
    let ancestor = of.subject.pid;
    let action = PlannedAction {
        kind: ActionKind::KillProcess,
        target: format!("process {} {}, left behind by {ancestor}", process.pid, process.name)
            .into(),
        reason: format!("process {ancestor} has left it behind").into(),
        origin: of.action.origin.clone(),
        raw: of.action.raw,
    };
    PlanItem { action, subject: process.clone() }
}

/// Ends those of them that still live and that nothing holds, if `--tree` was given; says
/// which others there are. It works in rounds, because one that ends may have held another.
///
/// # Errors
/// When tmux or the process table cannot be asked, or the log cannot be written.
pub fn end(
    terminator: &dyn Terminator,
    left: Vec<Descendant<'_, '_>>,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let held: Vec<&ProcessHandle> = left.iter().map(|left| &left.held).collect();
    let ended = terminator.wait(&held, NOTICE).map_err(Failure::trouble)?;
    let mut living: Vec<Descendant<'_, '_>> =
        left.into_iter().zip(ended).filter_map(|(left, ended)| (!ended).then_some(left)).collect();
    if !arguments.tree {
        say(living.iter().map(|left| (left, "--tree ends what nothing holds")), report);
        return Ok(());
    }
    while !living.is_empty() {
        report.deliver()?;
        let mut free = Vec::new();
        let mut others = Vec::new();
        for (evidence, of_look) in &living.into_iter().chunk_by(evidence) {
            let recheck = Recheck::scan(evidence, TMUX_LIMIT)?;
            let of_look: Vec<Descendant<'_, '_>> = of_look.collect();
            let pids: Vec<i32> = of_look.iter().map(|left| left.item.subject.pid).collect();
            let now = of(&recheck.tmux.table, &pids).map_err(Failure::trouble)?;
            for left in of_look {
                match holder(&left, &now, &recheck) {
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
        let (items, held): (Vec<PlanItem<'_, Process>>, Vec<ProcessHandle>) =
            free.into_iter().map(|left| (left.item, left.held)).unzip();
        let targets = items.iter().zip(held).collect();
        end_held(terminator, ProcSource::Proc, targets, arguments.grace, report)?;
        living = others.into_iter().map(|(left, _)| left).collect();
    }
    Ok(())
}

/// The evidence of the finding about its ancestor.
fn evidence<'p>(left: &Descendant<'p, '_>) -> &'p Evidence {
    &left.of.action.origin.evidence
}

/// How a process left behind stands now.
enum Standing {
    Gone,
    Free,
    /// What holds it.
    Held(String),
}

/// `now`: the processes left behind that still exist.
fn holder(left: &Descendant<'_, '_>, now: &[Process], recheck: &Recheck) -> Standing {
    let before = &left.item.subject;
    let Some(process) = now.iter().find(|process| process.key() == before.key()) else {
        return Standing::Gone;
    };
    if recheck.tmux.table.tmux_servers().contains(&process.pid) {
        return Standing::Held("it is a tmux server".to_owned());
    }
    let above =
        |claude: &&Process| claude.pid == process.pid || claude.ancestors.contains(&process.pid);
    if let Some(claude) = recheck.processes.iter().find(above) {
        return Standing::Held(format!("there is Claude in it, process {}", claude.pid));
    }
    let options = Options { outside_tmux: false, ..recheck.options.clone() };
    match process_verdict(process, &recheck.panes(), recheck.tmux.uid, &options) {
        ProcessVerdict::Foreign => Standing::Held(format!("it belongs to uid {}", process.uid)),
        ProcessVerdict::Leaked(_) => Standing::Free,
        ProcessVerdict::Defunct => Standing::Gone,
        ProcessVerdict::InPane(session) => Standing::Held(format!("in a pane of {session}")),
        ProcessVerdict::Held(by) => Standing::Held(by),
    }
}

fn say<'l, 'p: 'l, 'a: 'p + 'l>(
    left: impl Iterator<Item = (&'l Descendant<'p, 'a>, &'l str)>,
    report: &Report,
) {
    for (left, why) in left {
        report.note(&format!("{}: {why}", left.item.action.target));
    }
}
