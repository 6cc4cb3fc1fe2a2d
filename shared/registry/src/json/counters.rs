//! The counters that a registry stores, and what its entries amount to.

use model::record::{Scope, is_active};

/// Counters of a global registry: all entries, and the active ones.
const GLOBAL: [&str; 2] = ["total_agents_spawned", "active_agents"];
/// Counters of a task registry: all entries, the active ones, the completed ones.
const TASK: [&str; 3] = ["total_spawned", "active_count", "completed_count"];

/// The names of the counters in a registry of this scope, in the order of `Tally::values`.
pub fn counter_names(scope: Scope) -> &'static [&'static str] {
    match scope {
        Scope::Global => &GLOBAL,
        Scope::Task => &TASK,
        // A database stores none.
        Scope::State => &[],
    }
}

/// What the entries of a registry amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    entries: i64,
    active: i64,
    completed: i64,
}

impl Tally {
    /// Counts one more entry, by its status. Whether it is active.
    pub fn add(&mut self, scope: Scope, status: Option<&str>) -> bool {
        let active = is_active(scope, status);
        self.count(active, status == Some("completed"));
        active
    }

    /// Counts one more entry, by what its status means.
    pub fn count(&mut self, is_active: bool, is_completed: bool) {
        self.entries += 1;
        self.active += i64::from(is_active);
        self.completed += i64::from(is_completed);
    }

    /// Number of entries.
    pub fn entries(&self) -> i64 {
        self.entries
    }

    /// The values of the counters named by [`counter_names`].
    pub fn values(&self, scope: Scope) -> impl Iterator<Item = (&'static str, i64)> + use<> {
        let values = [self.entries, self.active, self.completed];
        counter_names(scope).iter().copied().zip(values)
    }
}
