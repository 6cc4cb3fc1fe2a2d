//! The orchestrator's registry files, as text: where the entries and counters stand
//! ([`scan`]) and how to take entries out without touching a byte of the rest ([`edit`]).
//!
//! Two shapes are in use. In a *global* registry `agents` is an object by id; in the
//! registry of one *task* it is an array of objects with an `id`.

mod edit;
mod scan;

pub use edit::{Edit, Removed, edit};
pub use scan::{Corrupt, Entry, Fields, Layout, scan};

use crate::record::Scope;

/// Counters of a global registry: all entries, and the active ones.
const GLOBAL: [&str; 2] = ["total_agents_spawned", "active_agents"];
/// Counters of a task registry: all entries, the active ones, the completed ones.
const TASK: [&str; 3] = ["total_spawned", "active_count", "completed_count"];

/// The names of the counters in a registry of this scope, in the order of [`Tally::values`].
pub fn counter_names(scope: Scope) -> &'static [&'static str] {
    match scope {
        Scope::Global => &GLOBAL,
        Scope::Task => &TASK,
    }
}

/// Whether an entry counts as active. In a global registry everything is that is not
/// completed or terminated, entries without a status too: they were just deployed.
/// A task registry names the active states.
pub fn is_active(scope: Scope, status: Option<&str>) -> bool {
    match scope {
        Scope::Global => !matches!(status, Some("completed" | "terminated")),
        Scope::Task => matches!(status, Some("running" | "working" | "blocked" | "reviewing")),
    }
}

/// What the entries of a registry amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    entries: i64,
    active: i64,
    completed: i64,
}

impl Tally {
    /// Counts one more entry.
    pub fn add(&mut self, scope: Scope, status: Option<&str>) {
        self.entries += 1;
        self.active += i64::from(is_active(scope, status));
        self.completed += i64::from(status == Some("completed"));
    }

    /// Number of entries.
    pub fn entries(&self) -> i64 {
        self.entries
    }

    /// The values of the counters named by [`counter_names`].
    pub fn values(&self, scope: Scope) -> impl Iterator<Item = (&'static str, i64)> {
        let values = [self.entries, self.active, self.completed];
        counter_names(scope).iter().copied().zip(values)
    }
}
