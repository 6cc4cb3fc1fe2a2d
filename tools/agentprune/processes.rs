//! Ending leaked processes and servers.
//!
//! For each process, a handle is taken first, and then the process is judged again. So the
//! signal reaches the judged process or none, even if its pid passes to another: a pidfd
//! guarantees this; without one, a check right before the signal leaves a gap of milliseconds.

use std::time::Duration;

use cli::Failure;
use host::signal::{ProcessHandle, Terminator, capacity, terminator};
use itertools::Itertools;
use model::plan::PlanItem;
use model::record::{Kind, Outcome, ProcSource, Process, Role};
use model::rules::{ProcessVerdict, ServerVerdict, process_verdict, server_verdict};

use super::args::Arguments;
use super::descendants;
use super::ending::{Target, end_held};
use super::recheck::{Recheck, source};
use super::report::Report;

/// How long to wait for a process that is already ending. Until it has ended, it looks like
/// something else: its files are closed and its arguments are gone.
const ENDING: Duration = Duration::from_millis(100);

/// Ends the processes of these items: SIGTERM to all, one grace for all, SIGKILL to the rest.
/// Each handle takes a descriptor; where there are too few, the processes end in groups.
///
/// # Errors
/// When tmux or the process table cannot be asked, or the log cannot be written.
pub fn end(
    items: &[PlanItem<'_, Process>],
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let room = capacity().map_err(Failure::trouble)?;
    for (source, items) in &items.iter().chunk_by(|item| source_of(item)) {
        let items: Vec<_> = items.collect();
        for items in items.chunks(room) {
            report.deliver()?;
            end_together(items, source, room, arguments, report)?;
        }
    }
    Ok(())
}

fn source_of(item: &PlanItem<'_, Process>) -> ProcSource {
    source(&item.action.origin.evidence)
}

fn end_together(
    items: &[&PlanItem<'_, Process>],
    source: ProcSource,
    room: usize,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let terminator = terminator(source).map_err(Failure::trouble)?;
    let terminator = terminator.as_ref();
    let mut targets: Vec<Target<'_, '_>> = Vec::new();
    for (evidence, items) in &items.iter().chunk_by(|item| &item.action.origin.evidence) {
        let held = take_hold(terminator, items.copied(), report)?;
        if !held.is_empty() {
            let recheck = Recheck::scan(evidence, host::tmux::TMUX_LIMIT)?;
            targets.extend(still_leaked(terminator, held, &recheck, report)?);
        }
    }
    // Of a server that is several processes, the first to be signalled is its top.
    targets.sort_by_key(|(item, _)| match item.subject.role {
        Role::Server => item.subject.ancestors.len(),
        Role::Claude | Role::Child => 0,
    });
    // By ps, too little is known of what is not Claude.
    let left = match source {
        ProcSource::Proc => descendants::hold(terminator, &targets, source, room - targets.len())
            .map_err(Failure::trouble)?,
        ProcSource::Ps => Vec::new(),
    };
    end_held(terminator, source, targets, arguments.grace, judged_again, report)?;
    descendants::end(terminator, left, arguments, report)
}

/// Judges servers again that SIGTERM has not ended: what is below them, or who comes to them,
/// may have changed. Nobody comes back to a Claude that nothing holds.
fn judged_again<'p, 'a>(
    terminator: &dyn Terminator,
    alive: Vec<Target<'p, 'a>>,
    report: &mut Report,
) -> Result<Vec<Target<'p, 'a>>, Failure> {
    let is_server = |(item, _): &Target<'_, '_>| item.action.found == Kind::LeakedServer;
    let (servers, mut leaked): (Vec<_>, Vec<_>) = alive.into_iter().partition(is_server);
    for (evidence, group) in &servers.into_iter().chunk_by(|(item, _)| &item.action.origin.evidence)
    {
        let recheck = Recheck::scan(evidence, host::tmux::TMUX_LIMIT)?;
        leaked.extend(still_leaked(terminator, group.collect(), &recheck, report)?);
    }
    Ok(leaked)
}

fn take_hold<'p, 'a: 'p>(
    terminator: &dyn Terminator,
    items: impl Iterator<Item = &'p PlanItem<'a, Process>>,
    report: &mut Report,
) -> Result<Vec<Target<'p, 'a>>, Failure> {
    let items: Vec<_> = items.collect();
    let pids: Vec<i32> = items.iter().map(|item| item.subject.pid).collect();
    let holdings = terminator.hold(&pids).map_err(Failure::trouble)?;
    let mut held = Vec::new();
    for (item, holding) in items.into_iter().zip(holdings) {
        match holding {
            Ok(Some(process)) => held.push((item, process)),
            Ok(None) => report.record(&item.action, Outcome::Gone, "no such process"),
            Err(error) => report.record(&item.action, Outcome::Failed, error.to_string()),
        }
    }
    Ok(held)
}

/// Returns the processes that are still leaks; reports the others.
fn still_leaked<'p, 'a>(
    terminator: &dyn Terminator,
    held: Vec<Target<'p, 'a>>,
    recheck: &Recheck,
    report: &mut Report,
) -> Result<Vec<Target<'p, 'a>>, Failure> {
    let mut leaked = Vec::new();
    let mut others = Vec::new();
    for (item, process) in held {
        match judge(item, recheck) {
            Ok(()) => leaked.push((item, process)),
            Err((result, reason)) => others.push(((item, process), result, reason)),
        }
    }
    let processes: Vec<&ProcessHandle> = others.iter().map(|((_, process), ..)| process).collect();
    let ended = terminator.wait(&processes, ENDING).map_err(Failure::trouble)?;
    for (((item, _), result, reason), ended) in others.into_iter().zip(ended) {
        match (result, ended) {
            (Outcome::Skipped, true) => {
                report.record(&item.action, Outcome::Gone, "it has just ended")
            }
            (result, _) => report.record(&item.action, result, reason),
        }
    }
    Ok(leaked)
}

/// Whether this is still the process of the finding, and still a leak.
fn judge(item: &PlanItem<'_, Process>, recheck: &Recheck) -> Result<(), (Outcome, String)> {
    let found = &item.subject;
    let Some(stat) = recheck.tmux.table.get(found.pid) else {
        return Err((Outcome::Gone, "no such process".to_owned()));
    };
    if stat.start.to_string() != found.start_time {
        let reason = format!("pid {} belongs to another process now", found.pid);
        return Err((Outcome::Skipped, reason));
    }
    if stat.is_dead() {
        return Err((Outcome::Gone, "already dead".to_owned()));
    }
    let Some(process) = recheck.processes.iter().find(|process| process.pid == found.pid) else {
        let what = match item.action.found {
            Kind::LeakedServer => "it is no longer a server of Claude",
            _ => "it is no longer Claude",
        };
        return Err((Outcome::Skipped, what.to_owned()));
    };
    if item.action.found == Kind::LeakedServer {
        return match server_verdict(process, recheck.tmux.uid) {
            ServerVerdict::Leaked => Ok(()),
            ServerVerdict::Foreign => {
                Err((Outcome::Skipped, format!("it belongs to uid {} now", process.uid)))
            }
            ServerVerdict::None => {
                Err((Outcome::Skipped, "it is no longer a server of Claude".to_owned()))
            }
            ServerVerdict::Used(by) => Err((Outcome::Skipped, format!("it is used now: {by}"))),
            ServerVerdict::Held(by) => Err((Outcome::Skipped, format!("it is held now: {by}"))),
        };
    }
    if !process.is_claude() {
        return Err((Outcome::Skipped, "it is no longer Claude".to_owned()));
    }
    match process_verdict(process, &recheck.panes(), recheck.tmux.uid, &recheck.options) {
        ProcessVerdict::Foreign => {
            Err((Outcome::Skipped, format!("it belongs to uid {} now", process.uid)))
        }
        ProcessVerdict::Leaked(_) => Ok(()),
        ProcessVerdict::InPane(session) => {
            Err((Outcome::Skipped, format!("it is in a pane of {session} now")))
        }
        ProcessVerdict::Held(by) => Err((Outcome::Skipped, format!("it is held now: {by}"))),
        ProcessVerdict::Defunct => Err((Outcome::Gone, "already dead".to_owned())),
    }
}
