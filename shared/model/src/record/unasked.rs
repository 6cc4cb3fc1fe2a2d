//! tmux servers that live and were not asked.

use serde::{Deserialize, Serialize};

use super::present::present;

/// Why a living tmux server was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyUnasked {
    /// It runs as another user. A run asks the servers of one user only.
    OtherUser,
    /// It runs in another pid namespace, as in a container: its pids mean nothing here.
    OtherNamespace,
}

/// A living tmux server that a scan saw in the process table and did not ask, because it
/// belongs to another user or another pid namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnaskedServer {
    /// Its process, as numbered in the pid namespace of the scan.
    pub pid: i32,
    /// Its effective uid; `null` where it could not be read.
    #[serde(deserialize_with = "present")]
    pub uid: Option<u32>,
    /// Its effective and supplementary group ids; `null` where they could not be read.
    #[serde(deserialize_with = "present")]
    pub groups: Option<Vec<u32>>,
    /// Why it was not asked.
    pub why: WhyUnasked,
    /// What it has mounted; `null` where that could not be read.
    #[serde(deserialize_with = "present")]
    pub mounts: Option<Mounts>,
}

/// What a process has mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Mounts {
    /// `"same"`: it shares the mount namespace of the scan.
    Same(SameNamespace),
    /// Its mounts, from `/proc/PID/mountinfo`.
    Listed(Vec<Mount>),
}

/// The word `same`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameNamespace {
    /// `"same"`
    Same,
}

/// One mount: a file below `root` of this file system is visible to the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The device of the file system, `major:minor`.
    pub device: String,
    /// The directory of that file system that is mounted, `/` for all of it.
    pub root: String,
    /// Whether it maps users to others (`mount_setattr(2)`, `MOUNT_ATTR_IDMAP`): then a
    /// process may write what its uid seems to forbid.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idmapped: bool,
}
