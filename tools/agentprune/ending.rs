//! Ending processes that were judged: the signals, and the waiting.

use std::time::{Duration, Instant};

use cli::Failure;
use host::signal::{ProcessHandle, SignalOutcome, Terminator};
use model::plan::PlanItem;
use model::record::Outcome;
use model::record::{ProcSource, Process};
use nix::sys::signal::Signal;

use super::report::Report;

/// How long processes may take to end after SIGKILL. Freeing their memory takes a while for
/// hundreds at once; a process that needs longer is waiting in the kernel.
const AFTER_KILL: Duration = Duration::from_secs(3);

const AFTER_TERM: &str = "ended after SIGTERM";

const CHANGED: &str = "it has changed since it was judged";

/// An item, and the handle of its process.
pub type Target<'p, 'a> = (&'p PlanItem<'a, Process>, ProcessHandle);

/// Returns those that may be sent SIGKILL, and reports the others.
pub type Judge = for<'p, 'a> fn(
    &dyn Terminator,
    Vec<Target<'p, 'a>>,
    &mut Report,
) -> Result<Vec<Target<'p, 'a>>, Failure>;

/// Ends processes that were judged: SIGTERM to all, one grace for all, SIGKILL to those of the
/// rest that are judged `again` to be ended.
///
/// # Errors
/// When the log cannot be written; then none is signalled. When the rest cannot be judged.
pub fn end_held(
    terminator: &dyn Terminator,
    source: ProcSource,
    targets: Vec<Target<'_, '_>>,
    grace: Duration,
    again: Judge,
    report: &mut Report,
) -> Result<(), Failure> {
    report.all_planned(targets.iter().map(|(item, _)| &item.action))?;
    let targets = signal(terminator, targets, Signal::SIGTERM, report);
    let alive = wait(terminator, targets, grace, AFTER_TERM, report);
    let alive = if alive.is_empty() { alive } else { again(terminator, alive, report)? };
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
            SignalOutcome::Ended => report.ended(target.0, AFTER_TERM),
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
                report.ended(target.0, how);
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

/// Reports processes about which the system cannot be asked: nothing more is done about them.
fn fail<'p, 'a>(
    targets: Vec<Target<'p, 'a>>,
    error: &std::io::Error,
    report: &mut Report,
) -> Vec<Target<'p, 'a>> {
    for (item, _) in targets {
        let reason = format!("whether it ended is unknown: {error}");
        report.record(&item.action, Outcome::Failed, reason);
    }
    Vec::new()
}
