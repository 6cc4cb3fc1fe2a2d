//! Which session belongs to which agent.

use std::borrow::Cow;

use foldhash::HashMap;

use crate::parse::tmux::{AGENT_PREFIX, name_key, wanted_key};
use crate::record::Session;

/// Finds the sessions of an agent: by name, as tmux writes it, or by what they were started
/// for, so that an agent in a renamed session is not a ghost.
#[derive(Debug)]
pub struct AgentSessions<'s> {
    by_name: HashMap<Vec<u8>, Vec<&'s Session>>,
    by_agent: HashMap<&'s str, Vec<&'s Session>>,
    count: usize,
}

/// The name in the entry is empty, or tmux expands it, so the name of its session is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameLost;

/// The sessions of an agent, if they can be known.
pub type Sessions<'s> = Result<Vec<&'s Session>, NameLost>;

impl<'s> AgentSessions<'s> {
    /// Of the sessions that were seen.
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

    /// The sessions of an entry. Without a `tmux_session` it is the one with the name that
    /// the orchestrator gives.
    ///
    /// # Errors
    /// [`NameLost`] when none was found and none can be found by name.
    pub fn of(&self, id: &str, tmux_session: Option<&str>) -> Sessions<'s> {
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

/// The session name that the orchestrator asks tmux for.
pub(super) fn wanted_name<'n>(id: &str, tmux_session: Option<&'n str>) -> Cow<'n, str> {
    tmux_session.map_or_else(|| format!("{AGENT_PREFIX}{id}").into(), Cow::Borrowed)
}
