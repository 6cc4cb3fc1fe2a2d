//! Registries and their counters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agent::{Format, Scope};
use super::present::present;

/// A counter of a registry: the stored number and the computed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The number in the file; `null` where there is none.
    pub stored: Option<i64>,
    /// The number the entries amount to.
    pub computed: i64,
}

/// One registry file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    /// The scan it belongs to.
    pub scan: String,
    /// Absolute path, symbolic links resolved.
    pub path: String,
    /// How it is written.
    #[serde(default)]
    pub format: Format,
    /// Its kind.
    pub scope: Scope,
    /// The file, as the kernel sees it.
    #[serde(flatten)]
    pub file: RegistryFile,
    /// Number of entries.
    pub agents: u64,
    /// Its counters by their names in the file.
    pub counters: BTreeMap<String, Counter>,
}

/// What the kernel says of a registry file: who may write it, and on which file system it is.
/// These fields are part of the record of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryFile {
    /// The uid that owns it.
    pub owner_uid: u32,
    /// The gid that owns it.
    pub gid: u32,
    /// Its permission bits, such as 420 for `rw-r--r--`. An access control list shows in
    /// those of the group.
    pub mode: u32,
    /// The device of its file system, `major:minor`; `null` where that is unknown.
    #[serde(deserialize_with = "present")]
    pub device: Option<String>,
    /// Its path on that file system; `null` where that is unknown.
    #[serde(deserialize_with = "present")]
    pub device_path: Option<String>,
}
