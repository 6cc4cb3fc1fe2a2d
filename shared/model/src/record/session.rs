//! tmux sessions and their panes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::present::present;

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
    /// When it last had a client's input, or one of its windows had output.
    pub activity: Timestamp,
    /// Clients attached to it or to its group.
    pub attached: u32,
    /// Number of windows.
    pub windows: u32,
    /// The agent it was started for, by its name or by a stream file in a start command.
    #[serde(deserialize_with = "present")]
    pub agent: Option<String>,
    /// Its panes, including those of linked windows.
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
    /// Every name that a process under it goes by, or one on its terminal.
    pub running: Vec<String>,
    /// Every name that a process under it goes by.
    pub below: Vec<String>,
    /// The processes on its terminal that are not under it: their parents are gone.
    pub adopted: Vec<Adopted>,
    /// The shells among these processes.
    pub shells: Vec<Shell>,
}

/// A process on the terminal of a pane that does not descend from the pane's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Its process.
    pub pid: i32,
    /// With the pid it identifies the process, as in the record of that.
    pub start_time: String,
    /// Every name that it goes by.
    pub names: Vec<String>,
}

/// What a shell does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellState {
    /// Its line editor waits for a command on the terminal of the pane.
    Prompt,
    /// It waits for the programs that its `-c` names, and does nothing after them.
    Waits,
    /// Anything else: it may go on with another command by itself.
    Work,
}

/// A shell in a pane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shell {
    /// Its process.
    pub pid: i32,
    /// The name of its program.
    pub name: String,
    /// What it does; `null` where that could not be found out.
    #[serde(deserialize_with = "present")]
    pub state: Option<ShellState>,
    /// Every name that a living child of it goes by.
    pub children: Vec<String>,
}
