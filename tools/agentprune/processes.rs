//! Ending leaked processes.
//!
//! First each process is held by a pidfd, then it is judged again. Whatever happens to
//! its pid after that, the signal reaches the process that was judged, or none.

use std::time::Duration;

use cli::Failure;
use host::signal::{Held, allow_many, hold, wait_for_end};
use itertools::Itertools;
use model::drift::{ProcessVerdict, process_verdict};
use model::finding::Outcome;
use model::plan::Case;
use model::record::Process;

use crate::report::Report;
use crate::scene::Scene;

/// How long a process may take to end after SIGKILL: one that does not is waiting in the
/// kernel.
const AFTER_KILL: Duration = Duration::from_secs(1);

type Target<'p, 'a> = (&'p Case<'a, Process>, Held);

/// Ends the processes of these cases: SIGTERM to all, one grace for all, SIGKILL to the rest.
///
/// # Errors
/// When tmux or the process table cannot be asked, or output cannot be written.
pub fn end(
    cases: &[Case<'_, Process>],
    grace: Duration,
    report: &mut Report,
) -> Result<(), Failure> {
    if cases.is_empty() {
        return Ok(());
    }
    allow_many();
    let mut targets: Vec<Target<'_, '_>> = Vec::new();
    for (evidence, cases) in &cases.iter().chunk_by(|case| &case.order.finding.evidence) {
        let mut held = Vec::new();
        for case in cases {
            match hold(case.subject.pid) {
                Ok(Some(process)) => held.push((case, process)),
                Ok(None) => report.became(&case.order, Outcome::Gone, "no such process")?,
                Err(error) => report.became(&case.order, Outcome::Failed, error.to_string())?,
            }
        }
        let scene = Scene::look(evidence, host::sessions::TMUX_LIMIT)?;
        for (case, process) in held {
            match judge(&case.subject, &scene) {
                Ok(()) => targets.push((case, process)),
                Err((result, reason)) => report.became(&case.order, result, reason)?,
            }
        }
    }
    for (case, _) in &targets {
        report.planned(&case.order)?;
    }
    let targets = signal(targets, report, Held::ask_to_end)?;
    let (_, alive) = wait(targets, grace, "ended after SIGTERM", report)?;
    let killed = signal(alive, report, Held::kill)?;
    let (_, alive) = wait(killed, AFTER_KILL, "ended by SIGKILL", report)?;
    for (case, _) in alive {
        let state = host::Table::read().ok().and_then(|t| t.get(case.subject.pid).map(|s| s.state));
        let state = state.map_or_else(|| "unknown".to_owned(), |state| state.to_string());
        let reason = format!("still there after SIGKILL (state {state}): the kernel holds it");
        report.became(&case.order, Outcome::Failed, reason)?;
    }
    Ok(())
}

/// Whether the process that is held now is the leaked one of the finding, still.
fn judge(found: &Process, scene: &Scene) -> Result<(), (Outcome, String)> {
    let Some(stat) = scene.table.get(found.pid) else {
        return Err((Outcome::Gone, "no such process".to_owned()));
    };
    if stat.start_ticks.to_string() != found.start_time {
        let reason = format!("pid {} belongs to another process now", found.pid);
        return Err((Outcome::Skipped, reason));
    }
    if stat.is_dead() {
        return Err((Outcome::Gone, "dead already".to_owned()));
    }
    let Some(process) = scene.processes.iter().find(|process| process.pid == found.pid) else {
        return Err((Outcome::Skipped, "it is not Claude any more".to_owned()));
    };
    let own = nix::unistd::geteuid();
    if !own.is_root() && process.uid != own.as_raw() {
        return Err((Outcome::Refused, format!("it belongs to uid {}", process.uid)));
    }
    match process_verdict(process, &scene.panes(), &scene.options) {
        ProcessVerdict::Leaked(_) => Ok(()),
        ProcessVerdict::InPane(session) => {
            Err((Outcome::Skipped, format!("it is in a pane of {session} now")))
        }
        ProcessVerdict::Held(by) => Err((Outcome::Skipped, format!("it is held now: {by}"))),
        ProcessVerdict::Defunct => Err((Outcome::Gone, "dead already".to_owned())),
    }
}

fn signal<'p, 'a>(
    targets: Vec<Target<'p, 'a>>,
    report: &mut Report,
    send: fn(&Held) -> std::io::Result<()>,
) -> Result<Vec<Target<'p, 'a>>, Failure> {
    let mut reached = Vec::new();
    for (case, process) in targets {
        match send(&process) {
            Ok(()) => reached.push((case, process)),
            Err(error) => report.became(&case.order, Outcome::Failed, error.to_string())?,
        }
    }
    Ok(reached)
}

/// Reports those that end in time; returns them and the others.
fn wait<'p, 'a>(
    targets: Vec<Target<'p, 'a>>,
    limit: Duration,
    how: &str,
    report: &mut Report,
) -> Result<(Vec<Target<'p, 'a>>, Vec<Target<'p, 'a>>), Failure> {
    let held: Vec<&Held> = targets.iter().map(|(_, process)| process).collect();
    let ended = wait_for_end(&held, limit).map_err(Failure::trouble)?;
    let (ended, alive): (Vec<_>, Vec<_>) =
        targets.into_iter().zip(ended).partition_map(|(target, ended)| match ended {
            true => itertools::Either::Left(target),
            false => itertools::Either::Right(target),
        });
    for (case, _) in &ended {
        report.became(&case.order, Outcome::Done, how)?;
    }
    Ok((ended, alive))
}
