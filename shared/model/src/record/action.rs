//! What `agentprune` did about a finding.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::action_kind::ActionKind;
use super::removed_entry::RemovedEntry;

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It would be done; in the log: it is about to be done.
    Planned,
    /// Done and confirmed.
    Done,
    /// It was gone already.
    Gone,
    /// It is no longer what was found: left alone.
    Skipped,
    /// It could not be done.
    Failed,
    /// It must not be done from here.
    Refused,
}

/// What became of one finding.
#[derive(Debug, Serialize)]
pub struct Action<'a> {
    /// What was to be done.
    pub action: ActionKind,
    /// About what, as in the finding.
    pub target: &'a str,
    /// How it ended.
    pub result: Outcome,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
    /// For a registry entry that was removed or marked: what `--undo` needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<&'a RemovedEntry<'a>>,
    /// The finding, as it was read.
    pub finding: &'a RawValue,
}
