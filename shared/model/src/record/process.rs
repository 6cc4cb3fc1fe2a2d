//! Processes that are Claude, and those that Claude has started and left.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::claude_session::{ClaudeEnvironment, SessionFile};
use super::holder::{Holder, How};
use super::present::present;
use super::proc_source::ProcSource;
use super::role::Role;
use super::server::Server;

/// Where the standard output of a process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdout {
    /// A terminal that still exists.
    Tty,
    /// A regular file.
    File,
    /// A pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// `/dev/null`.
    Null,
    /// Anything else: closed, a terminal that is gone, a device.
    Other,
}

/// Whether a process lives in the pid namespace of `lsclaude`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// That of `lsclaude`.
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

/// A process above another that only waits for it: what holds the one holds the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Above {
    /// Its process id.
    pub pid: i32,
    /// Its controlling terminal.
    #[serde(deserialize_with = "present")]
    pub tty: Option<String>,
    /// Where its environment says it was started.
    #[serde(deserialize_with = "present")]
    pub tmux: Option<TmuxOrigin>,
}

/// One process that is Claude, or that a Claude has started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// The scan it belongs to.
    pub scan: String,
    /// What it is to Claude.
    pub role: Role,
    /// Where it was seen. It decides what a `null` below means, and by which rule the
    /// process is judged.
    pub source: ProcSource,
    /// Process id.
    pub pid: i32,
    /// Parent process id.
    pub ppid: i32,
    /// The kernel's short name of the parent; `null` where it no longer exists.
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
    /// It is the process of `lsclaude` or an ancestor of it.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Claude's own background service.
    pub daemon: bool,
    /// Living children that are Claude too.
    pub claude_children: u32,
    /// Where its environment says it was started; `null` also when that server has ended.
    #[serde(deserialize_with = "present")]
    pub tmux: Option<TmuxOrigin>,
    /// The service unit it runs in.
    #[serde(deserialize_with = "present")]
    pub service: Option<String>,
    /// Its pid namespace; `null` where it could not be read.
    #[serde(deserialize_with = "present")]
    pub namespace: Option<Namespace>,
    /// Its standard output; `null` where it could not be read.
    #[serde(deserialize_with = "present")]
    pub stdout: Option<Stdout>,
    /// What holds it, or one up its line that waits for it.
    pub holders: Vec<Holder>,
    /// Ways of which it could not be found out whether they hold it.
    pub unread: Vec<How>,
    /// Everything that may hold it was asked for. Of a process that a living parent holds, it
    /// is not.
    pub examined: bool,
    /// The processes above it that only wait for it, the nearest first.
    pub above: Vec<Above>,
    /// Its working directory; `null` where it could not be read.
    pub cwd: Option<String>,
    /// What its environment says of the Claude that started it; `null` where it could not be
    /// read.
    pub claude: Option<ClaudeEnvironment>,
    /// The session file of the Claude that it is or that has started it; `null` where there is
    /// none that is surely that Claude's.
    pub session_file: Option<SessionFile>,
    /// What is known of the server that it is or belongs to.
    #[serde(deserialize_with = "present")]
    pub server: Option<Server>,
}

impl Process {
    /// Whether it is Claude itself.
    pub fn is_claude(&self) -> bool {
        self.role == Role::Claude
    }

    /// Dead, and not yet reaped by its parent.
    pub fn is_defunct(&self) -> bool {
        matches!(self.state.as_str(), "Z" | "X")
    }
}
