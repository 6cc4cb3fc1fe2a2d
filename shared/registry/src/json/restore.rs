//! Putting entries back that an edit took out or marked, byte for byte where they were; and, if
//! another program has written since, among what is there now.

use foldhash::{HashMap, HashSet};

use super::change::apply;
use super::corrupt::Corrupt;
use super::layout::Layout;
use super::slot::{Slot, counter_changes, tally, without_edit};
use model::record::{CounterEdit, JsonEntry};

/// A text with entries put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredText {
    /// The new text.
    pub text: String,
    /// For each entry, in order, whether it was put back; if not, why.
    pub results: Vec<Result<(), String>>,
}

/// Puts entries back that were taken in this order, by one edit or by several: what was
/// done last is undone first. If all of them come back, and nobody has changed counters or other
/// entries since, the counters become what they were; else what the entries amount to.
///
/// Where nothing can be put back, the text is the one that came in.
///
/// # Errors
/// [`Corrupt`] as for [`Layout::of`].
pub fn restore(text: &str, removed: &[JsonEntry<'_>]) -> Result<RestoredText, Corrupt> {
    let layout = Layout::of(text)?;
    let slots = Slot::all(text, &layout);
    let mut inside = Inside::of(text, &layout, &slots);
    let standing: HashMap<Key<'_>, usize> =
        inside.items.iter().enumerate().map(|(at, item)| (item.key, at)).collect();

    let mut back: HashMap<Key<'_>, (usize, &str)> = HashMap::default();
    let mut results = Vec::new();
    for (at, entry) in removed.iter().enumerate().rev() {
        let key = (&*entry.id, entry.copy);
        let body = match standing.get(&key) {
            Some(&at) => Some(&mut inside.items[at].body),
            None => back.get_mut(&key).map(|(_, body)| body),
        };
        results.push(match (body, &entry.replaced_by) {
            (Some(body), Some(marked)) if **body == **marked => {
                *body = &entry.text;
                Ok(())
            }
            (Some(_), Some(_)) => Err("the entry has changed since".to_owned()),
            (None, Some(_)) => Err("the entry is gone".to_owned()),
            (None, None) if !standing.contains_key(&(&*entry.id, 0)) => {
                back.insert(key, (at, &entry.text));
                Ok(())
            }
            (_, None) => Err("an entry with this id exists".to_owned()),
        });
    }
    results.reverse();
    if results.iter().all(Result::is_err) && !results.is_empty() {
        return Ok(RestoredText { text: text.to_owned(), results });
    }
    let mut back: Vec<(usize, &str)> = back.into_values().collect();
    back.sort_by_key(|(at, _)| *at);
    let back = back.into_iter().map(|(at, body)| Item::returning(&removed[at], body));
    let change = (layout.agents.start + 1..layout.agents.end - 1, inside.with(back).into());
    let text = apply(text, vec![change]);
    let layout = Layout::of(&text)?;
    let slots = Slot::all(&text, &layout);
    let computed: Vec<(&'static str, i64)> = tally(&slots).values(layout.scope).collect();
    let as_before = match results.iter().all(Result::is_ok) {
        true => counters_before(&text, removed, &computed),
        false => None,
    };
    let text = as_before.unwrap_or_else(|| {
        let changes = counter_changes(&text, &layout, computed, false);
        apply(&text, changes)
    });
    Ok(RestoredText { text, results })
}

/// An id, and how many entries with that id are before it.
type Key<'i> = (&'i str, usize);

/// One entry in its place.
#[derive(Clone, Copy)]
struct Item<'i> {
    key: Key<'i>,
    body: &'i str,
    gap_before: &'i str,
    /// Only an entry that comes back remembers behind which one it stood.
    after: Option<Key<'i>>,
    /// Or what stood behind it.
    gap_behind: Option<&'i str>,
}

impl<'i> Item<'i> {
    fn returning(entry: &'i JsonEntry<'_>, body: &'i str) -> Item<'i> {
        Item {
            key: (&entry.id, entry.copy),
            body,
            gap_before: &entry.gap_before,
            after: entry.after.as_deref().map(|after| (after, entry.after_copy)),
            gap_behind: Some(&entry.gap_behind),
        }
    }
}

/// What is between the brackets of `agents`.
struct Inside<'i> {
    items: Vec<Item<'i>>,
    tail: &'i str,
}

impl<'i> Inside<'i> {
    fn of(text: &'i str, layout: &Layout, slots: &'i [Slot<'i>]) -> Self {
        let mut at = layout.agents.start + 1;
        let mut copies: HashMap<&str, usize> = HashMap::default();
        let mut items = Vec::new();
        for slot in slots {
            let copy = copies.entry(&slot.id).or_default();
            items.push(Item {
                key: (&slot.id, *copy),
                body: &text[slot.span.clone()],
                gap_before: &text[at..slot.span.start],
                after: None,
                gap_behind: None,
            });
            *copy += 1;
            at = slot.span.end;
        }
        Inside { items, tail: &text[at..layout.agents.end - 1] }
    }

    /// The text with entries put back, each behind the one that it stood behind, be that
    /// there or coming back itself; at the end where that one is gone.
    fn with(self, back: impl Iterator<Item = Item<'i>> + Clone) -> String {
        let standing = self.items.iter().map(|item| item.key);
        let known: HashSet<Key<'_>> = standing.chain(back.clone().map(|item| item.key)).collect();
        let mut followers: HashMap<Option<Key<'_>>, Vec<Item<'i>>> = HashMap::default();
        let mut strays = Vec::new();
        for item in back {
            match item.after {
                Some(after) if !known.contains(&after) => strays.push(item),
                after => followers.entry(after).or_default().push(item),
            }
        }
        let mut items = Vec::new();
        follow(None, &mut followers, &mut items);
        for item in self.items.into_iter().chain(strays) {
            items.push(item);
            follow(Some(item.key), &mut followers, &mut items);
        }
        join(&items, self.tail)
    }
}

/// Puts what follows an entry behind it, and what follows that. Of two that followed the
/// same entry, the one that was taken first stood nearer.
fn follow<'i>(
    key: Option<Key<'i>>,
    followers: &mut HashMap<Option<Key<'i>>, Vec<Item<'i>>>,
    items: &mut Vec<Item<'i>>,
) {
    let mut todo = followers.remove(&key).unwrap_or_default();
    todo.reverse();
    while let Some(item) = todo.pop() {
        items.push(item);
        todo.extend(followers.remove(&Some(item.key)).unwrap_or_default().into_iter().rev());
    }
}

fn join(items: &[Item<'_>], tail: &str) -> String {
    let mut text = String::new();
    let mut before: Option<&Item<'_>> = None;
    for item in items {
        match before {
            None => text += &item.gap_before.replacen(',', "", 1),
            Some(_) if item.gap_before.contains(',') => text += item.gap_before,
            // When it was taken, or now, it was the first, in the place of the one before
            // it, which knows what stood between the two.
            Some(before) => match before.gap_behind.filter(|gap| gap.contains(',')) {
                Some(gap) => text += gap,
                None => {
                    text.push(',');
                    text += item.gap_before;
                }
            },
        }
        text += item.body;
        before = Some(item);
    }
    let remembered = before.and_then(|last| last.gap_behind).filter(|gap| !gap.contains(','));
    text + remembered.unwrap_or(tail)
}

/// A text with the counters that it had before these edits. `None`: they do not say so, or
/// somebody has changed the counters or the entries since; these amount to `computed`.
fn counters_before(
    text: &str,
    removed: &[JsonEntry<'_>],
    computed: &[(&str, i64)],
) -> Option<String> {
    let edits: Vec<&CounterEdit<'_>> =
        removed.iter().filter_map(|entry| entry.counters.as_deref()).collect();
    let first = edits.first()?;
    first.computed.iter().eq(computed.iter().map(|(_, value)| value)).then_some(())?;
    edits.iter().rev().try_fold(text.to_owned(), |text, edit| without_edit(&text, edit))
}

#[cfg(test)]
mod tests {
    use super::super::edit::edit;
    use super::*;
    use crate::seam::ChangeKind;

    const TEXT: &str = "{\"active_agents\": 15,\"agents\": { \"a\":{} ,\t\"b\" : {\"x\": 1.10},\n\"c\":{}\r\n, \"d\":{} }}";

    /// A text without some entries, or with them marked, and what restoring them needs.
    fn edited(text: &str, ids: &[&str], kind: ChangeKind) -> (String, Vec<JsonEntry<'static>>) {
        let changes: Vec<(&str, ChangeKind)> = ids.iter().map(|id| (*id, kind)).collect();
        let text: &'static str = text.to_owned().leak();
        let edited = edit(text, &Layout::of(text).unwrap(), &changes, "NOW").unwrap();
        (edited.text, edited.removed.into_iter().map(|(_, entry)| entry).collect())
    }

    #[test]
    fn every_set_of_entries_comes_back_byte_for_byte() {
        for set in 1_u8..16 {
            let ids = ["a", "b", "c", "d"].into_iter().enumerate();
            let ids: Vec<&str> =
                ids.filter(|(at, _)| set >> at & 1 == 1).map(|(_, id)| id).collect();
            let (text, removed) = edited(TEXT, &ids, ChangeKind::Remove);
            let restored = restore(&text, &removed).unwrap();
            assert_eq!(restored.text, TEXT, "{set:04b}");
            assert!(restored.results.iter().all(Result::is_ok));
        }
    }

    #[test]
    fn two_edits_are_undone_together() {
        let (first, removed) = edited(TEXT, &["b"], ChangeKind::Remove);
        let (second, then) = edited(&first, &["a", "c"], ChangeKind::Remove);
        let restored = restore(&second, &[removed, then].concat()).unwrap();
        assert_eq!(restored.text, TEXT);
    }

    #[test]
    fn what_was_written_meanwhile_stays() {
        let text = "{\"agents\": {\"a\": {}, \"b\": {}, \"c\": {}}, \"active_agents\": 3}";
        let (_, removed) = edited(text, &["b", "c"], ChangeKind::Remove);
        let now = "{\"agents\": {\"new\": {}, \"c\": {\"y\": 1}}, \"active_agents\": 2}";
        let restored = restore(now, &removed).unwrap();
        assert_eq!(
            restored.text,
            "{\"agents\": {\"new\": {}, \"c\": {\"y\": 1}, \"b\": {}}, \"active_agents\": 3}"
        );
        assert_eq!(restored.results, [Ok(()), Err("an entry with this id exists".to_owned())]);
        let empty = restore("{\"agents\": {}}", &removed).unwrap();
        assert_eq!(empty.text, "{\"agents\": { \"b\": {}, \"c\": {}}}");
    }

    #[test]
    fn counters_that_somebody_has_set_since_become_what_the_entries_amount_to() {
        let (text, removed) = edited(TEXT, &["b"], ChangeKind::Remove);
        assert!(text.contains("\"active_agents\": 3") && text.contains(": 3}"), "{text}");
        for (ours, theirs) in [
            ("\"active_agents\": 3", "\"active_agents\": 4"),
            ("\"total_agents_spawned\": 3", "\"total_agents_spawned\": 9"),
            ("\"total_agents_spawned\": 3", "\"total_agents_spawned\": 3, \"late\": 1"),
        ] {
            let restored = restore(&text.replace(ours, theirs), &removed).unwrap().text;
            assert!(restored.contains("\"active_agents\": 4"), "{restored}");
            assert!(restored.contains("\"total_agents_spawned\": 4"), "{restored}");
        }
        // Another entry, and counters that do not know of it.
        let more = text.replace("\"c\":{}", "\"c\":{},\"e\":{}");
        let restored = restore(&more, &removed).unwrap().text;
        assert!(restored.contains("\"active_agents\": 5"), "{restored}");
        // A log that says nothing of counters.
        let mut silent = removed;
        silent[0].counters = None;
        let restored = restore(&text, &silent).unwrap().text;
        assert!(restored.contains("\"active_agents\": 4"), "{restored}");
    }

    #[test]
    fn a_mark_is_removed_back_unless_the_entry_changed() {
        let text = "{\"agents\": [{\"id\": \"a\", \"status\": \"working\"}], \"active_count\": 1}";
        let (marked, removed) = edited(text, &["a"], ChangeKind::Terminate);
        assert!(marked.ends_with("\"active_count\": 0}"), "{marked}");
        assert_eq!(restore(&marked, &removed).unwrap().text, text);
        let changed = marked.replace("NOW\"}", "LATER\"}");
        let restored = restore(&changed, &removed).unwrap();
        assert_eq!((restored.text, restored.results[0].is_err()), (changed, true));
    }
}
