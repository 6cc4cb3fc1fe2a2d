//! Ending zombie sessions.

use std::thread;
use std::time::Duration;

use cli::Failure;
use host::tmux::{TMUX_LIMIT, kill};
use itertools::Itertools;
use model::plan::PlanItem;
use model::record::{Evidence, Outcome, Session};
use model::rules::{SessionVerdict, session_verdict};

use super::recheck::{self, Recheck};
use super::report::Report;

/// How long one that is found ending may take. Until then it looks like something else:
/// tmux still lists it, but what ran in it does not run any more.
const ENDING: Duration = Duration::from_millis(100);

const MOVED: &str = "it changed at the moment of ending it, so tmux left it";

/// Ends the sessions of these items.
///
/// # Errors
/// When tmux or the process table cannot be asked, or output cannot be written.
pub fn end(items: &[PlanItem<'_, Session>], report: &mut Report) -> Result<(), Failure> {
    for (evidence, items) in &items.iter().chunk_by(|item| &item.action.origin.evidence) {
        end_together(evidence, items, report)?;
    }
    Ok(())
}

fn end_together<'p, 'a: 'p>(
    evidence: &Evidence,
    items: impl Iterator<Item = &'p PlanItem<'a, Session>>,
    report: &mut Report,
) -> Result<(), Failure> {
    let recheck = Recheck::scan(evidence, TMUX_LIMIT)?;
    // What became of each if it is gone by the next scan, and if it is not.
    let mut open = Vec::new();
    for item in items {
        match judge(&item.subject, &recheck) {
            Ok(session) => {
                report.planned(&item.action)?;
                open.push(match kill(session) {
                    Ok(()) => (item, Outcome::Done, Outcome::Skipped, MOVED.to_owned()),
                    Err(error) => (item, Outcome::Gone, Outcome::Failed, error.to_string()),
                });
            }
            Err((Outcome::Skipped, reason)) => {
                open.push((item, Outcome::Gone, Outcome::Skipped, reason));
            }
            Err((result, reason)) => report.record(&item.action, result, reason),
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    if open.iter().any(|(_, if_gone, ..)| *if_gone == Outcome::Gone) {
        thread::sleep(ENDING);
    }
    let after = recheck::sessions(evidence, TMUX_LIMIT);
    for (item, if_gone, if_there, reason) in open {
        let there =
            after.as_ref().map(|scan| recheck::find(&scan.sessions, &item.subject).is_some());
        match there {
            Ok(false) => report.record(&item.action, if_gone, "session ended"),
            Ok(true) => report.record(&item.action, if_there, reason),
            Err(_) => {
                let reason = "tmux could not be asked what became of it";
                report.record(&item.action, Outcome::Failed, reason);
            }
        }
    }
    after.map(|_| ())
}

/// The session of the finding, as it is now, if it is still a zombie. What tmux is told to
/// end is put together from this: words of the input never get into its commands.
fn judge<'s>(found: &Session, recheck: &'s Recheck) -> Result<&'s Session, (Outcome, String)> {
    let Some(session) = recheck.session(found) else {
        return Err((Outcome::Gone, "no such session".to_owned()));
    };
    if recheck.runs_here(session) {
        return Err((Outcome::Refused, "this command runs in it".to_owned()));
    }
    if session.windows != found.windows {
        return Err((Outcome::Skipped, "it has other windows than it had".to_owned()));
    }
    let has_claude = recheck.has_claude(session);
    match session_verdict(session, has_claude, recheck.tmux.uid, &recheck.options) {
        SessionVerdict::Foreign => {
            Err((Outcome::Skipped, format!("it belongs to uid {} now", session.uid)))
        }
        SessionVerdict::Zombie(_) => Ok(session),
        SessionVerdict::Live => Err((Outcome::Skipped, "Claude is in it".to_owned())),
        SessionVerdict::Busy(reason) => Err((Outcome::Skipped, reason)),
    }
}
