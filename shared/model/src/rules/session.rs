//! Agent sessions: with Claude, busy with something else, or zombies; and those that no
//! registry entry names.

use foldhash::HashSet;
use itertools::Itertools;
use jiff::SignedDuration;

use super::context::{FindingBuilder, RuleContext};
use super::count::{by_reason, counted, kept};
use super::options::Options;
use super::panes::with_claude;
use crate::record::{End, Kind, Of, Scope, Session, Subject};
use crate::stream::Sourced;

/// Programs that may be left in a session in which nothing works: shells, programs that
/// wait, and programs that copy the output of a Claude that has ended. Multi-call
/// executables are listed because the name of their applet is seen too.
const INERT: [&str; 17] = [
    "sh",
    "bash",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "mksh",
    "fish",
    "sleep",
    "tee",
    "cat",
    "tail",
    "less",
    "more",
    "busybox",
    "toybox",
    "coreutils",
];

/// What an agent session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionVerdict {
    /// Another user's: not judged.
    Foreign,
    /// Claude is in it, or it is not an agent session.
    Live,
    /// No Claude, but not to be ended, and why.
    Busy(String),
    /// No Claude and nothing that works; a sentence that says so.
    Zombie(String),
}

/// Whether a session is an agent's, by its name. One in which a person runs an agent by
/// hand is not.
pub fn is_agent_session(session: &Session, prefix: &str) -> bool {
    session.name.starts_with(prefix)
}

/// Judges a session for the user `uid`, given whether a living Claude is in one of its panes.
pub fn session_verdict(
    session: &Session,
    has_claude: bool,
    uid: u32,
    options: &Options,
) -> SessionVerdict {
    if session.uid != uid {
        return SessionVerdict::Foreign;
    }
    if has_claude || !is_agent_session(session, &options.prefix) {
        return SessionVerdict::Live;
    }
    if session.attached > 0 {
        let clients = counted(session.attached as usize, "client", "clients");
        return SessionVerdict::Busy(format!("no Claude in it, but {clients} attached"));
    }
    if let Some(pane) = session.panes.iter().find(|pane| !pane.dead && pane.running.is_empty()) {
        let what =
            format!("no Claude was seen in it, but the processes of {} could not be seen", pane.id);
        return SessionVerdict::Busy(what);
    }
    let names = |inert: bool| {
        session
            .panes
            .iter()
            .flat_map(|pane| &pane.running)
            .filter(move |name| INERT.contains(&name.as_str()) == inert)
            .unique()
            .join(", ")
    };
    let (working, inert) = (names(false), names(true));
    if working.is_empty() {
        let left = if inert.is_empty() { "nothing" } else { &inert };
        SessionVerdict::Zombie(format!("no Claude in it; {left} left, nobody attached"))
    } else if options.busy {
        SessionVerdict::Zombie(format!("no Claude in it (--busy; runs {working}), nobody attached"))
    } else {
        SessionVerdict::Busy(format!("no Claude in it, but it runs {working}"))
    }
}

/// Judges every agent session once, in the order of their names.
pub(super) fn judge(context: &mut RuleContext<'_, '_>) {
    let state = context.state;
    let prefix = &context.options.prefix;
    let (sessions, others): (Vec<_>, Vec<_>) = state
        .sessions
        .iter()
        .copied()
        .filter(|(session, _)| is_agent_session(&session.record, prefix))
        .sorted_by_key(|(session, _)| order(&session.record))
        .partition(|(session, _)| session.record.uid == state.uid);
    let gaps = others.iter().filter_map(|(session, _)| state.owner_gap(session.record.uid));
    for (gap, count) in by_reason(gaps) {
        context.note(&counted(count, "agent session", "agent sessions"), &gap);
    }
    if sessions.is_empty() {
        return;
    }
    match state.gap(Of::Processes) {
        None => without_claude(context, &sessions),
        Some(gap) => {
            let count = sessions.len();
            let what = counted(count, "agent session", "agent sessions");
            context.withhold(Subject::Sessions, count, &what, &gap);
        }
    }
    without_entry(context, &sessions);
}

/// The orchestrator that has a database makes the session first, waits two seconds for Claude
/// in it, and then writes the row, for which it may wait some seconds more.
const ROW_COMES: SignedDuration = SignedDuration::from_secs(15);

/// A session with the end of the scan that saw it.
type Seen<'c, 'a> = (&'c Sourced<'a, Session>, &'c End);

fn without_claude<'c>(context: &mut RuleContext<'c, '_>, sessions: &[Seen<'c, '_>]) {
    let processes = context.state.processes.iter().map(|(process, _)| &process.record);
    let with_claude = with_claude(&context.panes, processes);
    for (session, end) in sessions {
        let record = &session.record;
        let key = (record.server_pid, record.id.as_str());
        let has_claude = with_claude.contains(&key);
        match session_verdict(record, has_claude, context.state.uid, context.options) {
            SessionVerdict::Foreign => continue,
            SessionVerdict::Live => {}
            SessionVerdict::Busy(reason) => report(context, Kind::BusySession, session, reason),
            SessionVerdict::Zombie(reason) => {
                let target = format!("session {}", record.name);
                if let Some(line) = &session.kept_by {
                    report(context, Kind::BusySession, session, kept(line));
                } else if context.too_young(&target, record.created, end, Of::Processes) {
                    continue;
                } else {
                    context.zombies.insert(key);
                    report(context, Kind::ZombieSession, session, reason);
                }
            }
        }
        context.summary.judged += 1;
    }
}

fn without_entry<'c>(context: &mut RuleContext<'c, '_>, sessions: &[Seen<'c, '_>]) {
    let named: HashSet<(i32, &str)> = context
        .agents()
        .flat_map(|(_, _, sessions)| sessions.iter().flatten())
        .map(|session| (session.server_pid, session.id.as_str()))
        .collect();
    let is_named = |s: &Session| named.contains(&(s.server_pid, s.id.as_str()));
    let orphans = sessions.iter().filter(|(session, _)| !is_named(&session.record)).collect_vec();
    if orphans.is_empty() {
        return;
    }
    if let Some(gap) = context.state.gap(Of::Agents) {
        let what = counted(orphans.len(), "agent session", "agent sessions");
        context.note(&format!("{what} that no entry names"), &gap);
        return;
    }
    let has_database =
        context.state.registries.iter().any(|(registry, _)| registry.record.scope == Scope::State);
    let is_young = |(session, end): &&&Seen<'_, '_>| {
        let born = session.record.created;
        has_database && context.age(born, end, Of::Agents) < ROW_COMES
    };
    let (young, orphans): (Vec<_>, Vec<_>) = orphans.into_iter().partition(|seen| is_young(&seen));
    if !young.is_empty() {
        let what = counted(young.len(), "agent session", "agent sessions");
        let why = "the orchestrator writes the row some seconds after it makes the session";
        context.note(&format!("{what} that no entry names yet"), why);
    }
    for (session, _) in orphans {
        report(context, Kind::OrphanSession, session, "no registry entry names it".to_owned());
    }
}

fn report<'c>(
    context: &mut RuleContext<'c, '_>,
    kind: Kind,
    session: &'c Sourced<'_, Session>,
    reason: String,
) {
    let builder = FindingBuilder::new(kind, format!("session {}", session.record.name), reason);
    context.report(FindingBuilder { session: Some(session.raw()), ..builder });
}

fn order(session: &Session) -> (&str, i32, &str) {
    (&session.name, session.server_pid, &session.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_users_session_is_not_judged() {
        let session: Session = serde_json::from_value(json!({
            "scan": "", "name": "agent_a", "id": "$1", "uid": 1000, "socket": "/s",
            "server_pid": 9, "created": "2025-10-01T00:00:00Z", "attached": 0, "windows": 1,
            "activity": "2025-10-01T00:00:00Z", "agent": null, "panes": [],
        }))
        .unwrap();
        let verdict = |uid| session_verdict(&session, false, uid, &Options::default());
        assert!(matches!(verdict(1000), SessionVerdict::Zombie(_)));
        for has_claude in [false, true] {
            let verdict = session_verdict(&session, has_claude, 1001, &Options::default());
            assert_eq!(verdict, SessionVerdict::Foreign);
        }
    }
}
