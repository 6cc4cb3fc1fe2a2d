//! What `agentdiff` finds.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::action_kind::ActionKind;
use super::kind::Kind;
use super::present::present;
use super::text::Text;

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
    /// Host name of the machine it was found on.
    pub host: Text<'a>,
    /// Identity of its boot.
    pub boot_id: Text<'a>,
    /// Identity of the pid namespace it was found in.
    pub pid_ns: Text<'a>,
    /// What it rests on, an [`Evidence`](super::Evidence): as a rule the same text in thousands of findings.
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
