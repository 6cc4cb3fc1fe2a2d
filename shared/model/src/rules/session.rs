//! Agent sessions: with Claude, busy with something else, or zombies.

use foldhash::HashSet;
use itertools::Itertools;

use super::{FindingBuilder, Options, RuleContext, counted, gap_of};
use crate::record::{ActionKind, Kind};
use crate::record::{End, Of, Session};

/// What may remain in a session in which nothing works any more: shells, what waits,
/// and what copies the output of a Claude that has ended. Names of multi-call
/// executables stand here because the applet's own name comes with them.
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
    /// Claude is in it, or it is no agent's session.
    Live,
    /// No Claude, but not to be ended, and why.
    Busy(String),
    /// No Claude and nothing that works; a sentence that says so.
    Zombie(String),
}

/// Whether a session is an agent's: by its name, so that a session in which somebody
/// runs an agent by hand is not taken for one.
pub fn is_agent_session(session: &Session, prefix: &str) -> bool {
    session.name.starts_with(prefix)
}

pub(super) fn verdict(session: &Session, claude: bool, options: &Options) -> SessionVerdict {
    if claude || !is_agent_session(session, &options.prefix) {
        return SessionVerdict::Live;
    }
    if session.attached > 0 {
        let clients = counted(session.attached as usize, "client", "clients");
        return SessionVerdict::Busy(format!("no Claude in it, but {clients} attached"));
    }
    if let Some(pane) = session.panes.iter().find(|pane| !pane.dead && pane.running.is_empty()) {
        let what = format!("no Claude was seen, but what runs in {} was not either", pane.id);
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

pub(super) fn zombie(context: &mut RuleContext<'_, '_>) {
    each(context, |context, session, end| match context.session_verdict(session) {
        SessionVerdict::Zombie(reason)
            if !context.too_young(session.created, end, Of::Processes) =>
        {
            Some((Kind::ZombieSession, Some(ActionKind::KillSession), reason))
        }
        _ => None,
    });
}

pub(super) fn busy(context: &mut RuleContext<'_, '_>) {
    each(context, |context, session, _| match context.session_verdict(session) {
        SessionVerdict::Busy(reason) => Some((Kind::BusySession, None, reason)),
        _ => None,
    });
}

type Found = Option<(Kind, Option<ActionKind>, String)>;

/// Shows every agent session, if it can be said that no Claude is in one.
fn each<'c, 'a>(
    context: &mut RuleContext<'c, 'a>,
    rule: impl Fn(&mut RuleContext<'c, 'a>, &'c Session, &'c End) -> Found,
) {
    let state = context.state;
    let prefix = &context.options.prefix;
    let sessions = state
        .sessions
        .iter()
        .filter(|(session, _)| is_agent_session(&session.record, prefix))
        .sorted_by_key(|(session, _)| order(&session.record))
        .collect_vec();
    if sessions.is_empty() {
        return;
    }
    if let Some(gap) = gap_of(context, Of::Processes) {
        let what = counted(sessions.len(), "agent session", "agent sessions");
        context.withhold(&what, &gap);
        return;
    }
    for (session, end) in sessions {
        if let Some((kind, action, reason)) = rule(context, &session.record, end) {
            let builder = FindingBuilder::new(kind, action, target(&session.record), reason);
            context.report(FindingBuilder { session: Some(session.raw()), ..builder });
        }
    }
}

fn order(session: &Session) -> (&str, i32, &str) {
    (&session.name, session.server_pid, &session.id)
}

fn target(session: &Session) -> String {
    format!("session {}", session.name)
}

pub(super) fn orphan(context: &mut RuleContext<'_, '_>) {
    let state = context.state;
    let named: HashSet<(i32, &str)> = context
        .agents()
        .flat_map(|(_, _, sessions)| sessions.iter().flatten())
        .map(|session| (session.server_pid, session.id.as_str()))
        .collect();
    let orphans = state
        .sessions
        .iter()
        .filter(|(session, _)| is_agent_session(&session.record, &context.options.prefix))
        .filter(|(s, _)| !named.contains(&(s.record.server_pid, s.record.id.as_str())))
        .sorted_by_key(|(session, _)| order(&session.record))
        .collect_vec();
    if orphans.is_empty() {
        return;
    }
    if let Some(gap) = gap_of(context, Of::Agents) {
        let what = counted(orphans.len(), "agent session", "agent sessions");
        context.withhold(&format!("{what} that no entry names"), &gap);
        return;
    }
    for (session, _) in orphans {
        let reason = "no registry entry names it".to_owned();
        let builder =
            FindingBuilder::new(Kind::OrphanSession, None, target(&session.record), reason);
        context.report(FindingBuilder { session: Some(session.raw()), ..builder });
    }
}
