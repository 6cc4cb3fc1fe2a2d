//! The descendants of leaked processes, which can outlive them.
//!
//! Their handles are taken before their ancestor is signalled: afterwards their ancestry is
//! lost. They are ended only with `--tree`, and only if nothing holds them, by the rule for
//! leaks; MCP servers by the rule for those. So a child whose output is read, a server that writes its log, a terminal multiplexer
//! and every process with Claude below it are left running.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use cli::{Failure, Keep};
use host::process::Table;
use host::process::of;
use host::signal::{ProcessHandle, Terminator};
use host::tmux::TMUX_LIMIT;
use itertools::Itertools;
use model::plan::{Identity, PlanItem, PlannedAction};
use model::record::{ActionKind, Evidence, ProcSource, Process, Record, Role};
use model::rules::{Options, ProcessVerdict, ServerVerdict, process_verdict, server_verdict};

use super::args::Arguments;
use super::ending::{Target, end_held};
use super::recheck::Recheck;
use super::report::Report;
use crate::keep;

/// How long they may take to end by themselves, as most do once their ancestor is gone.
const NOTICE: Duration = Duration::from_millis(500);

/// A descendant of a leaked process.
#[derive(Debug)]
pub struct Descendant<'p, 'a> {
    /// The leaked process.
    of: &'p PlanItem<'a, Process>,
    /// What to do about it.
    item: PlanItem<'a, Process>,
    held: ProcessHandle,
}

/// Takes handles of the descendants of these processes, at most `room`: each handle takes a
/// descriptor.
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
        // Between reading the table and taking the handle, the pid may have passed to another
        // process.
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
        found: of.action.found,
        kind: ActionKind::KillProcess,
        target: format!("process {} {}, a descendant of {ancestor}", process.pid, process.name)
            .into(),
        reason: format!("it was below leaked process {ancestor}").into(),
        origin: of.action.origin.clone(),
        raw: of.action.raw,
    };
    PlanItem { action, subject: process.clone() }
}

/// With `--tree`, ends the descendants that still live and that nothing holds, and names the
/// others; without it, names all that still live. Works in rounds, because a process that ends
/// may have held another.
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
        say(
            living
                .iter()
                .map(|left| (left, "left running; --tree would end it unless something holds it")),
            report,
        );
        return Ok(());
    }
    let keep = keep::read()?;
    while !living.is_empty() {
        report.deliver()?;
        let mut free = Vec::new();
        let mut others = Vec::new();
        for (evidence, group) in &living.into_iter().chunk_by(evidence) {
            let recheck = Recheck::scan(evidence, TMUX_LIMIT)?;
            let group: Vec<Descendant<'_, '_>> = group.collect();
            let pids: Vec<i32> = group.iter().map(|left| left.item.subject.pid).collect();
            let now = of(&recheck.tmux.table, &pids).map_err(Failure::trouble)?;
            for left in group {
                match holder(&left, &now, &recheck, &keep) {
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
        end_held(terminator, ProcSource::Proc, targets, arguments.grace, as_before, report)?;
        living = others.into_iter().map(|(left, _)| left).collect();
    }
    Ok(())
}

/// Nobody comes back to what nothing holds.
fn as_before<'p, 'a>(
    _: &dyn Terminator,
    alive: Vec<Target<'p, 'a>>,
    _: &mut Report,
) -> Result<Vec<Target<'p, 'a>>, Failure> {
    Ok(alive)
}

/// The evidence of the finding about its ancestor.
fn evidence<'p>(left: &Descendant<'p, '_>) -> &'p Evidence {
    &left.of.action.origin.evidence
}

/// What is to be done about a descendant.
enum Standing {
    Gone,
    Free,
    /// What holds it.
    Held(String),
}

/// `now`: the descendants that still exist.
fn holder(left: &Descendant<'_, '_>, now: &[Process], recheck: &Recheck, keep: &Keep) -> Standing {
    let before = &left.item.subject;
    let Some(process) = now.iter().find(|process| process.key() == before.key()) else {
        return Standing::Gone;
    };
    if recheck.tmux.table.tmux_servers().contains(&process.pid) {
        return Standing::Held("it is a tmux server".to_owned());
    }
    let above =
        |claude: &&Process| claude.pid == process.pid || claude.ancestors.contains(&process.pid);
    if let Some(claude) = recheck.processes.iter().filter(|it| it.is_claude()).find(above) {
        return Standing::Held(format!("Claude runs in it: process {}", claude.pid));
    }
    let is_server = |it: &&Process| it.role == Role::Server && it.key() == before.key();
    if let Some(server) = recheck.processes.iter().find(is_server) {
        return match server_verdict(server, recheck.tmux.uid) {
            ServerVerdict::Leaked => kept(server, keep),
            ServerVerdict::None => Standing::Gone,
            ServerVerdict::Foreign => Standing::Held(format!("it belongs to uid {}", server.uid)),
            ServerVerdict::Used(why) | ServerVerdict::Held(why) => Standing::Held(why),
        };
    }
    let options =
        Options { outside_tmux: false, despite: Default::default(), ..recheck.options.clone() };
    match process_verdict(process, &recheck.panes(), recheck.tmux.uid, &options) {
        ProcessVerdict::Foreign => Standing::Held(format!("it belongs to uid {}", process.uid)),
        ProcessVerdict::Leaked(_) => kept(process, keep),
        ProcessVerdict::Defunct => Standing::Gone,
        ProcessVerdict::InPane(session) => Standing::Held(format!("in a pane of {session}")),
        ProcessVerdict::Held(by) => Standing::Held(by),
    }
}

/// Asks the keep file about a process that nothing else holds. What cannot be asked holds.
fn kept(process: &Process, keep: &Keep) -> Standing {
    if keep.is_empty() {
        return Standing::Free;
    }
    let record = serde_json::to_value(Record::Process(process)).map_err(|error| error.to_string());
    match record.and_then(|record| keep.reason_for(record)) {
        Ok(None) => Standing::Free,
        Ok(Some(why)) | Err(why) => Standing::Held(why),
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
