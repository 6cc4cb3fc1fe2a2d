//! Putting entries back that an edit took out or marked, byte for byte where they were;
//! and, where somebody has written since, among what is there now.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};

use super::corrupt::Corrupt;
use super::scan::{Layout, scan};
use super::{Slot, Tally, apply, counter_changes};
use model::record::RemovedEntry;

/// A text with entries put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The new text.
    pub text: String,
    /// For each entry, in order, whether it was put back; if not, why.
    pub results: Vec<Result<(), String>>,
}

/// Puts entries back that were taken in this order, by one edit or by several: what was
/// done last is undone first. `counters`: what the counters were and what the entries
/// amounted to when that was seen; if they amount to the same again, the counters become
/// what they were, else what the entries amount to.
///
/// Where nothing can be put back, the text is the one that came in.
///
/// # Errors
/// [`Corrupt`] as for [`scan`].
pub fn restore(
    text: &str,
    taken: &[RemovedEntry<'_>],
    counters: &BTreeMap<&str, (i64, i64)>,
) -> Result<Restored, Corrupt> {
    let layout = scan(text)?;
    let slots = Slot::all(text, &layout);
    let mut inside = Inside::of(text, &layout, &slots);
    let standing: HashMap<Key<'_>, usize> =
        inside.items.iter().enumerate().map(|(at, item)| (item.key, at)).collect();

    let mut back: HashMap<Key<'_>, (usize, &str)> = HashMap::default();
    let mut results = Vec::new();
    for (at, entry) in taken.iter().enumerate().rev() {
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
            (Some(_), Some(_)) => Err("the entry was changed since".to_owned()),
            (None, Some(_)) => Err("the entry is gone".to_owned()),
            (None, None) if !standing.contains_key(&(&*entry.id, 0)) => {
                back.insert(key, (at, &entry.text));
                Ok(())
            }
            (_, None) => Err("an entry of this id is there".to_owned()),
        });
    }
    results.reverse();
    if results.iter().all(Result::is_err) && !results.is_empty() {
        return Ok(Restored { text: text.to_owned(), results });
    }
    let mut back: Vec<(usize, &str)> = back.into_values().collect();
    back.sort_by_key(|(at, _)| *at);
    let back = back.into_iter().map(|(at, body)| Item::returning(&taken[at], body));
    let change = (layout.agents.start + 1..layout.agents.end - 1, inside.with(back).into());
    Ok(Restored { text: recount(apply(text, vec![change]), counters)?, results })
}

/// An id, and how many entries of that id stand before.
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
    fn returning(entry: &'i RemovedEntry<'_>, body: &'i str) -> Item<'i> {
        Item {
            key: (&entry.id, entry.copy),
            body,
            gap_before: &entry.gap_before,
            after: entry.after.as_deref().map(|after| (after, entry.after_copy)),
            gap_behind: Some(&entry.gap_behind),
        }
    }
}

/// What stands between the brackets of `agents`.
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

fn recount(text: String, counters: &BTreeMap<&str, (i64, i64)>) -> Result<String, Corrupt> {
    let layout = scan(&text)?;
    let slots = Slot::all(&text, &layout);
    let computed: Vec<(&'static str, i64)> = Tally::of(&slots).values(layout.scope).collect();
    let as_before = computed
        .iter()
        .all(|(name, value)| counters.get(name).is_none_or(|(_, computed)| computed == value));
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

    fn was() -> BTreeMap<&'static str, (i64, i64)> {
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
        let first =
            edit(TEXT, &Edit { remove: ["b"].into_iter().collect(), ..Edit::default() }).unwrap();
        let second = edit(
            &first.text,
            &Edit { remove: ["a", "c"].into_iter().collect(), ..Edit::default() },
        )
        .unwrap();
        let taken = [first.taken, second.taken].concat();
        let restored = restore(&second.text, &taken, &was()).unwrap();
        assert_eq!(restored.text.replace(",\"total_agents_spawned\": 4", ""), TEXT);
    }

    #[test]
    fn what_was_written_meanwhile_stays() {
        let text = "{\"agents\": {\"a\": {}, \"b\": {}, \"c\": {}}, \"active_agents\": 3}";
        let taken =
            edit(text, &Edit { remove: ["b", "c"].into_iter().collect(), ..Edit::default() })
                .unwrap()
                .taken;
        let now = "{\"agents\": {\"new\": {}, \"c\": {\"y\": 1}}, \"active_agents\": 2}";
        let restored = restore(now, &taken, &BTreeMap::new()).unwrap();
        assert_eq!(
            restored.text,
            "{\"agents\": {\"new\": {}, \"c\": {\"y\": 1}, \"b\": {}}, \"active_agents\": 3}"
        );
        assert_eq!(restored.results, [Ok(()), Err("an entry of this id is there".to_owned())]);
        let empty = restore("{\"agents\": {}}", &taken, &BTreeMap::new()).unwrap();
        assert_eq!(empty.text, "{\"agents\": { \"b\": {}, \"c\": {}}}");
    }

    #[test]
    fn a_mark_is_taken_back_unless_the_entry_changed() {
        let text = "{\"agents\": [{\"id\": \"a\", \"status\": \"working\"}], \"active_count\": 1}";
        let edited =
            edit(text, &Edit { mark: ["a"].into_iter().collect(), now: "NOW", ..Edit::default() })
                .unwrap();
        assert!(edited.text.ends_with("\"active_count\": 0}"), "{}", edited.text);
        assert_eq!(restore(&edited.text, &edited.taken, &BTreeMap::new()).unwrap().text, text);
        let changed = edited.text.replace("NOW\"}", "LATER\"}");
        let restored = restore(&changed, &edited.taken, &BTreeMap::new()).unwrap();
        assert_eq!((restored.text, restored.results[0].is_err()), (changed, true));
    }
}
