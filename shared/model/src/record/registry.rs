//! Registries: where entries stand, and how many its counters say there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agent::Scope;

/// A counter of a registry, as it stands there and as the entries say.
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
    /// Its kind.
    pub scope: Scope,
    /// The uid that owns the file.
    pub owner_uid: u32,
    /// Number of entries.
    pub agents: u64,
    /// Its counters by their names in the file.
    pub counters: BTreeMap<String, Counter>,
}
