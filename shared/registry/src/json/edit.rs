//! The lossless edit: entries leave as spans of the text, counters and marks are written
//! over theirs, and every other byte is the byte that was there.

use std::ops::Range;

use foldhash::{HashMap, HashSet};

use super::change::{Change, apply};
use super::corrupt::Corrupt;
use super::layout::Layout;
use super::members::Members;
use super::slot::{Slot, counter_changes, counter_edit, tally};
use crate::seam::ChangeKind;
use model::record::{JsonEntry, Text};

/// Why a marked entry is over.
const REASON: &str = "session_not_found";

/// A text after an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited<'t> {
    /// The new text.
    pub text: String,
    /// The entries removed or marked, in the order of the text, and by which change.
    pub removed: Vec<(usize, JsonEntry<'t>)>,
}

/// Changes the entries of these ids, and sets the counters to what the entries amount to
/// then. Every entry of an id is changed: an earlier one left behind would come to life.
/// Counters that a task registry lacks stay out of it; a global registry that loses entries
/// gets both, as the guide's own snippet writes them. `now`: the time to mark with, as the
/// registry spells times.
///
/// With nothing to change, the text is the one that came in.
///
/// # Errors
/// [`Corrupt`] when an entry cannot be marked.
pub fn edit<'t>(
    text: &'t str,
    layout: &Layout,
    changes: &[(&str, ChangeKind)],
    now: &str,
) -> Result<Edited<'t>, Corrupt> {
    let by_id: HashMap<&str, usize> =
        changes.iter().enumerate().map(|(at, (id, _))| (*id, at)).collect();
    let mut slots = Slot::all(text, layout);
    let which: Vec<Option<usize>> =
        slots.iter().map(|slot| by_id.get(&*slot.id).copied()).collect();
    let fate = |which: &Option<usize>| which.map(|at| changes[at].1);
    let fates: Vec<Fate> = which.iter().map(fate).collect();
    let places = Places::new(text, layout, &slots);
    let before = tally(&slots);

    let mut edits = removals(layout, &slots, &fates);
    let mut removed = Vec::new();
    for (at, slot) in slots.iter().enumerate() {
        let Some(change) = which[at] else { continue };
        let marked = match fates[at] {
            Some(ChangeKind::Terminate) => Some(marked(text, slot, now)?),
            _ => None,
        };
        edits.extend(marked.clone().map(|marked| (slot.span.clone(), marked.into())));
        removed.push((change, places.entry(at, marked)));
    }
    for (slot, fate) in slots.iter_mut().zip(&fates) {
        if *fate == Some(ChangeKind::Terminate) {
            (slot.active, slot.completed) = (false, false);
        }
    }
    let mut fate = fates.iter();
    slots.retain(|_| fate.next() != Some(&GOES));
    let values = tally(&slots).values(layout.scope);
    let counters = counter_changes(text, layout, values, fates.contains(&GOES));
    if let Some((_, first)) = removed.first_mut() {
        first.counters = Some(Box::new(counter_edit(text, layout, before, &counters)));
    }
    edits.extend(counters);
    // The new text needs the room.
    drop((slots, which, fates));
    Ok(Edited { text: apply(text, edits), removed })
}

/// The change of an entry; `None`: it stays as it is.
type Fate = Option<ChangeKind>;

const GOES: Fate = Some(ChangeKind::Remove);

fn removals(layout: &Layout, slots: &[Slot<'_>], fates: &[Fate]) -> Vec<Change<'static>> {
    let goes = |fate: &Fate| *fate == GOES;
    if fates.iter().all(goes) {
        let inside = layout.agents.start + 1..layout.agents.end - 1;
        return if slots.is_empty() { Vec::new() } else { vec![(inside, "".into())] };
    }
    let mut changes = Vec::new();
    let mut at = 0;
    while at < slots.len() {
        if !goes(&fates[at]) {
            at += 1;
            continue;
        }
        let run = fates[at..].iter().take_while(|fate| goes(fate)).count();
        // A run at the head goes up to the next entry, so that this takes its place;
        // any other goes from the end of the entry before, and takes the comma along.
        let cut = match at.checked_sub(1) {
            None => slots[0].span.start..slots[run].span.start,
            Some(before) => slots[before].span.end..slots[at + run - 1].span.end,
        };
        changes.push((cut, "".into()));
        at += run;
    }
    changes
}

/// Where the entries are in a text.
struct Places<'p, 't> {
    text: &'t str,
    agents: Range<usize>,
    slots: &'p [Slot<'t>],
    /// How many entries with the same id are before an entry, by position, if there are any.
    copies: HashMap<usize, usize>,
}

impl<'p, 't> Places<'p, 't> {
    fn new(text: &'t str, layout: &Layout, slots: &'p [Slot<'t>]) -> Places<'p, 't> {
        let mut seen: HashSet<&str> = HashSet::default();
        seen.reserve(slots.len());
        let again: Vec<usize> =
            (0..slots.len()).filter(|at| !seen.insert(&slots[*at].id)).collect();
        let mut counts: HashMap<&str, usize> = HashMap::default();
        let count = |at: usize| {
            let count = counts.entry(&slots[at].id).or_default();
            *count += 1;
            (at, *count)
        };
        let copies = again.into_iter().map(count).collect();
        Places { text, agents: layout.agents.clone(), slots, copies }
    }

    /// What putting back the entry at this position needs.
    fn entry(&self, at: usize, replaced_by: Option<String>) -> JsonEntry<'t> {
        let Places { text, slots, .. } = *self;
        let span = slots[at].span.clone();
        let before = at.checked_sub(1);
        let gap_start = before.map_or(self.agents.start + 1, |before| slots[before].span.end);
        let gap_end = slots.get(at + 1).map_or(self.agents.end - 1, |next| next.span.start);
        let copy = |at: usize| self.copies.get(&at).copied().unwrap_or(0);
        JsonEntry {
            id: Text(slots[at].id.clone()),
            text: text[span.clone()].into(),
            copy: copy(at),
            after: before.map(|before| Text(slots[before].id.clone())),
            after_copy: before.map_or(0, copy),
            gap_before: text[gap_start..span.start].into(),
            gap_behind: text[span.end..gap_end].into(),
            replaced_by: replaced_by.map(Text::from),
            counters: None,
        }
    }
}

/// The text of an entry with the fields of one that has ended.
fn marked(text: &str, slot: &Slot<'_>, now: &str) -> Result<String, Corrupt> {
    let entry = &text[slot.span.clone()];
    // In an object, the entry begins with its key.
    let value =
        entry.find('{').filter(|_| entry.starts_with('{')).unwrap_or_else(|| value_of(entry));
    let members = Members::read(entry, value)?;
    let quoted = |value: &str| serde_json::Value::from(value).to_string();
    let fields = [
        ("status", quoted("terminated")),
        ("termination_reason", quoted(REASON)),
        ("terminated_at", quoted(now)),
        ("last_update", quoted(now)),
    ];
    let mut changes: Vec<Change<'_>> = Vec::new();
    let mut added = Vec::new();
    for (name, value) in fields {
        match members.last_named(name) {
            Some(span) => changes.push((span, value.into())),
            None => added.push((name, value)),
        }
    }
    changes.extend(members.addition(entry, &added));
    Ok(apply(entry, changes))
}

/// Where the value of a member begins, behind its key.
fn value_of(member: &str) -> usize {
    let mut key = serde_json::Deserializer::from_str(member).into_iter::<serde::de::IgnoredAny>();
    let _ = key.next();
    let behind_key = key.byte_offset();
    behind_key + member[behind_key..].find('{').unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited<'t>(text: &'t str, ids: &[&str], kind: ChangeKind) -> Edited<'t> {
        let changes: Vec<(&str, ChangeKind)> = ids.iter().map(|id| (*id, kind)).collect();
        edit(text, &Layout::of(text).unwrap(), &changes, "NOW").unwrap()
    }

    fn remove(text: &str, ids: &[&str]) -> String {
        edited(text, ids, ChangeKind::Remove).text
    }

    fn mark(text: &str, id: &str) -> String {
        edited(text, &[id], ChangeKind::Terminate).text
    }

    #[test]
    fn every_position_of_a_small_object() {
        let text = "{\"agents\": { \"a\":{} ,\t\"b\" : {\"x\": 1.10},\n\"c\":{}\r\n}}";
        for (ids, agents) in [
            (&["a"][..], "{ \"b\" : {\"x\": 1.10},\n\"c\":{}\r\n}"),
            (&["b"], "{ \"a\":{},\n\"c\":{}\r\n}"),
            (&["c"], "{ \"a\":{} ,\t\"b\" : {\"x\": 1.10}\r\n}"),
            (&["a", "b"], "{ \"c\":{}\r\n}"),
            (&["b", "c"], "{ \"a\":{}\r\n}"),
            (&["a", "c"], "{ \"b\" : {\"x\": 1.10}\r\n}"),
            (&["a", "b", "c"], "{}"),
        ] {
            let result = remove(text, ids);
            assert!(result.starts_with(&format!("{{\"agents\": {agents}")), "{ids:?}: {result}");
        }
    }

    #[test]
    fn nothing_to_do_changes_nothing() {
        let text = "{\"agents\": {\"a\": {}}, \"total_agents_spawned\": 1 , \"active_agents\":1}\n";
        assert_eq!(remove(text, &["z"]), text);
        assert_eq!(mark(text, "z"), text);
        assert_eq!(remove("{\"agents\": {}}", &[]), "{\"agents\": {}}");
    }

    #[test]
    fn counters_are_written_over_theirs() {
        let text = "{\"active_agents\":\"many\",\"agents\":{\"a\":{\"status\":\"completed\"},\"b\":{}},\"total_agents_spawned\": 95 }";
        assert_eq!(
            remove(text, &[]),
            "{\"active_agents\":1,\"agents\":{\"a\":{\"status\":\"completed\"},\"b\":{}},\"total_agents_spawned\": 2 }"
        );
    }

    #[test]
    fn missing_counters_are_added_as_the_snippet_would() {
        let text = "{\n  \"v\": 1,\n  \"agents\": {\n    \"a\": {}\n  }\n}";
        assert_eq!(
            remove(text, &["a"]),
            "{\n  \"v\": 1,\n  \"agents\": {},\n  \"total_agents_spawned\": 0,\n  \"active_agents\": 0\n}"
        );
        let only = "{\n  \"agents\": {\n    \"a\": {}\n  }\n}";
        assert_eq!(
            remove(only, &["a"]),
            "{\n  \"agents\": {},\n  \"total_agents_spawned\": 0,\n  \"active_agents\": 0\n}"
        );
        assert_eq!(remove("{\"agents\": [{\"id\": \"a\"}]}", &["a"]), "{\"agents\": []}");
    }

    #[test]
    fn all_entries_of_an_id_go_and_the_last_one_counts() {
        let text =
            "{\"agents\":{\"a\":{},\"b\":{},\"a\":{\"status\":\"completed\"}},\"active_agents\":9}";
        assert_eq!(remove(text, &[]).matches("\"active_agents\":1").count(), 1);
        let edited = edited(text, &["a"], ChangeKind::Remove);
        assert!(edited.text.starts_with("{\"agents\":{\"b\":{}}"), "{}", edited.text);
        assert_eq!(edited.removed.len(), 2);
        assert_eq!(edited.removed[1].1.after.as_deref(), Some("b"));
    }

    #[test]
    fn marks_go_where_the_fields_are_and_behind_the_last_one() {
        let text = r#"{"agents": [{"id": "a", "status" : "working", "n": {"status": 1}}, {}], "active_count": 1, "completed_count": 0}"#;
        assert_eq!(
            mark(text, "a"),
            r#"{"agents": [{"id": "a", "status" : "terminated", "n": {"status": 1}, "termination_reason": "session_not_found", "terminated_at": "NOW", "last_update": "NOW"}, {}], "active_count": 0, "completed_count": 0}"#
        );
        let keyed = "{\"agents\": {\"a{\": {}}}";
        assert_eq!(
            mark(keyed, "a{"),
            "{\"agents\": {\"a{\": {\"status\": \"terminated\",\"termination_reason\": \"session_not_found\",\"terminated_at\": \"NOW\",\"last_update\": \"NOW\"}}}"
        );
    }

    #[test]
    fn a_mark_keeps_the_layout_of_the_entry() {
        let text = "{\n  \"agents\": [\n    {\n      \"id\": \"a\",\n      \"last_update\": \"x\"\n    }\n  ]\n}";
        assert_eq!(
            mark(text, "a"),
            "{\n  \"agents\": [\n    {\n      \"id\": \"a\",\n      \"last_update\": \"NOW\",\n      \"status\": \"terminated\",\n      \"termination_reason\": \"session_not_found\",\n      \"terminated_at\": \"NOW\"\n    }\n  ]\n}"
        );
    }
}
