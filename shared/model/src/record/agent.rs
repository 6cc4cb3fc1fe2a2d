//! Entries of registries.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::present::present;
use super::text::Text;

/// The kinds of registries.
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

/// One registry entry. All times but `started` and `updated` are as the registry spells them.
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
    /// Whether its registry counts it as active, by its status. Nothing is judged by this:
    /// records of a user's own making have it or not.
    #[serde(default)]
    pub active: bool,
    /// Of an active agent in a database: the size of its progress file in bytes, 0 where
    /// there is none; None where that is no file that can be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_bytes: Option<u64>,
    /// How the registry is written.
    #[serde(default)]
    pub format: Format,
    /// The kind of its registry.
    pub scope: Scope,
    /// Absolute path of that registry.
    pub registry: Text<'a>,
}

impl Agent<'_> {
    /// The name that the registry has for its session. None: the one that the orchestrator
    /// gives by the id. Empty: the registry does not know it, as a database says by NULL, too.
    pub fn session_name(&self) -> Option<&str> {
        let unknown = (self.scope == Scope::State).then_some("");
        self.tmux_session.as_deref().or(unknown)
    }
}
