//! Registry entries: with a session, or ghosts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};

use super::{Court, Draft, SessionVerdict, by_reason, counted, owners};
use crate::finding::{Kind, Remedy};
use crate::record::{Agent, Of, Scope, Session};
use crate::registry::is_active;
use crate::tmux_text::{AGENT_PREFIX, name_key, wanted_key};

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

    /// The sessions of an agent.
    ///
    /// # Errors
    /// As for [`AgentSessions::of`].
    pub fn of_agent(&self, agent: &Agent<'_>) -> Result<Vec<&'s Session>, NameLost> {
        self.of(&agent.id, agent.tmux_session.as_deref())
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

pub(super) fn ghost(court: &mut Court<'_, '_>) {
    let scene = court.scene;
    let owners = owners(scene);
    let zombies = match scene.gap(Of::Processes) {
        None => zombies(court),
        Some(_) => HashSet::default(),
    };
    let servers = scene.server_pids().len();
    let seen = counted(court.agent_sessions.count(), "session", "sessions");
    let mut gap_of_look: HashMap<(&str, &str), Option<String>> = HashMap::default();
    let mut gaps = Vec::new();
    let mut judged: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (agent, end) in scene.agents.iter().filter(|(agent, _)| can_be_ghost(&agent.record)) {
        let Agent { id, registry, .. } = &agent.record;
        judged.entry(registry).or_default().push((&**id, agent, end));
    }
    // An id stands once in a registry.
    judged.values_mut().for_each(|agents| agents.sort_unstable_by_key(|(id, ..)| *id));
    let each = judged.iter().flat_map(|(registry, agents)| {
        agents.iter().map(move |(id, agent, end)| (*registry, agents.len(), *id, *agent, *end))
    });
    for (registry, entries, id, agent, end) in each {
        let sessions = court.agent_sessions.of_agent(&agent.record).unwrap_or_default();
        if sessions.iter().any(|s| !zombies.contains(&(s.server_pid, s.id.as_str()))) {
            continue;
        }
        // A zombie found by the agent's id need not be the session that the name means.
        let wanted = agent.record.tmux_session.as_deref();
        if wanted_key(wanted.unwrap_or(id)).is_none() {
            gaps.push("tmux expands their session names, so nobody can tell them".to_owned());
            continue;
        }
        let gap = gap_of_look.entry((registry, &end.look)).or_insert_with(|| {
            match owners.get(registry) {
                Some(uid) => scene.session_gap(*uid, Some(end.taken_at)),
                None => Some(format!("there is no record of registry {registry}")),
            }
        });
        if let Some(gap) = gap {
            gaps.push(gap.clone());
            continue;
        }
        let reason = match sessions.first() {
            Some(session) => format!("session is a zombie: {}", session.name),
            None if servers == 0 => no_server(owners.get(registry), entries),
            None => format!("no tmux session {} among {seen}", wanted_name(id, wanted)),
        };
        let remedy = match agent.record.scope {
            Scope::Global => Remedy::RemoveEntry,
            Scope::Task => Remedy::TerminateEntry,
        };
        let draft = Draft::new(Kind::GhostAgent, Some(remedy), format!("agent {id}"), reason);
        court.report(Draft { agent: Some(agent.raw()), ..draft });
    }
    for (gap, count) in by_reason(gaps) {
        court.withhold(&counted(count, "agent", "agents"), &gap);
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
fn zombies<'c>(court: &Court<'c, '_>) -> HashSet<(i32, &'c str)> {
    court
        .scene
        .sessions
        .iter()
        .filter(|(session, end)| {
            matches!(court.session_verdict(&session.record), SessionVerdict::Zombie(_))
                && !court.is_young(session.record.created, end, Of::Processes)
        })
        .map(|(session, _)| (session.record.server_pid, session.record.id.as_str()))
        .collect()
}
