//! Ending zombie sessions.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use cli::Failure;
use host::sessions::{TMUX_LIMIT, kill};
use itertools::Itertools;
use model::drift::{SessionVerdict, session_verdict};
use model::finding::{Evidence, Outcome};
use model::plan::Case;
use model::record::{Servers, Session};

use crate::report::Report;
use crate::scene::{self, Scene};

/// How long one that is found ending may take. Until then it looks like something else:
/// tmux still lists it, but what ran in it does not run any more.
const ENDING: Duration = Duration::from_millis(100);

const MOVED: &str = "it changed at the moment of ending it, so tmux left it";

/// Ends the sessions of these cases.
///
/// # Errors
/// When tmux or the process table cannot be asked, or output cannot be written.
pub fn end(cases: &[Case<'_, Session>], report: &mut Report) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    let mut once = Vec::with_capacity(cases.len());
    for case in cases {
        let Session { server_pid, created, id, .. } = &case.subject;
        if seen.insert((server_pid, created, id)) {
            once.push(case);
        } else {
            report.became(&case.order, Outcome::Gone, "given twice");
        }
    }
    for (evidence, cases) in &once.into_iter().chunk_by(|case| &case.order.origin.evidence) {
        end_together(evidence, cases, report)?;
    }
    Ok(())
}

fn end_together<'p, 'a: 'p>(
    evidence: &Evidence,
    cases: impl Iterator<Item = &'p Case<'a, Session>>,
    report: &mut Report,
) -> Result<(), Failure> {
    let scene = Scene::look(evidence, TMUX_LIMIT)?;
    // What became of each if it is gone by the next look, and if it is not.
    let mut open = Vec::new();
    for case in cases {
        match judge(&case.subject, &scene) {
            Ok(session) => {
                report.planned(&case.order)?;
                open.push(match kill(session) {
                    Ok(()) => (case, Outcome::Done, Outcome::Skipped, MOVED.to_owned()),
                    Err(error) => (case, Outcome::Gone, Outcome::Failed, error.to_string()),
                });
            }
            Err((Outcome::Skipped, reason)) => {
                open.push((case, Outcome::Gone, Outcome::Skipped, reason));
            }
            Err((result, reason)) => report.became(&case.order, result, reason),
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    if open.iter().any(|(_, if_gone, ..)| *if_gone == Outcome::Gone) {
        thread::sleep(ENDING);
    }
    let after = scene::sessions(evidence, TMUX_LIMIT);
    for (case, if_gone, if_there, reason) in open {
        let there = after.as_ref().map(|look| scene::find(&look.sessions, &case.subject).is_some());
        match there {
            Ok(false) => report.became(&case.order, if_gone, "session ended"),
            Ok(true) => report.became(&case.order, if_there, reason),
            Err(_) => {
                let reason = "tmux could not be asked what became of it";
                report.became(&case.order, Outcome::Failed, reason);
            }
        }
    }
    after.map(|_| ())
}

/// The session of the finding, as it is now, if it is still a zombie. What tmux is told to
/// end is put together from this: words of the input never get into its commands.
fn judge<'s>(found: &Session, scene: &'s Scene) -> Result<&'s Session, (Outcome, String)> {
    if scene.tmux.servers == Servers::All && !scene.tmux.uids.include(found.uid) {
        let reason = format!("it is uid {}'s, whose tmux cannot be asked from here", found.uid);
        return Err((Outcome::Refused, reason));
    }
    let Some(session) = scene.session(found) else {
        return Err((Outcome::Gone, "no such session".to_owned()));
    };
    if scene.runs_here(session) {
        return Err((Outcome::Refused, "this command runs in it".to_owned()));
    }
    if session.windows != found.windows {
        return Err((Outcome::Skipped, "it has other windows than it had".to_owned()));
    }
    match session_verdict(session, scene.has_claude(session), &scene.options) {
        SessionVerdict::Zombie(_) => Ok(session),
        SessionVerdict::Live => Err((Outcome::Skipped, "Claude is in it".to_owned())),
        SessionVerdict::Busy(reason) => Err((Outcome::Skipped, reason)),
    }
}
