//! What `agentprune` did about a finding.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::action_kind::ActionKind;
use super::removed_entry::RemovedEntry;

/// The result of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It would be done; in the log: it is about to be done.
    Planned,
    /// Done and confirmed.
    Done,
    /// There was nothing left to do.
    Gone,
    /// It has changed since it was found, and was left alone.
    Skipped,
    /// An earlier file of findings does not have it, so nothing was done yet.
    Unconfirmed,
    /// It could not be done.
    Failed,
    /// It must not be done from here.
    Refused,
}

/// The result of acting on one finding.
#[derive(Debug, Serialize)]
pub struct Action<'a> {
    /// The action of the finding.
    pub action: ActionKind,
    /// What it is about, as in the finding.
    pub target: &'a str,
    /// How it ended.
    pub result: Outcome,
    /// Why it had this result, for people.
    pub reason: &'a str,
    /// When this record was made.
    pub at: Timestamp,
    /// For a registry entry that was removed or marked: what `--undo` needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<&'a RemovedEntry<'a>>,
    /// The finding, as it was read.
    pub finding: &'a RawValue,
}
