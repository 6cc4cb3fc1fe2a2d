//! What a finding rests on.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::end::{Names, Servers};
use super::holder::How;
use super::present::present;
use super::proc_source::ProcSource;

/// What a finding rests on: enough to scan again in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The uid for which it was found; `agentprune` acts for no other.
    pub uid: u32,
    /// The instant of the earliest scan it rests on.
    pub taken_at: Timestamp,
    /// Which tmux servers were asked; `null` without a scan of sessions.
    #[serde(deserialize_with = "present")]
    pub servers: Option<Servers>,
    /// Their sockets.
    pub sockets: Vec<String>,
    /// The processes of these servers.
    pub server_pids: Vec<i32>,
    /// Which names counted as Claude; `null` without a scan of processes.
    #[serde(deserialize_with = "present")]
    pub names: Option<Names>,
    /// Where the process table was read; `null` without a scan of sessions or processes.
    #[serde(deserialize_with = "present")]
    pub proc_source: Option<ProcSource>,
    /// How the names of agent sessions start.
    pub prefix: String,
    /// Seconds: entries younger than this were not judged.
    pub entry_age_seconds: u64,
    /// Whether `--outside-tmux` was given.
    pub outside_tmux: bool,
    /// What `--despite` named.
    pub despite: BTreeSet<How>,
    /// Whether `--busy` was given.
    pub busy: bool,
    /// Whether `--unregistered` was given.
    pub unregistered: bool,
    /// Whether `--ignore-unasked` was given.
    pub ignore_unasked: bool,
}
