//! Ending zombie sessions.

use std::thread;
use std::time::Duration;

use cli::Failure;
use host::tmux::{TMUX_LIMIT, kill};
use model::plan::{PlanItem, Zombie};
use model::record::{Agent, Outcome, Session};
use model::rules::{AgentSessions, SessionEvidence, SessionVerdict, session_verdict};

use super::recheck::{self, Recheck};
use super::report::Report;

/// How long to wait for a session that is already ending. Until it has ended, tmux lists it
/// although its processes are gone.
const ENDING: Duration = Duration::from_millis(100);

const MOVED: &str = "it changed at the last moment, so tmux did not end it";

/// Ends the sessions of these items.
///
/// # Errors
/// When tmux or the process table cannot be asked, or output cannot be written.
pub fn end(items: &[PlanItem<'_, Zombie<'_>>], report: &mut Report) -> Result<(), Failure> {
    for item in items {
        report.deliver()?;
        end_one(item, report)?;
    }
    Ok(())
}

/// Each session is judged immediately before it is ended, because ending the ones before took
/// time.
fn end_one(item: &PlanItem<'_, Zombie<'_>>, report: &mut Report) -> Result<(), Failure> {
    let evidence = &item.action.origin.evidence;
    let recheck = Recheck::scan(evidence, TMUX_LIMIT)?;
    // The result if the next scan lacks the session; the result and the reason if it has it.
    let (if_gone, if_there, reason) = match judge(&item.subject, &recheck) {
        Ok(session) => {
            report.all_planned([&item.action])?;
            match kill(session) {
                Ok(()) => (Outcome::Done, Outcome::Skipped, MOVED.to_owned()),
                Err(error) => (Outcome::Gone, Outcome::Failed, error.to_string()),
            }
        }
        Err((Outcome::Skipped, reason)) => (Outcome::Gone, Outcome::Skipped, reason),
        Err((result, reason)) => {
            report.record(&item.action, result, reason);
            return Ok(());
        }
    };
    if if_gone == Outcome::Gone {
        thread::sleep(ENDING);
    }
    let after = recheck::sessions(evidence, TMUX_LIMIT);
    match after.as_ref().map(|scan| recheck::find(&scan.sessions, &item.subject.session).is_some())
    {
        Ok(false) => report.record(&item.action, if_gone, "session ended"),
        Ok(true) => report.record(&item.action, if_there, reason),
        Err(_) => {
            let reason = "whether it ended is unknown: tmux could not be asked";
            report.record(&item.action, Outcome::Failed, reason);
        }
    }
    after.map(|_| ())
}

/// Returns the session of the finding as it is now, if it is still a zombie. tmux commands are
/// built from it, never from words of the input.
fn judge<'s>(found: &Zombie<'_>, recheck: &'s Recheck) -> Result<&'s Session, (Outcome, String)> {
    let Some(session) = recheck.session(&found.session) else {
        return Err((Outcome::Gone, "no such session".to_owned()));
    };
    if recheck.runs_here(session) {
        return Err((Outcome::Refused, "this command runs in it".to_owned()));
    }
    if session.windows != found.session.windows {
        return Err((Outcome::Skipped, "its windows have changed".to_owned()));
    }
    let evidence = SessionEvidence {
        has_claude: recheck.has_claude(session),
        is_named: found.named_by.as_ref().is_some_and(|agent| names(agent, session)),
        seen_at: recheck.scanned_at,
    };
    let leaked = recheck.leaked_servers();
    match session_verdict(session, evidence, &leaked, recheck.tmux.uid, &recheck.options) {
        SessionVerdict::Foreign => {
            Err((Outcome::Skipped, format!("it belongs to uid {} now", session.uid)))
        }
        SessionVerdict::Zombie(_) => Ok(session),
        SessionVerdict::Live => Err((Outcome::Skipped, "Claude runs in it".to_owned())),
        SessionVerdict::Busy(reason) | SessionVerdict::Recent(reason) => {
            Err((Outcome::Skipped, reason))
        }
    }
}

/// Whether an entry still names a session.
fn names(agent: &Agent<'_>, session: &Session) -> bool {
    let of_agent = AgentSessions::new([session]).of(&agent.id, agent.session_name());
    of_agent.is_ok_and(|sessions| !sessions.is_empty())
}
