//! Putting entries back that an edit took out or marked, byte for byte where they were;
//! and, where somebody has written since, among what is there now.

use std::collections::{HashMap, HashSet};

use super::edit::Taken;
use super::scan::{Corrupt, Layout, scan};
use super::{Change, Slot, Tally, apply, counter_changes};

/// A text with entries put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The new text.
    pub text: String,
    /// For each entry, in order, whether it was put back; if not, why.
    pub results: Vec<Result<(), String>>,
}

/// Puts entries back, in the order in which they were taken. `counters`: what the counters
/// were and what the entries amounted to when that was seen; if they amount to the same
/// again, the counters become what they were, else what the entries amount to.
///
/// # Errors
/// [`Corrupt`] as for [`scan`].
pub fn restore(
    text: &str,
    taken: &[Taken],
    counters: &HashMap<&str, (i64, i64)>,
) -> Result<Restored, Corrupt> {
    let mut slots: Vec<Slot> = Vec::new();
    let layout = scan(text, |scope, entry| slots.push(Slot::new(scope, &entry)))?;
    let standing: HashMap<&str, usize> =
        slots.iter().enumerate().map(|(at, slot)| (&*slot.id, at)).collect();

    let mut changes = Vec::new();
    let mut back: Vec<&Taken> = Vec::new();
    let mut results = Vec::new();
    for entry in taken {
        let now = standing.get(entry.id.as_str()).map(|&at| &slots[at]);
        results.push(match (now, &entry.replaced_by) {
            (Some(slot), Some(marked)) if text[slot.span.clone()] == **marked => {
                changes.push((slot.span.clone(), entry.text.clone()));
                Ok(())
            }
            (Some(_), Some(_)) => Err("the entry was changed since".to_owned()),
            (None, Some(_)) => Err("the entry is gone".to_owned()),
            (Some(_), None) => Err("an entry of this id is there".to_owned()),
            (None, None) => {
                back.push(entry);
                Ok(())
            }
        });
    }
    if !back.is_empty() {
        let inside = Inside::of(text, &layout, &slots, &changes);
        changes = vec![(layout.agents.start + 1..layout.agents.end - 1, inside.with(&back))];
    }
    let text = apply(text, changes);
    Ok(Restored { text: recount(text, counters)?, results })
}

/// One entry in its place.
struct Item<'i> {
    id: &'i str,
    body: &'i str,
    gap_before: &'i str,
    /// Only an entry that comes back remembers what stood behind it.
    gap_behind: Option<&'i str>,
}

/// What stands between the brackets of `agents`.
struct Inside<'i> {
    items: Vec<Item<'i>>,
    tail: &'i str,
}

impl<'i> Inside<'i> {
    fn of(text: &'i str, layout: &Layout, slots: &'i [Slot], changes: &'i [Change]) -> Self {
        let changed: HashMap<usize, &str> =
            changes.iter().map(|(span, body)| (span.start, body.as_str())).collect();
        let mut at = layout.agents.start + 1;
        let mut items = Vec::new();
        for slot in slots {
            let body = changed.get(&slot.span.start).copied();
            items.push(Item {
                id: &slot.id,
                body: body.unwrap_or(&text[slot.span.clone()]),
                gap_before: &text[at..slot.span.start],
                gap_behind: None,
            });
            at = slot.span.end;
        }
        Inside { items, tail: &text[at..layout.agents.end - 1] }
    }

    /// The text with entries put back, each behind the one that it stood behind, be that
    /// there or coming back itself; at the end where that one is gone.
    fn with(self, back: &[&'i Taken]) -> String {
        let known: HashSet<&str> =
            self.items.iter().map(|item| item.id).chain(back.iter().map(|e| &*e.id)).collect();
        let mut followers: HashMap<Option<&str>, Vec<&'i Taken>> = HashMap::new();
        let mut strays = Vec::new();
        for &entry in back {
            match entry.after.as_deref() {
                Some(after) if !known.contains(after) => strays.push(entry),
                after => followers.entry(after).or_default().push(entry),
            }
        }
        let mut items = Vec::new();
        follow(None, &mut followers, &mut items);
        for item in self.items {
            let id = item.id;
            items.push(item);
            follow(Some(id), &mut followers, &mut items);
        }
        for entry in strays {
            items.push(returning(entry));
            follow(Some(&entry.id), &mut followers, &mut items);
        }
        join(&items, self.tail)
    }
}

fn returning(entry: &Taken) -> Item<'_> {
    Item {
        id: &entry.id,
        body: &entry.text,
        gap_before: &entry.gap_before,
        gap_behind: Some(&entry.gap_behind),
    }
}

/// Puts what follows an entry behind it, and what follows that. Of two that followed the
/// same entry, the one that was taken first stood nearer.
fn follow<'i>(
    id: Option<&'i str>,
    followers: &mut HashMap<Option<&'i str>, Vec<&'i Taken>>,
    items: &mut Vec<Item<'i>>,
) {
    let mut todo = followers.remove(&id).unwrap_or_default();
    todo.reverse();
    while let Some(entry) = todo.pop() {
        items.push(returning(entry));
        todo.extend(followers.remove(&Some(&*entry.id)).unwrap_or_default().into_iter().rev());
    }
}

fn join(items: &[Item<'_>], tail: &str) -> String {
    let mut text = String::new();
    let mut before: Option<&Item<'_>> = None;
    for item in items {
        // What stood behind the entry before is what stood before this one.
        let remembered = before.and_then(|before| before.gap_behind).filter(|gap| gap.contains(','));
        let gap = match (item.gap_behind, remembered) {
            (None, Some(gap)) => gap,
            _ => item.gap_before,
        };
        match (before.is_some(), gap.contains(',')) {
            (true, false) => {
                text.push(',');
                text += gap;
            }
            (false, true) => text += &gap.replacen(',', "", 1),
            _ => text += gap,
        }
        text += item.body;
        before = Some(item);
    }
    let remembered = before.and_then(|last| last.gap_behind).filter(|gap| !gap.contains(','));
    text + remembered.unwrap_or(tail)
}

fn recount(text: String, counters: &HashMap<&str, (i64, i64)>) -> Result<String, Corrupt> {
    let mut slots: Vec<Slot> = Vec::new();
    let layout = scan(&text, |scope, entry| slots.push(Slot::new(scope, &entry)))?;
    let computed: Vec<(&'static str, i64)> = Tally::of(&slots).values(layout.scope).collect();
    let as_before = computed
        .iter()
        .all(|(name, value)| counters.get(name).is_some_and(|(_, computed)| computed == value));
    let values = computed.into_iter().map(|(name, value)| match counters.get(name) {
        Some((stored, _)) if as_before => (name, *stored),
        _ => (name, value),
    });
    let changes = counter_changes(&text, &layout, values, false);
    Ok(apply(&text, changes))
}

#[cfg(test)]
mod tests {
    use super::super::edit::{Edit, edit};
    use super::*;

    const TEXT: &str = "{\"active_agents\": 5,\"agents\": { \"a\":{} ,\t\"b\" : {\"x\": 1.10},\n\"c\":{}\r\n, \"d\":{} }}";

    fn was() -> HashMap<&'static str, (i64, i64)> {
        [("active_agents", (5, 4)), ("total_agents_spawned", (4, 4))].into()
    }

    #[test]
    fn every_set_of_entries_comes_back_byte_for_byte() {
        for set in 0_u8..16 {
            let ids = ["a", "b", "c", "d"].into_iter().enumerate();
            let remove: HashSet<&str> =
                ids.filter(|(at, _)| set >> at & 1 == 1).map(|(_, id)| id).collect();
            let edited = edit(TEXT, &Edit { remove, ..Edit::default() }).unwrap();
            let restored = restore(&edited.text, &edited.taken, &was()).unwrap();
            let added = ",\"total_agents_spawned\": 4";
            let text = restored.text.replace(added, "");
            assert_eq!(text, TEXT, "{set:04b}");
            assert!(restored.results.iter().all(Result::is_ok));
        }
    }

    #[test]
    fn two_edits_are_undone_together() {
        let first = edit(TEXT, &Edit { remove: ["b"].into(), ..Edit::default() }).unwrap();
        let second = edit(&first.text, &Edit { remove: ["a", "c"].into(), ..Edit::default() }).unwrap();
        let taken = [first.taken, second.taken].concat();
        let restored = restore(&second.text, &taken, &was()).unwrap();
        assert_eq!(restored.text.replace(",\"total_agents_spawned\": 4", ""), TEXT);
    }

    #[test]
    fn what_was_written_meanwhile_stays() {
        let text = "{\"agents\": {\"a\": {}, \"b\": {}, \"c\": {}}, \"active_agents\": 3}";
        let taken = edit(text, &Edit { remove: ["b", "c"].into(), ..Edit::default() }).unwrap().taken;
        let now = "{\"agents\": {\"new\": {}, \"c\": {\"y\": 1}}, \"active_agents\": 2}";
        let restored = restore(now, &taken, &HashMap::new()).unwrap();
        assert_eq!(
            restored.text,
            "{\"agents\": {\"new\": {}, \"c\": {\"y\": 1}, \"b\": {}}, \"active_agents\": 3}"
        );
        assert_eq!(restored.results, [Ok(()), Err("an entry of this id is there".to_owned())]);
        let empty = restore("{\"agents\": {}}", &taken, &HashMap::new()).unwrap();
        assert_eq!(empty.text, "{\"agents\": { \"b\": {}, \"c\": {}}}");
    }

    #[test]
    fn a_mark_is_taken_back_unless_the_entry_changed() {
        let text = "{\"agents\": [{\"id\": \"a\", \"status\": \"working\"}], \"active_count\": 1}";
        let edited = edit(text, &Edit { mark: ["a"].into(), now: "NOW", ..Edit::default() }).unwrap();
        assert!(edited.text.ends_with("\"active_count\": 0}"), "{}", edited.text);
        assert_eq!(restore(&edited.text, &edited.taken, &HashMap::new()).unwrap().text, text);
        let changed = edited.text.replace("NOW\"}", "LATER\"}");
        let restored = restore(&changed, &edited.taken, &HashMap::new()).unwrap();
        assert_eq!((restored.text, restored.results[0].is_err()), (changed, true));
    }
}
