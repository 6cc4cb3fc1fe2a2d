//! Agent sessions: with Claude, busy with something else, just active, or zombies; and those
//! that no registry entry names.

use foldhash::{HashMap, HashSet};
use itertools::Itertools;
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::context::{FindingBuilder, RuleContext};
use super::count::{by_reason, counted};
use super::options::Options;
use super::panes::{LeakedServers, with_claude};
use crate::record::{
    Adopted, Agent, End, Kind, Of, Pane, Scope, Session, Shell, ShellState, Subject,
};
use crate::shell::is_shell;
use crate::stream::Sourced;

/// Programs besides shells that may be left in a session in which nothing works: programs that
/// wait, and programs that copy the output of a Claude that has ended. Multi-call executables
/// are listed because the name of their applet is seen too.
const INERT: [&str; 9] =
    ["sleep", "tee", "cat", "tail", "less", "more", "busybox", "toybox", "coreutils"];

/// Programs that may be left below a shell at its prompt. When a `sleep` has ended, the shell
/// or a part of it may go on with something.
const COPIERS: [&str; 8] = ["tee", "cat", "tail", "less", "more", "busybox", "toybox", "coreutils"];

/// How long a session must have been idle if no entry names it: it may be of a project whose
/// registry was not read.
const IDLE: SignedDuration = SignedDuration::from_mins(10);

/// What an agent session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionVerdict {
    /// Another user's: not judged.
    Foreign,
    /// Claude is in it, or was started in it, or it is not an agent session.
    Live,
    /// No Claude, but not to be ended, and why.
    Busy(String),
    /// No Claude and nothing that works, but no entry names it and it was just active; a
    /// sentence that says until when it is left alone.
    Recent(String),
    /// No Claude and nothing that works; a sentence that says so.
    Zombie(String),
}

/// What the judgement of a session rests on besides the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionEvidence {
    /// Whether a living Claude is in one of its panes, or was started in one.
    pub has_claude: bool,
    /// Whether an entry of a registry of the same user names it.
    pub is_named: bool,
    /// When it was seen, by the earliest scan that counts.
    pub seen_at: Timestamp,
}

/// Whether a session is an agent's, by its name. One in which a person runs an agent by
/// hand is not.
pub fn is_agent_session(session: &Session, prefix: &str) -> bool {
    session.name.starts_with(prefix)
}

/// What works in a pane, or may: all but the processes of leaked servers, which its terminal still
/// has.
struct Rest<'s> {
    names: Vec<&'s str>,
    shells: Vec<&'s Shell>,
    leaked: usize,
}

impl<'s> Rest<'s> {
    fn of(pane: &'s Pane, leaked: &LeakedServers<'_>) -> Rest<'s> {
        let is_leaked = |adopted: &Adopted| leaked.contains(&(adopted.pid, &*adopted.start_time));
        let (servers, others): (Vec<&Adopted>, Vec<&Adopted>) =
            pane.adopted.iter().partition(|adopted| is_leaked(adopted));
        if servers.is_empty() {
            let names = pane.running.iter().map(String::as_str).collect();
            return Rest { names, shells: pane.shells.iter().collect(), leaked: 0 };
        }
        let names = pane.below.iter().chain(others.iter().flat_map(|other| &other.names));
        let is_other = |shell: &&Shell| servers.iter().all(|server| server.pid != shell.pid);
        Rest {
            names: names.map(String::as_str).collect(),
            shells: pane.shells.iter().filter(is_other).collect(),
            leaked: servers.len(),
        }
    }
}

/// Judges a session for the user `uid`. `leaked`: the servers that have leaked.
pub fn session_verdict(
    session: &Session,
    evidence: SessionEvidence,
    leaked: &LeakedServers<'_>,
    uid: u32,
    options: &Options,
) -> SessionVerdict {
    if session.uid != uid {
        return SessionVerdict::Foreign;
    }
    if evidence.has_claude || !is_agent_session(session, &options.prefix) {
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
    let rests: Vec<(&Pane, Rest<'_>)> =
        session.panes.iter().map(|pane| (pane, Rest::of(pane, leaked))).collect();
    let is_inert = |name: &str| INERT.contains(&name) || is_shell(name);
    let names = |inert: bool| {
        rests
            .iter()
            .flat_map(|(_, rest)| &rest.names)
            .filter(move |name| is_inert(name) == inert)
            .unique()
            .join(", ")
    };
    let (running, inert) = (names(false), names(true));
    let work = match running.is_empty() {
        true => rests.iter().find_map(|(pane, rest)| shell_at_work(pane, rest)),
        false => Some(format!("it runs {running}")),
    };
    let left = if inert.is_empty() { "nothing" } else { &inert };
    let servers = match rests.iter().map(|(_, rest)| rest.leaked).sum() {
        0 => String::new(),
        count => format!(" and {}", counted(count, "leaked server", "leaked servers")),
    };
    let what = match work {
        None => format!("no Claude in it; {left}{servers} left, nobody attached"),
        Some(work) if options.busy => {
            format!("no Claude in it (--busy; {work}), nobody attached")
        }
        Some(work) => return SessionVerdict::Busy(format!("no Claude in it, but {work}")),
    };
    if evidence.is_named
        || options.unregistered
        || evidence.seen_at.duration_since(session.activity) >= IDLE
    {
        return SessionVerdict::Zombie(what);
    }
    let (active, until) = (session.activity, session.activity + IDLE);
    SessionVerdict::Recent(format!(
        "{what}; but no entry names it and it was active at {active}: a zombie from {until} on, \
         or with --unregistered"
    ))
}

/// Why a shell of a pane may go on with something by itself; `None` if none may.
fn shell_at_work(pane: &Pane, rest: &Rest<'_>) -> Option<String> {
    if rest.shells.is_empty() && rest.names.iter().any(|name| is_shell(name)) {
        return Some(format!("what the shell in {} does is unknown", pane.id));
    }
    rest.shells.iter().find_map(|Shell { pid, name, state, children }| match state {
        None => Some(format!("what its {name} (process {pid}) does could not be found out")),
        Some(ShellState::Work) => {
            Some(format!("its {name} (process {pid}) is at work: it is not at its prompt"))
        }
        Some(ShellState::Waits) => None,
        Some(ShellState::Prompt) => {
            let child = children.iter().find(|child| !COPIERS.contains(&child.as_str()))?;
            Some(format!("its {name} (process {pid}) has started {child}"))
        }
    })
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
    let namers = namers(context);
    for (session, end) in sessions {
        let record = &session.record;
        let key = (record.server_pid, record.id.as_str());
        let namer = namers.get(&key).copied();
        let evidence = SessionEvidence {
            has_claude: with_claude.contains(&key),
            is_named: namer.is_some(),
            seen_at: context.seen_at(end, Of::Processes),
        };
        let (leaked, uid) = (&context.leaked_servers, context.state.uid);
        let verdict = session_verdict(record, evidence, leaked, uid, context.options);
        let (kind, reason) = match verdict {
            SessionVerdict::Foreign => continue,
            SessionVerdict::Live => {
                context.summary.judged += 1;
                continue;
            }
            SessionVerdict::Busy(reason) => (Kind::BusySession, reason),
            SessionVerdict::Recent(reason) => (Kind::RecentSession, reason),
            SessionVerdict::Zombie(reason) => (Kind::ZombieSession, reason),
        };
        let (kind, reason) = match &session.kept_by {
            Some(reason) if kind != Kind::BusySession => (Kind::BusySession, reason.to_string()),
            _ => (kind, reason),
        };
        if kind == Kind::ZombieSession {
            let target = format!("session {}", record.name);
            if context.too_young(&target, record.created, end, Of::Processes) {
                continue;
            }
            context.zombies.insert(key);
        }
        let agent = namer.filter(|_| kind == Kind::ZombieSession).map(Sourced::raw);
        report(context, kind, session, reason, agent);
        context.summary.judged += 1;
    }
}

/// The entry that names each session, by server and id: of several, the first by registry and
/// id. Only entries of registries of the same user count: otherwise another user could have a
/// session ended.
fn namers<'c, 'a>(
    context: &RuleContext<'c, 'a>,
) -> HashMap<(i32, &'c str), &'c Sourced<'a, Agent<'a>>> {
    let files = context.files();
    let uid = context.state.uid;
    let is_own =
        |agent: &Agent<'_>| files.get(&*agent.registry).is_some_and(|file| file.owner_uid == uid);
    let mut namers: HashMap<(i32, &str), &Sourced<'_, Agent<'_>>> = HashMap::default();
    for (agent, _, sessions) in context.agents().filter(|(agent, ..)| is_own(&agent.record)) {
        for session in sessions.iter().flatten() {
            let namer = namers.entry((session.server_pid, &session.id)).or_insert(agent);
            if rank(&agent.record) < rank(&namer.record) {
                *namer = agent;
            }
        }
    }
    namers
}

fn rank<'r>(agent: &'r Agent<'_>) -> (&'r str, &'r str) {
    (&agent.registry, &agent.id)
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
        let reason = "no registry entry names it".to_owned();
        report(context, Kind::OrphanSession, session, reason, None);
    }
}

fn report<'c>(
    context: &mut RuleContext<'c, '_>,
    kind: Kind,
    session: &'c Sourced<'_, Session>,
    reason: String,
    agent: Option<&'c RawValue>,
) {
    let builder = FindingBuilder::new(kind, format!("session {}", session.record.name), reason);
    context.report(FindingBuilder { session: Some(session.raw()), agent, ..builder });
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
        let verdict = |has_claude, uid| {
            let seen_at = session.activity;
            let evidence = SessionEvidence { has_claude, is_named: true, seen_at };
            session_verdict(&session, evidence, &LeakedServers::default(), uid, &Options::default())
        };
        assert!(matches!(verdict(false, 1000), SessionVerdict::Zombie(_)));
        for has_claude in [false, true] {
            assert_eq!(verdict(has_claude, 1001), SessionVerdict::Foreign);
        }
    }
}
