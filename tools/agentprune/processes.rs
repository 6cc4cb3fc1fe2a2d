//! Ending leaked processes.
//!
//! First each process is held, then it is judged again. Whatever happens to its pid after
//! that, the signal reaches the process that was judged, or none: by a pidfd surely, without
//! one as far as looking immediately before the signal can tell.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use cli::Failure;
use host::signal::{Held, Means, Sent, means, room};
use itertools::Itertools;
use model::drift::{ProcessVerdict, process_verdict};
use model::finding::Outcome;
use model::plan::Case;
use model::record::{ProcSource, Process};
use nix::sys::signal::Signal;

use crate::args::Arguments;
use crate::left;
use crate::report::Report;
use crate::scene::{Scene, source};

/// How long processes may take to end after SIGKILL. It frees their memory first, which
/// takes a while for hundreds at once; one that needs longer is waiting in the kernel.
const AFTER_KILL: Duration = Duration::from_secs(3);

/// How long one that is found ending may take. Until then it looks like something else:
/// its files are closed and its arguments gone.
const ENDING: Duration = Duration::from_millis(100);

const AFTER_TERM: &str = "ended after SIGTERM";

const CHANGED: &str = "it is not what it was a moment ago";

/// A case, and the hold on its process.
pub type Target<'p, 'a> = (&'p Case<'a, Process>, Held);

/// Ends the processes of these cases: SIGTERM to all, one grace for all, SIGKILL to the rest.
/// Those for whom there are not enough descriptors come after the others.
///
/// # Errors
/// When tmux or the process table cannot be asked, or the log cannot be written.
pub fn end(
    cases: &[Case<'_, Process>],
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    let mut once = Vec::with_capacity(cases.len());
    for case in cases {
        if seen.insert((case.subject.pid, &case.subject.start_time)) {
            once.push(case);
        } else {
            report.became(&case.order, Outcome::Gone, "given twice");
        }
    }
    let room = room().map_err(Failure::trouble)?;
    for (source, cases) in &once.into_iter().chunk_by(|case| source_of(case)) {
        let cases: Vec<_> = cases.collect();
        cases
            .chunks(room)
            .try_for_each(|cases| end_together(cases, source, room, arguments, report))?;
    }
    Ok(())
}

fn source_of(case: &Case<'_, Process>) -> ProcSource {
    source(&case.order.origin.evidence)
}

fn end_together(
    cases: &[&Case<'_, Process>],
    source: ProcSource,
    room: usize,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let means = means(source).map_err(Failure::trouble)?;
    let means = means.as_ref();
    let mut targets: Vec<Target<'_, '_>> = Vec::new();
    for (evidence, cases) in &cases.iter().chunk_by(|case| &case.order.origin.evidence) {
        let held = take_hold(means, cases.copied(), report)?;
        if !held.is_empty() {
            let scene = Scene::look(evidence, host::sessions::TMUX_LIMIT)?;
            targets.extend(still_leaked(means, held, &scene, report)?);
        }
    }
    // By ps, too little is known of what is not Claude.
    let left = match source {
        ProcSource::Proc => {
            left::hold(means, &targets, source, room - targets.len()).map_err(Failure::trouble)?
        }
        ProcSource::Ps => Vec::new(),
    };
    end_held(means, source, targets, arguments.grace, report)?;
    left::end(means, left, arguments, report)
}

/// Ends processes that were judged: SIGTERM to all, one grace for all, SIGKILL to the rest.
///
/// # Errors
/// When the log cannot be written; then none is signalled.
pub fn end_held(
    means: &dyn Means,
    source: ProcSource,
    targets: Vec<Target<'_, '_>>,
    grace: Duration,
    report: &mut Report,
) -> Result<(), Failure> {
    report.all_planned(targets.iter().map(|(case, _)| &case.order))?;
    let targets = signal(means, targets, Signal::SIGTERM, report);
    let alive = wait(means, targets, grace, AFTER_TERM, report);
    let killed = signal(means, alive, Signal::SIGKILL, report);
    let alive = wait(means, killed, AFTER_KILL, "ended by SIGKILL", report);
    if alive.is_empty() {
        return Ok(());
    }
    let table = host::Table::read(source).ok();
    for (case, _) in alive {
        let state = table.as_ref().and_then(|table| table.get(case.subject.pid)).map(|s| s.state);
        let state = state.map_or_else(|| "unknown".to_owned(), |state| state.to_string());
        let reason = format!("still there after SIGKILL (state {state}): the kernel holds it");
        report.became(&case.order, Outcome::Failed, reason);
    }
    Ok(())
}

fn take_hold<'p, 'a: 'p>(
    means: &dyn Means,
    cases: impl Iterator<Item = &'p Case<'a, Process>>,
    report: &mut Report,
) -> Result<Vec<Target<'p, 'a>>, Failure> {
    let own = nix::unistd::geteuid();
    let cases: Vec<_> = cases.collect();
    let pids: Vec<i32> = cases.iter().map(|case| case.subject.pid).collect();
    let holdings = means.hold(&pids).map_err(Failure::trouble)?;
    let mut held = Vec::new();
    for (case, holding) in cases.into_iter().zip(holdings) {
        let uid = case.subject.uid;
        match holding {
            // Said before anybody's tmux is asked: another user's would not answer.
            Ok(Some(_)) if !own.is_root() && uid != own.as_raw() => {
                report.became(&case.order, Outcome::Refused, format!("it belongs to uid {uid}"))
            }
            Ok(Some(process)) => held.push((case, process)),
            Ok(None) => report.became(&case.order, Outcome::Gone, "no such process"),
            Err(error) => report.became(&case.order, Outcome::Failed, error.to_string()),
        }
    }
    Ok(held)
}

/// Those that are what they were found to be; reports the others.
fn still_leaked<'p, 'a>(
    means: &dyn Means,
    held: Vec<Target<'p, 'a>>,
    scene: &Scene,
    report: &mut Report,
) -> Result<Vec<Target<'p, 'a>>, Failure> {
    let mut leaked = Vec::new();
    let mut others = Vec::new();
    for (case, process) in held {
        match judge(&case.subject, scene) {
            Ok(()) => leaked.push((case, process)),
            Err((result, reason)) => others.push(((case, process), result, reason)),
        }
    }
    let processes: Vec<&Held> = others.iter().map(|((_, process), ..)| process).collect();
    let ended = means.wait(&processes, ENDING).map_err(Failure::trouble)?;
    for (((case, _), result, reason), ended) in others.into_iter().zip(ended) {
        match (result, ended) {
            (Outcome::Skipped, true) => {
                report.became(&case.order, Outcome::Gone, "it has just ended")
            }
            (result, _) => report.became(&case.order, result, reason),
        }
    }
    Ok(leaked)
}

/// Whether the process that is held now is the leaked one of the finding, still.
fn judge(found: &Process, scene: &Scene) -> Result<(), (Outcome, String)> {
    let Some(stat) = scene.tmux.table.get(found.pid) else {
        return Err((Outcome::Gone, "no such process".to_owned()));
    };
    if stat.start.to_string() != found.start_time {
        let reason = format!("pid {} belongs to another process now", found.pid);
        return Err((Outcome::Skipped, reason));
    }
    if stat.is_dead() {
        return Err((Outcome::Gone, "dead already".to_owned()));
    }
    let Some(process) = scene.processes.iter().find(|process| process.pid == found.pid) else {
        return Err((Outcome::Skipped, "it is not Claude any more".to_owned()));
    };
    match process_verdict(process, &scene.panes(), &scene.options) {
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
    means: &dyn Means,
    targets: Vec<Target<'p, 'a>>,
    signal: Signal,
    report: &mut Report,
) -> Vec<Target<'p, 'a>> {
    if !targets.is_empty() {
        report.steps.step(&format!("{signal} to {}", targets.len()));
    }
    let held: Vec<&Held> = targets.iter().map(|(_, process)| process).collect();
    let sent = match means.signal(&held, signal) {
        Ok(sent) => sent,
        Err(error) => return fail(targets, &error, report),
    };
    let mut reached = Vec::new();
    for (target, sent) in targets.into_iter().zip(sent) {
        let order = &target.0.order;
        match sent {
            Sent::Reached => reached.push(target),
            Sent::Ended if signal == Signal::SIGTERM => {
                report.became(order, Outcome::Gone, "it has just ended")
            }
            Sent::Ended => report.became(order, Outcome::Done, AFTER_TERM),
            Sent::Changed => report.became(order, Outcome::Skipped, CHANGED),
            Sent::Failed(error) => report.became(order, Outcome::Failed, error.to_string()),
        }
    }
    reached
}

/// Reports those that end in time; returns the others.
fn wait<'p, 'a>(
    means: &dyn Means,
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
        report.steps.progress(&format!("ending {}/{all}, {seconds} s left", all - alive.len()));
        let held: Vec<&Held> = alive.iter().map(|(_, process)| process).collect();
        let ended = match means.wait(&held, left.min(report.steps.pace())) {
            Ok(ended) => ended,
            Err(error) => {
                report.steps.clear();
                return fail(alive, &error, report);
            }
        };
        let waited = std::mem::take(&mut alive);
        for (target, ended) in waited.into_iter().zip(ended) {
            if ended {
                report.became(&target.0.order, Outcome::Done, how);
            } else {
                alive.push(target);
            }
        }
        if alive.is_empty() || left.is_zero() {
            report.steps.clear();
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
    for (case, _) in targets {
        let reason = format!("what became of it cannot be seen: {error}");
        report.became(&case.order, Outcome::Failed, reason);
    }
    Vec::new()
}
