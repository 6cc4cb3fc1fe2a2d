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
    /// The kind of its registry.
    pub scope: Scope,
    /// Absolute path of that registry.
    pub registry: Text<'a>,
}
