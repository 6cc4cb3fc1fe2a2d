//! Registry entries: with a session, or ghosts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};

use super::{FindingBuilder, RuleContext, SessionVerdict, by_reason, counted, owners};
use crate::parse::tmux::{AGENT_PREFIX, name_key, wanted_key};
use crate::record::is_active;
use crate::record::{ActionKind, Kind};
use crate::record::{Agent, Of, Scope, Session};
use crate::stream::Sourced;

/// Which session belongs to which agent: by its name as tmux writes it, or by what it
/// was started for, so that an agent in a renamed session is not a ghost.
#[derive(Debug)]
pub struct AgentSessions<'s> {
    by_name: HashMap<Vec<u8>, Vec<&'s Session>>,
    by_agent: HashMap<&'s str, Vec<&'s Session>>,
    count: usize,
}

/// The name in the entry is one that tmux expands: nobody can tell the session's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameLost;

impl<'s> AgentSessions<'s> {
    /// Collects the sessions that were seen.
    pub fn new(sessions: impl IntoIterator<Item = &'s Session>) -> AgentSessions<'s> {
        let (by_name, by_agent) = (HashMap::default(), HashMap::default());
        let mut known = AgentSessions { by_name, by_agent, count: 0 };
        for session in sessions {
            known.count += 1;
            known.by_name.entry(name_key(&session.name)).or_default().push(session);
            if let Some(agent) = &session.agent {
                known.by_agent.entry(agent).or_default().push(session);
            }
        }
        known
    }

    /// The sessions of an entry. One without `tmux_session` has the name that the
    /// orchestrator gives.
    ///
    /// # Errors
    /// [`NameLost`] when no session was found, and none could be by the name.
    pub fn of(&self, id: &str, tmux_session: Option<&str>) -> Result<Vec<&'s Session>, NameLost> {
        let key = wanted_key(&wanted_name(id, tmux_session));
        let by_name = key.as_ref().and_then(|key| self.by_name.get(key));
        let sessions: Vec<_> =
            by_name.into_iter().chain(self.by_agent.get(id)).flatten().copied().collect();
        if sessions.is_empty() && key.is_none() { Err(NameLost) } else { Ok(sessions) }
    }

    /// How many sessions were seen.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// The name that the orchestrator asks tmux for.
fn wanted_name<'n>(id: &str, tmux_session: Option<&'n str>) -> Cow<'n, str> {
    tmux_session.map_or_else(|| format!("{AGENT_PREFIX}{id}").into(), Cow::Borrowed)
}

pub(super) fn ghost(context: &mut RuleContext<'_, '_>) {
    let state = context.state;
    let owners = owners(state);
    let zombies = match state.gap(Of::Processes) {
        None => zombies(context),
        Some(_) => HashSet::default(),
    };
    let servers = state.server_pids().len();
    let seen = counted(context.agent_sessions.count(), "session", "sessions");
    let mut gap_of_look: HashMap<(&str, &str), Option<String>> = HashMap::default();
    let mut gaps = Vec::new();
    // In each registry, how many entries were judged, and the ghosts.
    let mut judged: BTreeMap<&str, (usize, Vec<Ghost<'_, '_>>)> = BTreeMap::new();
    for (agent, end, sessions) in context.agents() {
        let Agent { id, registry, tmux_session, .. } = &agent.record;
        if !can_be_ghost(&agent.record) {
            continue;
        }
        let (entries, ghosts) = judged.entry(registry).or_default();
        *entries += 1;
        let sessions = sessions.as_deref().unwrap_or_default();
        if sessions.iter().any(|s| !zombies.contains(&(s.server_pid, s.id.as_str()))) {
            continue;
        }
        // A zombie found by the agent's id need not be the session that the name means.
        if wanted_key(tmux_session.as_deref().unwrap_or(id)).is_none() {
            gaps.push("tmux expands their session names, so nobody can tell them".to_owned());
            continue;
        }
        let gap = gap_of_look.entry((registry, &end.scan)).or_insert_with(|| {
            match owners.get(&**registry) {
                Some(uid) => state.session_gap(*uid, Some(end.taken_at)),
                None => Some(format!("there is no record of registry {registry}")),
            }
        });
        match gap {
            Some(gap) => gaps.push(gap.clone()),
            None => ghosts.push(Ghost::new(agent, sessions.first().copied())),
        }
    }
    for (registry, (entries, mut ghosts)) in judged {
        ghosts.sort_unstable_by_key(|ghost| ghost.order());
        for Ghost { id, agent, zombie, .. } in ghosts {
            let wanted = agent.record.tmux_session.as_deref();
            let reason = match zombie {
                Some(session) => format!("session is a zombie: {}", session.name),
                None if servers == 0 => no_server(owners.get(registry), entries),
                None => format!("no tmux session {} among {seen}", wanted_name(id, wanted)),
            };
            let remedy = match agent.record.scope {
                Scope::Global => ActionKind::RemoveEntry,
                Scope::Task | Scope::State => ActionKind::TerminateEntry,
            };
            let target = format!("agent {id}");
            let builder = FindingBuilder::new(Kind::GhostAgent, Some(remedy), target, reason);
            context.report(FindingBuilder { agent: Some(agent.raw()), ..builder });
        }
    }
    for (gap, count) in by_reason(gaps) {
        context.withhold(&counted(count, "agent", "agents"), &gap);
    }
}

/// An entry without a session, or with none but a zombie.
struct Ghost<'c, 'a> {
    /// The first bytes of the id. Most comparisons end with them, so that sorting a million
    /// ghosts does not look up as many ids all over the memory.
    head: [u8; 16],
    id: &'c str,
    agent: &'c Sourced<'a, Agent<'a>>,
    zombie: Option<&'c Session>,
}

impl<'c, 'a> Ghost<'c, 'a> {
    fn new(agent: &'c Sourced<'a, Agent<'a>>, zombie: Option<&'c Session>) -> Ghost<'c, 'a> {
        let id = &*agent.record.id;
        let mut head = [0; 16];
        let length = id.len().min(head.len());
        head[..length].copy_from_slice(&id.as_bytes()[..length]);
        Ghost { head, id, agent, zombie }
    }

    /// An id stands once in a registry, so this is the order of the ids.
    fn order(&self) -> ([u8; 16], &'c str) {
        (self.head, self.id)
    }
}

/// An entry of a task registry that is over stays there as a record of it.
fn can_be_ghost(agent: &Agent<'_>) -> bool {
    let is_open = agent.scope == Scope::Global || is_active(agent.scope, agent.status.as_deref());
    !agent.id.is_empty() && is_open
}

fn no_server(uid: Option<&u32>, entries: usize) -> String {
    let uid = uid.copied().unwrap_or_default();
    let entries = match entries {
        1 => "the only entry is a ghost".to_owned(),
        n => format!("all {n} entries are ghosts"),
    };
    format!("no tmux server for uid {uid}: {entries}")
}

/// The sessions that are findings as zombies: old enough, and with an action.
fn zombies<'c>(context: &RuleContext<'c, '_>) -> HashSet<(i32, &'c str)> {
    context
        .state
        .sessions
        .iter()
        .filter(|(session, end)| {
            matches!(context.session_verdict(&session.record), SessionVerdict::Zombie(_))
                && !context.is_young(session.record.created, end, Of::Processes)
        })
        .map(|(session, _)| (session.record.server_pid, session.record.id.as_str()))
        .collect()
}
