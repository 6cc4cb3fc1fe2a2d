//! The records that the listers write, one JSON object a line, tagged by `type`.
//!
//! A field that may be `null` must still be there: a record from which somebody
//! cut `tty` must not read as "has no terminal". So every nullable field that a
//! rule scans at is read with [`present`], which refuses a record without it.

mod action;
mod end;
mod finding;
mod status;
mod text;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

pub use action::{
    Action, ActionKind, JsonEntry, JsonPlace, Outcome, RemovedEntry, RowState, SqliteEntry,
};
pub use end::{AllUsers, DefaultRule, End, Machine, Names, Of, Servers, Uids};

pub use finding::{Evidence, Finding, Kind};
pub use status::{is_active, is_over};
pub use text::Text;

/// Reads a nullable field that must be present.
///
/// # Errors
/// What the inner type says, and "missing field" where the field is not there.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

/// What kind of registry an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// `GLOBAL_REGISTRY.json`: `agents` is an object by id.
    Global,
    /// `AGENT_REGISTRY.json` of one task: `agents` is an array.
    Task,
    /// `state.sqlite3` of a workspace: `agents` is a table.
    State,
}

/// How a registry is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A JSON file.
    #[default]
    Json,
    /// A SQLite database.
    Sqlite,
}

/// One registry entry. Times but `started` are as the registry spells them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent<'a> {
    /// The scan it belongs to.
    #[serde(borrow)]
    pub scan: Text<'a>,
    /// The key in a global registry, the `id` in a task registry.
    pub id: Text<'a>,
    /// `agent_type` of the entry.
    pub agent_type: Option<Text<'a>>,
    /// `task_id` of the entry.
    pub task_id: Option<Text<'a>>,
    /// `parent` of the entry.
    pub parent: Option<Text<'a>>,
    /// `status` of the entry; entries written at deployment have none.
    #[serde(deserialize_with = "present")]
    pub status: Option<Text<'a>>,
    /// The session the orchestrator asked tmux for.
    #[serde(deserialize_with = "present")]
    pub tmux_session: Option<Text<'a>>,
    /// `started_at`, verbatim.
    pub started_at: Option<Text<'a>>,
    /// `last_update`, verbatim.
    pub last_update: Option<Text<'a>>,
    /// `completed_at`, verbatim.
    pub completed_at: Option<Text<'a>>,
    /// `started_at` as an instant; a time without an offset is local time.
    pub started: Option<Timestamp>,
    /// The latest of `started_at`, `last_update` and `completed_at` as an instant.
    pub updated: Option<Timestamp>,
    /// Of an active agent in a database: the size of its progress file in bytes, 0 where
    /// there is none; None where that is no file that can be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_bytes: Option<u64>,
    /// How the registry is written.
    #[serde(default)]
    pub format: Format,
    /// The kind of registry it stands in.
    pub scope: Scope,
    /// Absolute path of that registry.
    pub registry: Text<'a>,
}

/// A counter of a registry, as it stands there and as the entries say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The number in the file; `null` where there is none.
    pub stored: Option<i64>,
    /// The number the entries amount to.
    pub computed: i64,
}

/// One registry file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    /// The scan it belongs to.
    pub scan: String,
    /// Absolute path, symbolic links resolved.
    pub path: String,
    /// How it is written.
    #[serde(default)]
    pub format: Format,
    /// Its kind.
    pub scope: Scope,
    /// The uid that owns the file.
    pub owner_uid: u32,
    /// Number of entries.
    pub agents: u64,
    /// Its counters by their names in the file.
    pub counters: std::collections::BTreeMap<String, Counter>,
}

/// One tmux session of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The scan it belongs to.
    pub scan: String,
    /// The name as tmux writes it.
    pub name: String,
    /// tmux's id, `$3`: unique in the life of the server.
    pub id: String,
    /// The uid the server runs as.
    pub uid: u32,
    /// Path of the server's socket.
    pub socket: String,
    /// The server's process.
    pub server_pid: i32,
    /// When the session was made.
    pub created: Timestamp,
    /// When it last had input or output that tmux counts.
    pub activity: Timestamp,
    /// Clients attached to it or to its group.
    pub attached: u32,
    /// Number of windows.
    pub windows: u32,
    /// The agent it was started for, by its name or by a stream file in a start command.
    #[serde(deserialize_with = "present")]
    pub agent: Option<String>,
    /// Its panes, those of linked windows included.
    pub panes: Vec<Pane>,
}

/// One pane of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pane {
    /// tmux's id, `%3`: unique in the life of the server.
    pub id: String,
    /// The process tmux started in it.
    pub pid: i32,
    /// Its terminal, as `pts/7`.
    pub tty: String,
    /// True when that process has ended and the pane was kept.
    pub dead: bool,
    /// The command it was started with, cut at 256 bytes.
    pub start_command: String,
    /// Every name that a process under it goes by.
    pub running: Vec<String>,
}

/// Where the standard output of a process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdout {
    /// A terminal that still exists.
    Tty,
    /// A regular file.
    File,
    /// A pipe or FIFO; [`Process::stdout_reader`] reads it, or nobody does.
    Pipe,
    /// A socket.
    Socket,
    /// `/dev/null`.
    Null,
    /// Anything else: closed, a terminal that is gone, a device.
    Other,
}

/// Whether a process lives in the pid namespace of the one that looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// The same.
    Own,
    /// One below it, such as a container's.
    Foreign,
}

/// The tmux server and pane a process was started from, by `TMUX` and `TMUX_PANE` in its
/// environment; without those, the server among its ancestors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmuxOrigin {
    /// The server's process.
    pub server_pid: i32,
    /// The pane, `%3`; `null` without `TMUX_PANE`.
    #[serde(deserialize_with = "present")]
    pub pane: Option<String>,
}

/// Where the process table was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcSource {
    /// `/proc`, which tells everything that a [`Process`] has.
    Proc,
    /// `ps`, which tells neither executable nor environment, namespace and output.
    Ps,
}

impl ProcSource {
    /// The word used in records and on command lines.
    pub fn word(self) -> &'static str {
        match self {
            ProcSource::Proc => "proc",
            ProcSource::Ps => "ps",
        }
    }
}

/// One process that is Claude.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// The scan it belongs to.
    pub scan: String,
    /// Where it was seen. It decides what a `null` below means, and by which rule the
    /// process is judged.
    pub source: ProcSource,
    /// Process id.
    pub pid: i32,
    /// Parent process id.
    pub ppid: i32,
    /// The kernel's short name of the parent; `null` where it is gone.
    pub parent_name: Option<String>,
    /// Parent, its parent, … up to pid 1.
    pub ancestors: Vec<i32>,
    /// Process group.
    pub pgid: i32,
    /// Session id in the sense of setsid(2); `null` where the kernel did not say.
    pub sid: Option<i32>,
    /// Effective uid.
    pub uid: u32,
    /// Its name, where the user database knows one.
    pub user: Option<String>,
    /// Controlling terminal, as `pts/7`.
    #[serde(deserialize_with = "present")]
    pub tty: Option<String>,
    /// The kernel's short name of it (15 bytes at most).
    pub name: String,
    /// Path of its executable; `null` where it could not be read.
    pub exe: Option<String>,
    /// Its arguments, invalid UTF-8 replaced, cut at 256 bytes in all unless asked in full.
    pub args: Vec<String>,
    /// Opaque; with `boot_id` and `pid` it identifies the process.
    pub start_time: String,
    /// When it started.
    pub started: Timestamp,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Processor time used, in seconds.
    pub cpu_seconds: f64,
    /// One letter as in ps(1): R, S, D, T, Z …
    pub state: String,
    /// Its parent is gone: a reaper or a tmux server has taken it.
    pub orphaned: bool,
    /// It is the process that looked, or an ancestor of it.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Claude's own background service.
    pub daemon: bool,
    /// Living children that are Claude too.
    pub claude_children: u32,
    /// Where its environment says it was started; `null` also when that server has ended.
    #[serde(deserialize_with = "present")]
    pub tmux: Option<TmuxOrigin>,
    /// The service unit that holds it.
    #[serde(deserialize_with = "present")]
    pub service: Option<String>,
    /// Its pid namespace; `null` where it could not be read.
    #[serde(deserialize_with = "present")]
    pub namespace: Option<Namespace>,
    /// Its standard output; `null` where it could not be read, or where it is a
    /// pipe and whoever reads that could not be found out.
    #[serde(deserialize_with = "present")]
    pub stdout: Option<Stdout>,
    /// A process that reads the pipe.
    #[serde(deserialize_with = "present")]
    pub stdout_reader: Option<i32>,
}

impl Process {
    /// Dead, and not yet reaped by its parent.
    pub fn is_defunct(&self) -> bool {
        matches!(self.state.as_str(), "Z" | "X")
    }
}

/// A record as it is written.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record<'r> {
    /// A registry entry.
    Agent(&'r Agent<'r>),
    /// A registry file.
    Registry(&'r Registry),
    /// A tmux session.
    Session(&'r Session),
    /// A Claude process.
    Process(&'r Process),
    /// A finding of `agentdiff`.
    Finding(&'r Finding<'r>),
    /// What `agentprune` did about a finding.
    Action(&'r Action<'r>),
    /// The end of a scan.
    End(&'r End),
}
