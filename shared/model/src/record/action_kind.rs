//! What can be done about a finding.

use serde::{Deserialize, Serialize};

/// What can be done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// End the process.
    KillProcess,
    /// End the session.
    KillSession,
    /// Take the entry out of the global registry.
    RemoveEntry,
    /// Mark the entry of a task registry as terminated.
    TerminateEntry,
    /// Set the registry's counters to what its entries amount to.
    SetCounters,
    /// Put an entry back that was removed or marked.
    RestoreEntry,
}

impl ActionKind {
    /// The word used in records.
    pub fn word(self) -> &'static str {
        match self {
            ActionKind::KillProcess => "kill_process",
            ActionKind::KillSession => "kill_session",
            ActionKind::RemoveEntry => "remove_entry",
            ActionKind::TerminateEntry => "terminate_entry",
            ActionKind::SetCounters => "set_counters",
            ActionKind::RestoreEntry => "restore_entry",
        }
    }
}
