//! How to judge.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::holding::Lifted;
use crate::parse::tmux::AGENT_PREFIX;
use crate::record::How;

/// How to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Sessions with names that start like this are agents' sessions.
    pub prefix: String,
    /// Processes and sessions younger than this, by their own scan, are not judged.
    pub min_age: SignedDuration,
    /// Entries younger than this, by their own times, are not judged.
    pub entry_age: SignedDuration,
    /// A Claude in no pane is a leak, even if something holds it.
    pub outside_tmux: bool,
    /// These holders are no reason to keep a Claude.
    pub despite: BTreeSet<How>,
    /// An agent session without Claude is a zombie, even if something works in it.
    pub busy: bool,
    /// An agent session that no entry names is a zombie even if it was just active.
    pub unregistered: bool,
    /// Servers that were not asked have no session of these registries.
    pub ignore_unasked: bool,
    /// Task registries in which everything is over for longer than this are stale; `None`:
    /// none is.
    pub stale_after: Option<SignedDuration>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            prefix: AGENT_PREFIX.to_owned(),
            min_age: SignedDuration::from_secs(2),
            entry_age: SignedDuration::from_mins(1),
            outside_tmux: false,
            despite: BTreeSet::new(),
            busy: false,
            unregistered: false,
            ignore_unasked: false,
            stale_after: None,
        }
    }
}

impl Options {
    /// The holders that are no reason to keep a process.
    pub fn lifted(&self) -> Lifted {
        Lifted { outside_tmux: self.outside_tmux, despite: self.despite.clone() }
    }
}
