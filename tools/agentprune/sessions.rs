//! Ending zombie sessions.

use std::collections::HashSet;

use cli::Failure;
use host::sessions::{TMUX_LIMIT, kill};
use itertools::Itertools;
use model::drift::{SessionVerdict, session_verdict};
use model::finding::Outcome;
use model::plan::Case;
use model::record::Session;

use crate::report::Report;
use crate::scene::{self, Scene};

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
            report.became(&case.order, Outcome::Gone, "given twice")?;
        }
    }
    for (evidence, cases) in &once.into_iter().chunk_by(|case| &case.order.finding.evidence) {
        let scene = Scene::look(evidence, TMUX_LIMIT)?;
        let mut killed = Vec::new();
        for case in cases {
            if let Err((result, reason)) = judge(&case.subject, &scene) {
                report.became(&case.order, result, reason)?;
                continue;
            }
            report.planned(&case.order)?;
            match kill(&case.subject) {
                Ok(()) => killed.push(case),
                Err(error) => report.became(&case.order, Outcome::Failed, error.to_string())?,
            }
        }
        if killed.is_empty() {
            continue;
        }
        let after = scene::sessions(evidence, TMUX_LIMIT)?;
        for case in killed {
            match scene::find(&after.sessions, &case.subject) {
                None => report.became(&case.order, Outcome::Done, "session ended")?,
                Some(_) => {
                    let reason = "it changed at the moment of ending it, so tmux left it";
                    report.became(&case.order, Outcome::Skipped, reason)?;
                }
            }
        }
    }
    Ok(())
}

/// Whether the session of the finding is there, and still a zombie.
fn judge(found: &Session, scene: &Scene) -> Result<(), (Outcome, String)> {
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
        SessionVerdict::Zombie(_) => Ok(()),
        SessionVerdict::Live => Err((Outcome::Skipped, "Claude is in it".to_owned())),
        SessionVerdict::Busy(reason) => Err((Outcome::Skipped, reason)),
    }
}
