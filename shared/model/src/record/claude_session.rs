//! What the environment of a process says of the Claude that started it, and what a Claude says
//! of itself in its session file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The session that started a process, by its environment. It attributes and proves nothing: a
/// tmux server hands the environment of who started it on to every pane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaudeEnvironment {
    /// `CLAUDE_CODE_SESSION_ID`: of a Claude, the session it was started from.
    pub session: Option<String>,
    /// `CLAUDE_CODE_ENTRYPOINT`, as `cli` or `sdk-cli`.
    pub entrypoint: Option<String>,
    /// `CLAUDE_PROJECT_DIR`.
    pub project: Option<String>,
    /// `CLAUDE_CODE_CHILD_SESSION` is set.
    pub child: bool,
    /// `CLAUDE_PID`: the process of that Claude.
    pub pid: Option<i32>,
    /// The version of that Claude, from `AI_AGENT`.
    pub version: Option<String>,
}

/// What a Claude wrote into `sessions/PID.json` of its config directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFile {
    /// Its session.
    pub id: String,
    /// Its working directory when it started.
    pub cwd: Option<String>,
    /// As `interactive`.
    pub kind: Option<String>,
    /// When it started, by its own clock.
    pub started: Option<Timestamp>,
    /// When it last wrote down what it does.
    pub updated: Option<Timestamp>,
    /// The process that wrote it lives.
    pub live: bool,
}
