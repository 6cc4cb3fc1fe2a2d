//! Where each entry is and how it counts; nothing more, because a registry may hold hundreds of
//! thousands.

use std::borrow::Cow;
use std::ops::Range;

use foldhash::HashSet;
use model::record::{Scope, is_active};

use super::change::Change;
use super::counters::Tally;
use super::entry::Entry;
use super::layout::Layout;

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Slot<'t> {
    pub id: Cow<'t, str>,
    pub span: Range<usize>,
    pub scope: Scope,
    pub active: bool,
    pub completed: bool,
}

impl<'t> Slot<'t> {
    /// The entries of a text, in its order.
    pub fn all(text: &'t str, layout: &Layout) -> Vec<Slot<'t>> {
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

/// Counts the entries of a whole text. Of several with one id in a global registry the last
/// counts, as in Python.
pub(super) fn tally(slots: &[Slot<'_>]) -> Tally {
    let mut tally = Tally::default();
    let mut seen = HashSet::default();
    for slot in slots.iter().rev() {
        if slot.scope == Scope::Task || seen.insert(&slot.id) {
            tally.count(slot.active, slot.completed);
        }
    }
    tally
}

/// The changes that set counters: those that are there and differ. If `add`, those that
/// are not there are added to the end of a global registry, as the guide's snippet does.
pub(super) fn counter_changes(
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
