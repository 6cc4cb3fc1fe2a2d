//! Where each entry is and how it counts; nothing more, because a registry may hold hundreds of
//! thousands.

use std::borrow::Cow;
use std::ops::Range;

use foldhash::HashSet;
use model::record::{CounterChange, CounterEdit, Scope, Text, is_active};

use super::change::{Change, apply};
use super::counters::{Tally, counter_names};
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

/// What undoing such changes needs. `before`: what the entries amounted to before.
pub(super) fn counter_edit<'t>(
    text: &'t str,
    layout: &Layout,
    before: Tally,
    changes: &[Change<'static>],
) -> CounterEdit<'t> {
    let computed = before.values(layout.scope).map(|(_, value)| value).collect();
    let mut edit = CounterEdit { computed, ..CounterEdit::default() };
    for (span, replacement) in changes {
        let after = Text::from(replacement.clone().into_owned());
        let mut named = counter_names(layout.scope).iter().zip(&layout.counters);
        match named.find(|(_, of)| of.as_ref() == Some(span)) {
            Some((name, _)) => {
                let before = text[span.clone()].into();
                edit.changed.push(CounterChange { name: (*name).into(), before, after });
            }
            None => edit.added = Some(after),
        }
    }
    edit
}

/// A text in which the counters are as they were before an edit; `None` if anybody has changed
/// them since.
pub(super) fn without_edit(text: &str, edit: &CounterEdit<'_>) -> Option<String> {
    let layout = Layout::of(text).ok()?;
    let mut changes = Vec::new();
    for CounterChange { name, before, after } in &edit.changed {
        let span = layout.members.last_named(name)?;
        (text[span.clone()] == **after).then_some(())?;
        changes.push((span, before.0.clone()));
    }
    if let Some(added) = &edit.added {
        let end = layout.members.end();
        let start = end.checked_sub(added.len())?;
        (text.get(start..end)? == &**added).then_some(())?;
        changes.push((start..end, "".into()));
    }
    Some(apply(text, changes))
}
