//! Ending leaked processes.
//!
//! First each process is held, then it is judged again. Whatever happens to its pid after
//! that, the signal reaches the process that was judged, or none: by a pidfd surely, without
//! one as far as looking immediately before the signal can tell.

use std::time::{Duration, Instant};

use cli::Failure;
use host::signal::{ProcessHandle, SignalOutcome, Terminator, capacity, terminator};
use itertools::Itertools;
use model::plan::PlanItem;
use model::record::Outcome;
use model::record::{ProcSource, Process};
use model::rules::{ProcessVerdict, process_verdict};
use nix::sys::signal::Signal;

use super::args::Arguments;
use super::descendants;
use super::recheck::{Recheck, source};
use super::report::Report;

/// How long processes may take to end after SIGKILL. It frees their memory first, which
/// takes a while for hundreds at once; one that needs longer is waiting in the kernel.
const AFTER_KILL: Duration = Duration::from_secs(3);

/// How long one that is found ending may take. Until then it looks like something else:
/// its files are closed and its arguments gone.
const ENDING: Duration = Duration::from_millis(100);

const AFTER_TERM: &str = "ended after SIGTERM";

const CHANGED: &str = "it is not what it was a moment ago";

/// An item, and the handle of its process.
pub type Target<'p, 'a> = (&'p PlanItem<'a, Process>, ProcessHandle);

/// Ends the processes of these items: SIGTERM to all, one grace for all, SIGKILL to the rest.
/// Those for whom there are not enough descriptors come after the others.
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
    // By ps, too little is known of what is not Claude.
    let left = match source {
        ProcSource::Proc => descendants::hold(terminator, &targets, source, room - targets.len())
            .map_err(Failure::trouble)?,
        ProcSource::Ps => Vec::new(),
    };
    end_held(terminator, source, targets, arguments.grace, report)?;
    descendants::end(terminator, left, arguments, report)
}

/// Ends processes that were judged: SIGTERM to all, one grace for all, SIGKILL to the rest.
///
/// # Errors
/// When the log cannot be written; then none is signalled.
pub fn end_held(
    terminator: &dyn Terminator,
    source: ProcSource,
    targets: Vec<Target<'_, '_>>,
    grace: Duration,
    report: &mut Report,
) -> Result<(), Failure> {
    report.all_planned(targets.iter().map(|(item, _)| &item.action))?;
    let targets = signal(terminator, targets, Signal::SIGTERM, report);
    let alive = wait(terminator, targets, grace, AFTER_TERM, report);
    let killed = signal(terminator, alive, Signal::SIGKILL, report);
    let alive = wait(terminator, killed, AFTER_KILL, "ended by SIGKILL", report);
    if alive.is_empty() {
        return Ok(());
    }
    let table = host::process::Table::read(source).ok();
    for (item, _) in alive {
        let state = table.as_ref().and_then(|table| table.get(item.subject.pid)).map(|s| s.state);
        let state = state.map_or_else(|| "unknown".to_owned(), |state| state.to_string());
        let reason = format!("still there after SIGKILL (state {state}): the kernel holds it");
        report.record(&item.action, Outcome::Failed, reason);
    }
    Ok(())
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

/// Those that are what they were found to be; reports the others.
fn still_leaked<'p, 'a>(
    terminator: &dyn Terminator,
    held: Vec<Target<'p, 'a>>,
    recheck: &Recheck,
    report: &mut Report,
) -> Result<Vec<Target<'p, 'a>>, Failure> {
    let mut leaked = Vec::new();
    let mut others = Vec::new();
    for (item, process) in held {
        match judge(&item.subject, recheck) {
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

/// Whether the process that is held now is the leaked one of the finding, still.
fn judge(found: &Process, recheck: &Recheck) -> Result<(), (Outcome, String)> {
    let Some(stat) = recheck.tmux.table.get(found.pid) else {
        return Err((Outcome::Gone, "no such process".to_owned()));
    };
    if stat.start.to_string() != found.start_time {
        let reason = format!("pid {} belongs to another process now", found.pid);
        return Err((Outcome::Skipped, reason));
    }
    if stat.is_dead() {
        return Err((Outcome::Gone, "dead already".to_owned()));
    }
    let Some(process) = recheck.processes.iter().find(|process| process.pid == found.pid) else {
        return Err((Outcome::Skipped, "it is not Claude any more".to_owned()));
    };
    match process_verdict(process, &recheck.panes(), recheck.tmux.uid, &recheck.options) {
        ProcessVerdict::Foreign => {
            Err((Outcome::Skipped, format!("it belongs to uid {} now", process.uid)))
        }
        ProcessVerdict::Leaked(_) => Ok(()),
        ProcessVerdict::InPane(session) => {
            Err((Outcome::Skipped, format!("it is in a pane of {session} now")))
        }
        ProcessVerdict::Held(by) => Err((Outcome::Skipped, format!("it is held now: {by}"))),
        ProcessVerdict::Defunct => Err((Outcome::Gone, "dead already".to_owned())),
    }
}

/// Sends a signal; returns those that it reached, and reports the others.
fn signal<'p, 'a>(
    terminator: &dyn Terminator,
    targets: Vec<Target<'p, 'a>>,
    signal: Signal,
    report: &mut Report,
) -> Vec<Target<'p, 'a>> {
    if !targets.is_empty() {
        report.progress.step(&format!("{signal} to {}", targets.len()));
    }
    let held: Vec<&ProcessHandle> = targets.iter().map(|(_, process)| process).collect();
    let sent = match terminator.signal(&held, signal) {
        Ok(sent) => sent,
        Err(error) => return fail(targets, &error, report),
    };
    let mut reached = Vec::new();
    for (target, sent) in targets.into_iter().zip(sent) {
        let action = &target.0.action;
        match sent {
            SignalOutcome::Reached => reached.push(target),
            SignalOutcome::Ended if signal == Signal::SIGTERM => {
                report.record(action, Outcome::Gone, "it has just ended")
            }
            SignalOutcome::Ended => report.record(action, Outcome::Done, AFTER_TERM),
            SignalOutcome::Changed => report.record(action, Outcome::Skipped, CHANGED),
            SignalOutcome::Failed(error) => {
                report.record(action, Outcome::Failed, error.to_string())
            }
        }
    }
    reached
}

/// Reports those that end in time; returns the others.
fn wait<'p, 'a>(
    terminator: &dyn Terminator,
    targets: Vec<Target<'p, 'a>>,
    limit: Duration,
    how: &str,
    report: &mut Report,
) -> Vec<Target<'p, 'a>> {
    if targets.is_empty() {
        return targets;
    }
    let all = targets.len();
    let deadline = Instant::now() + limit;
    let mut alive = targets;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let seconds = left.as_secs_f64().ceil();
        report.progress.progress(&format!("ending {}/{all}, {seconds} s left", all - alive.len()));
        let held: Vec<&ProcessHandle> = alive.iter().map(|(_, process)| process).collect();
        let ended = match terminator.wait(&held, left.min(report.progress.pace())) {
            Ok(ended) => ended,
            Err(error) => {
                report.progress.clear();
                return fail(alive, &error, report);
            }
        };
        let waited = std::mem::take(&mut alive);
        for (target, ended) in waited.into_iter().zip(ended) {
            if ended {
                report.record(&target.0.action, Outcome::Done, how);
            } else {
                alive.push(target);
            }
        }
        if alive.is_empty() || left.is_zero() {
            report.progress.clear();
            return alive;
        }
    }
}

/// Of these it cannot be seen what they are now: nothing more is done about them.
fn fail<'p, 'a>(
    targets: Vec<Target<'p, 'a>>,
    error: &std::io::Error,
    report: &mut Report,
) -> Vec<Target<'p, 'a>> {
    for (item, _) in targets {
        let reason = format!("what became of it cannot be seen: {error}");
        report.record(&item.action, Outcome::Failed, reason);
    }
    Vec::new()
}
