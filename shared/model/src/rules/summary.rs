//! Counts and notes besides the findings.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::Kind;

/// Counts and notes besides the findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of findings of each kind.
    pub counts: BTreeMap<Kind, u64>,
    /// Number of findings with an action.
    pub actionable: u64,
    /// Number of processes and sessions that would be findings if they were older.
    pub too_young: u64,
    /// What could not be concluded and why, a sentence each.
    pub notes: BTreeSet<String>,
}
