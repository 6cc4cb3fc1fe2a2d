//! What `agentdiff` finds.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::action::ActionKind;
use super::text::Text;
use super::{Names, ProcSource, Servers, present};

/// What is wrong. The order is the order of the rules and of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A Claude process in no pane that nothing holds.
    LeakedProcess,
    /// A Claude process in no pane that something holds.
    UntrackedProcess,
    /// An agent session without Claude in which nothing works.
    ZombieSession,
    /// An agent session without Claude in which something works.
    BusySession,
    /// A registry entry without a session.
    GhostAgent,
    /// An agent session that no registry names.
    OrphanSession,
    /// A registry whose counters differ from its entries.
    CountMismatch,
    /// A Claude process that is dead and not reaped.
    DefunctProcess,
    /// An agent whose entries in the global and in its task's registry disagree.
    StatusMismatch,
    /// An active agent of a task that no global registry has.
    MissingInGlobal,
    /// A task registry in which everything is over, for long.
    StaleTask,
}

impl Kind {
    /// The word used in records.
    pub fn word(self) -> &'static str {
        match self {
            Kind::LeakedProcess => "leaked_process",
            Kind::UntrackedProcess => "untracked_process",
            Kind::ZombieSession => "zombie_session",
            Kind::BusySession => "busy_session",
            Kind::GhostAgent => "ghost_agent",
            Kind::OrphanSession => "orphan_session",
            Kind::CountMismatch => "count_mismatch",
            Kind::DefunctProcess => "defunct_process",
            Kind::StatusMismatch => "status_mismatch",
            Kind::MissingInGlobal => "missing_in_global",
            Kind::StaleTask => "stale_task",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a finding rests on: enough to look again in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The instant of the earliest scan it rests on.
    pub taken_at: Timestamp,
    /// Which tmux servers were asked; `null` without a scan of sessions.
    #[serde(deserialize_with = "present")]
    pub servers: Option<Servers>,
    /// Their sockets.
    pub sockets: Vec<String>,
    /// The processes of these servers.
    pub server_pids: Vec<i32>,
    /// Which names counted as Claude; `null` without a scan of processes.
    #[serde(deserialize_with = "present")]
    pub names: Option<Names>,
    /// Where the process table was read; `null` without a scan of sessions or processes.
    #[serde(deserialize_with = "present")]
    pub proc_source: Option<ProcSource>,
    /// Whether agent sessions are those that start with this.
    pub prefix: String,
    /// Whether `--outside-tmux` was given.
    pub outside_tmux: bool,
    /// Whether `--busy` was given.
    pub busy: bool,
}

/// One thing that is wrong, and the records it is about, as they were read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finding<'a> {
    /// What is wrong.
    pub kind: Kind,
    /// What `agentprune` would do about it; `null`: nothing.
    #[serde(deserialize_with = "present")]
    pub action: Option<ActionKind>,
    /// What it is about, for people: `process 4711`, `session agent_x`.
    #[serde(borrow)]
    pub target: Text<'a>,
    /// A sentence that a person can check with `ps` or `tmux ls`.
    pub reason: Text<'a>,
    /// Host name of the machine looked at.
    pub host: Text<'a>,
    /// Identity of its boot.
    pub boot_id: Text<'a>,
    /// Identity of the pid namespace looked at.
    pub pid_ns: Text<'a>,
    /// What it rests on, an [`Evidence`]: as a rule the same text in thousands of findings.
    #[serde(borrow)]
    pub evidence: &'a RawValue,
    /// The registry entry.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<&'a RawValue>,
    /// The session.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub session: Option<&'a RawValue>,
    /// The process.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub process: Option<&'a RawValue>,
    /// The registry.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<&'a RawValue>,
}
