//! Registry entries: with a session, or ghosts.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};
use jiff::{SignedDuration, Timestamp};

use super::agent_sessions::{Sessions, wanted_name};
use super::context::{FindingBuilder, RuleContext};
use super::count::{by_reason, counted};
use crate::parse::tmux::wanted_key;
use crate::record::{ActionKind, Agent, Kind, Scope, Session, Subject, is_active};
use crate::stream::Sourced;

/// What an entry says that its judgement rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'e> {
    /// The id of the entry.
    pub id: &'e str,
    /// The kind of its registry.
    pub scope: Scope,
    /// Whether its status is active.
    pub is_active: bool,
    /// The session that the orchestrator asked tmux for.
    pub tmux_session: Option<&'e str>,
    /// The latest time that it says of itself; `None`: it says none.
    pub latest: Option<Timestamp>,
}

/// When an entry was read, and how old it must have been then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryAge {
    /// When it was read.
    pub read_at: Timestamp,
    /// Younger entries are not judged: orchestrators write the entry before the session.
    pub least: SignedDuration,
}

/// What an entry is, given the sessions.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentVerdict<'s> {
    /// It is over, or has no id, and stays in its registry.
    Over,
    /// It has this session, which is not a zombie.
    Live(&'s Session),
    /// The name of its session is unknown.
    NameLost,
    /// It has no session, or only this zombie, but was written only this long ago.
    Young(SignedDuration),
    /// The same, but it was written this long after it was read, by its own times.
    InFuture(SignedDuration),
    /// It has no session, or only this zombie.
    Ghost(Option<&'s Session>),
}

/// Judges an entry. `sessions`: its own, as [`AgentSessions::of`] finds them; `zombies`:
/// those that are about to be ended, by server and id.
///
/// [`AgentSessions::of`]: super::AgentSessions::of
pub fn agent_verdict<'s>(
    entry: &Entry<'_>,
    sessions: &Sessions<'s>,
    zombies: &HashSet<(i32, &str)>,
    age: EntryAge,
) -> AgentVerdict<'s> {
    // Only a global registry is rid of entries that are over: elsewhere they are its records.
    if entry.id.is_empty() || entry.scope != Scope::Global && !entry.is_active {
        return AgentVerdict::Over;
    }
    let sessions = sessions.as_deref().unwrap_or_default();
    let is_zombie = |session: &&&Session| zombies.contains(&(session.server_pid, &*session.id));
    if let Some(session) = sessions.iter().find(|session| !is_zombie(session)) {
        return AgentVerdict::Live(session);
    }
    // A zombie found by the agent's id need not be the session that the name means.
    if wanted_key(&wanted_name(entry.id, entry.tmux_session)).is_none() {
        return AgentVerdict::NameLost;
    }
    // An entry without a time is old: the orchestrator always writes one.
    let Some(latest) = entry.latest else { return AgentVerdict::Ghost(sessions.first().copied()) };
    let old = age.read_at.duration_since(latest);
    if old >= age.least {
        AgentVerdict::Ghost(sessions.first().copied())
    } else if old > -age.least {
        // It may also have been written while it was read.
        AgentVerdict::Young(old)
    } else {
        AgentVerdict::InFuture(-old)
    }
}

pub(super) fn judge(context: &mut RuleContext<'_, '_>) {
    let state = context.state;
    let files = context.files();
    let servers = state.server_pids().len();
    let seen = counted(context.agent_sessions.count(), "session", "sessions");
    let mut gap_of_scan: HashMap<(&str, &str), Option<String>> = HashMap::default();
    let (mut gaps, mut young_entries, mut live) = (Vec::new(), Vec::new(), 0);
    // In each registry, how many entries were judged, and the ghosts.
    let mut judged: BTreeMap<&str, (usize, Vec<Ghost<'_, '_>>)> = BTreeMap::new();
    for (agent, end, sessions) in context.agents() {
        let Agent { id, registry, scope, .. } = &agent.record;
        let entry = Entry {
            id,
            scope: *scope,
            is_active: is_active(*scope, agent.record.status.as_deref()),
            tmux_session: agent.record.session_name(),
            latest: agent.record.started.max(agent.record.updated),
        };
        let age = EntryAge { read_at: end.taken_at, least: context.options.entry_age };
        let verdict = agent_verdict(&entry, sessions, &context.zombies, age);
        if verdict == AgentVerdict::Over {
            continue;
        }
        let (entries, ghosts) = judged.entry(registry).or_default();
        *entries += 1;
        let mut young = None;
        let zombie = match verdict {
            AgentVerdict::Over => continue,
            AgentVerdict::Live(_) => {
                live += 1;
                continue;
            }
            AgentVerdict::Young(age) => {
                young = Some(age);
                None
            }
            AgentVerdict::InFuture(_) => {
                let why = "by their own times they were written after they were read; \
                           see the clock and TZ";
                gaps.push(why.to_owned());
                continue;
            }
            AgentVerdict::NameLost => {
                let why = match entry.tmux_session {
                    Some("") => "the registry does not know the names of their sessions",
                    _ => "tmux expands the # in their session names, so the real names are unknown",
                };
                gaps.push(why.to_owned());
                continue;
            }
            AgentVerdict::Ghost(zombie) => zombie,
        };
        let gap = gap_of_scan.entry((registry, &end.scan)).or_insert_with(|| {
            let Some(file) = files.get(&**registry) else {
                return Some(format!("there is no record of registry {registry}"));
            };
            let unasked = || match context.options.ignore_unasked {
                true => None,
                false => state.unasked_gap(file),
            };
            let owner = state.owner_gap(file.owner_uid);
            owner.or_else(|| state.session_gap(Some(end.taken_at))).or_else(unasked)
        });
        match (gap, young) {
            (Some(gap), _) => gaps.push(gap.clone()),
            (None, Some(age)) => young_entries.push((id, age)),
            (None, None) => ghosts.push(Ghost::new(agent, zombie)),
        }
    }
    context.summary.judged += live;
    young_entries.into_iter().for_each(|(id, age)| context.entry_too_young(id, age));
    for (entries, mut ghosts) in judged.into_values() {
        context.summary.judged += ghosts.len() as u64;
        ghosts.sort_unstable_by_key(|ghost| ghost.order());
        for Ghost { id, agent, zombie, .. } in ghosts {
            if let Some(reason) = &agent.kept_by {
                let target = format!("agent {id}");
                let builder = FindingBuilder::new(Kind::KeptAgent, target, reason.to_string());
                context.report(FindingBuilder { agent: Some(agent.raw()), ..builder });
                continue;
            }
            let wanted = agent.record.session_name();
            let reason = match zombie {
                Some(session) => format!("session is a zombie: {}", session.name),
                None if servers == 0 => no_server(state.uid, entries),
                None => format!("no tmux session {} among {seen}", wanted_name(id, wanted)),
            };
            let action = match agent.record.scope {
                Scope::Global => ActionKind::RemoveEntry,
                Scope::Task | Scope::State => ActionKind::TerminateEntry,
            };
            let builder = FindingBuilder::new(Kind::GhostAgent, format!("agent {id}"), reason);
            let (action, agent) = (Some(action), Some(agent.raw()));
            context.report(FindingBuilder { action, agent, ..builder });
        }
    }
    for (gap, count) in by_reason(gaps) {
        let what = counted(count, "agent", "agents");
        context.withhold(Subject::Agents, count, &what, &gap);
    }
}

/// An entry without a session, or with only a zombie.
struct Ghost<'c, 'a> {
    /// The first bytes of the id. They decide most comparisons, so that sorting a million
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

    /// The order of the ids, which are unique in a registry.
    fn order(&self) -> ([u8; 16], &'c str) {
        (self.head, self.id)
    }
}

fn no_server(uid: u32, entries: usize) -> String {
    let entries = match entries {
        1 => "the only entry is a ghost".to_owned(),
        n => format!("all {n} entries are ghosts"),
    };
    format!("no tmux server for uid {uid}: {entries}")
}
