//! The lossless edit: entries leave as spans of the text, counters are written over
//! theirs, and every other byte is the byte that was there.

use std::collections::HashSet;
use std::ops::Range;

use super::scan::{Corrupt, Entry, Layout, scan};
use super::{Tally, counter_names};
use crate::record::Scope;

/// What to change in a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit<'e> {
    /// Ids of entries to remove. Every entry of such an id goes: an earlier one left
    /// behind would come to life.
    pub remove: HashSet<&'e str>,
}

/// An entry that was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its id.
    pub id: String,
    /// Its text, with the key where it had one.
    pub text: String,
    /// The id of the entry that stood before it in the text.
    pub after: Option<String>,
}

/// Applies an edit, and sets the counters to what the remaining entries amount to.
/// Counters that a task registry lacks stay out of it; a global registry that loses
/// entries gets both, as the guide's own snippet writes them.
///
/// Returns the new text and the entries removed. With nothing to remove and counters
/// that are right already, the text is the one that came in.
///
/// # Errors
/// [`Corrupt`] as for [`scan`].
pub fn edit(text: &str, edit: &Edit<'_>) -> Result<(String, Vec<Removed>), Corrupt> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let layout = scan(text, |_, entry| entries.push(entry))?;
    let condemned: Vec<bool> =
        entries.iter().map(|entry| edit.remove.contains(&*entry.id)).collect();

    let mut changes = removals(text, &layout, &entries, &condemned);
    let removed = removed(text, &entries, &condemned);
    let kept = entries.iter().zip(&condemned).filter(|(_, gone)| !**gone).map(|(entry, _)| entry);
    changes.extend(counters(text, &layout, tally(layout.scope, kept), !removed.is_empty()));
    Ok((apply(text, changes), removed))
}

/// What entries amount to. Of several with one id the last counts, as in Python.
fn tally<'a, 't: 'a>(
    scope: Scope,
    entries: impl DoubleEndedIterator<Item = &'a Entry<'t>>,
) -> Tally {
    let mut tally = Tally::default();
    let mut seen = HashSet::new();
    for entry in entries.rev() {
        if scope == Scope::Task || seen.insert(&*entry.id) {
            tally.add(scope, entry.fields.status.as_deref());
        }
    }
    tally
}

/// A stretch of the text and what stands there afterwards.
type Change = (Range<usize>, String);

fn removals(text: &str, layout: &Layout, entries: &[Entry<'_>], condemned: &[bool]) -> Vec<Change> {
    if condemned.iter().all(|&gone| gone) {
        let inside = layout.agents.start + 1..layout.agents.end - 1;
        return if entries.is_empty() { Vec::new() } else { vec![(inside, String::new())] };
    }
    let mut changes = Vec::new();
    let mut at = 0;
    while at < entries.len() {
        if !condemned[at] {
            at += 1;
            continue;
        }
        let run = condemned[at..].iter().take_while(|&&gone| gone).count();
        let (first, last) = (&entries[at], &entries[at + run - 1]);
        // A run at the head goes up to the next entry, so that this takes its place;
        // any other goes from the end of the entry before, and takes the comma along.
        let cut = match at.checked_sub(1) {
            None => first.span.start..entries[run].span.start,
            Some(before) => entries[before].span.end..last.span.end,
        };
        debug_assert!(text.is_char_boundary(cut.start) && text.is_char_boundary(cut.end));
        changes.push((cut, String::new()));
        at += run;
    }
    changes
}

fn removed(text: &str, entries: &[Entry<'_>], condemned: &[bool]) -> Vec<Removed> {
    (0..entries.len())
        .filter(|&at| condemned[at])
        .map(|at| Removed {
            id: entries[at].id.to_string(),
            text: text[entries[at].span.clone()].to_owned(),
            after: at.checked_sub(1).map(|before| entries[before].id.to_string()),
        })
        .collect()
}

fn counters(text: &str, layout: &Layout, tally: Tally, removing: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut added = String::new();
    let (separator, end) = &layout.last_member;
    let values = tally.values(layout.scope);
    for ((name, value), span) in values.zip(&layout.counters) {
        match span {
            Some(span) if text[span.clone()].parse() == Ok(value) => {}
            Some(span) => changes.push((span.clone(), value.to_string())),
            None if removing && layout.scope == Scope::Global => {
                let separator = &text[separator.clone()];
                // The separator of an only member is white space without a comma.
                let comma = if separator.starts_with(',') { "" } else { "," };
                added += &format!("{comma}{separator}\"{name}\": {value}");
            }
            None => {}
        }
    }
    debug_assert_eq!(layout.counters.len(), counter_names(layout.scope).len());
    if !added.is_empty() {
        changes.push((*end..*end, added));
    }
    changes
}

fn apply(text: &str, mut changes: Vec<Change>) -> String {
    changes.sort_by_key(|(span, _)| (span.start, span.end));
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (span, replacement) in changes {
        result += &text[at..span.start];
        result += &replacement;
        at = span.end;
    }
    result += &text[at..];
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remove(text: &str, ids: &[&str]) -> String {
        edit(text, &Edit { remove: ids.iter().copied().collect() }).unwrap().0
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
        let (result, removed) = edit(text, &Edit { remove: ["a"].into() }).unwrap();
        assert!(result.starts_with("{\"agents\":{\"b\":{}}"), "{result}");
        assert_eq!(removed.len(), 2);
        assert_eq!(removed[1].after.as_deref(), Some("b"));
    }
}
