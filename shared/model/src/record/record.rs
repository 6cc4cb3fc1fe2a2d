//! Any record, as it is written.

use serde::Serialize;

use super::action::Action;
use super::agent::Agent;
use super::end::End;
use super::finding::Finding;
use super::process::Process;
use super::registry::Registry;
use super::session::Session;

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
