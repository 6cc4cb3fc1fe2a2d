//! The orchestrator's registry files, as text: where the entries and counters stand
//! ([`scan()`]), how to take entries out or mark them without touching a byte of the rest
//! ([`edit()`]), and how to put them back ([`restore()`]).
//!
//! Two shapes are in use. In a *global* registry `agents` is an object by id; in the
//! registry of one *task* it is an array of objects with an `id`.

mod corrupt;
mod cursor;
mod edit;
mod journal;
mod lock;
mod members;
mod restore;
mod scan;
mod write;
mod write_state;

pub use corrupt::Corrupt;
pub use edit::{Edit, Edited, Fate, edit, edit_each};
pub use journal::{Recovered, journal_of};
pub use lock::{Lock, RegistryError, Snapshot, read};
pub use restore::{Restored, restore};
pub use scan::{Entry, Fields, Layout, scan};
pub use write::{Kept, SignalsWait, Written};

use std::borrow::Cow;
use std::ops::Range;

use foldhash::HashSet;

use model::record::{Scope, is_active};

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

    /// Counts a whole text. Of several entries with one id in a global registry the last
    /// counts, as in Python.
    fn of(entries: &[Slot<'_>]) -> Tally {
        let mut tally = Tally::default();
        let mut seen = HashSet::default();
        for slot in entries.iter().rev() {
            if slot.scope == Scope::Task || seen.insert(&slot.id) {
                tally.entries += 1;
                tally.active += i64::from(slot.active);
                tally.completed += i64::from(slot.completed);
            }
        }
        tally
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

/// Where an entry stands and what it counts for: little, because a registry may hold
/// hundreds of thousands.
#[derive(Clone, Debug)]
struct Slot<'t> {
    id: Cow<'t, str>,
    span: Range<usize>,
    scope: Scope,
    active: bool,
    completed: bool,
}

impl<'t> Slot<'t> {
    fn all(text: &'t str, layout: &Layout) -> Vec<Slot<'t>> {
        let slot = |entry: Entry<'t>| {
            let status = entry.fields.status.as_deref();
            Slot {
                scope: layout.scope,
                active: is_active(layout.scope, status),
                completed: status == Some("completed"),
                id: entry.id,
                span: entry.span,
            }
        };
        layout.entries(text).map(slot).collect()
    }
}

/// A stretch of a text and what stands there afterwards.
type Change<'c> = (Range<usize>, Cow<'c, str>);

/// Carries out changes, which must not overlap.
fn apply(text: &str, mut changes: Vec<Change<'_>>) -> String {
    changes.sort_by_key(|(span, _)| (span.start, span.end));
    let grown: usize = changes.iter().map(|(_, replacement)| replacement.len()).sum();
    let gone: usize = changes.iter().map(|(span, _)| span.len()).sum();
    let mut result = String::with_capacity(text.len() + grown - gone);
    let mut at = 0;
    for (span, replacement) in changes {
        result += &text[at..span.start];
        result += &replacement;
        at = span.end;
    }
    result += &text[at..];
    result
}

/// The changes that set counters: those that are there and differ. If `add`, those that
/// are not there are added to the end of a global registry, as the guide's snippet does.
fn counter_changes(
    text: &str,
    layout: &Layout,
    values: impl IntoIterator<Item = (&'static str, i64)>,
    add: bool,
) -> Vec<Change<'static>> {
    let mut changes = Vec::new();
    let mut added = Vec::new();
    for ((name, value), span) in values.into_iter().zip(&layout.counters) {
        match span {
            Some(span) if text[span.clone()].parse() == Ok(value) => {}
            Some(span) => changes.push((span.clone(), value.to_string().into())),
            None if add && layout.scope == Scope::Global => added.push((name, value.to_string())),
            None => {}
        }
    }
    changes.extend(layout.members.addition(text, &added));
    changes
}
