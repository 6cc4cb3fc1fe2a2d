//! Counts and notes besides the findings.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{Kind, Subject};

/// Counts and notes besides the findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of findings of each kind.
    pub counts: BTreeMap<Kind, u64>,
    /// Number of findings with an action.
    pub actionable: u64,
    /// Number of agents, agent sessions and processes of this user that were judged.
    pub judged: u64,
    /// Number of records about which nothing was concluded. What belongs to other users is not
    /// counted, but for the entries and counters of their registries.
    pub unjudged: BTreeMap<Subject, u64>,
    /// Number of processes, sessions and entries that would be findings if they were older.
    /// They are among the unjudged.
    pub too_young: u64,
    /// What could not be concluded and why, a sentence each.
    pub notes: BTreeSet<String>,
}

impl Summary {
    /// Adds the counts of another state; its notes are left.
    pub fn add(&mut self, other: Summary) {
        self.actionable += other.actionable;
        self.judged += other.judged;
        self.too_young += other.too_young;
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        for (subject, count) in other.unjudged {
            *self.unjudged.entry(subject).or_default() += count;
        }
    }

    /// Whether there were agents, sessions or processes to judge, and none could be judged. What
    /// is too young will be judged later.
    pub fn is_blind(&self) -> bool {
        let of = |subject| self.unjudged.get(&subject).copied().unwrap_or_default();
        let unjudged = of(Subject::Agents) + of(Subject::Sessions) + of(Subject::Processes);
        self.judged == 0 && unjudged > self.too_young
    }
}
