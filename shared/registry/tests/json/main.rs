//! Laws of the registry edit that hold for every text. `PROPTEST_CASES` raises the number
//! of texts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod layout;
mod oracle;
mod parts;
mod python;
mod texts;

use std::collections::BTreeMap;

use model::record::JsonEntry;
use model::record::Scope;
use proptest::prelude::*;
use proptest::sample::subsequence;
use registry::ChangeKind;
use registry::json::{Edited, Layout, edit, restore};
use serde_json::{Value, json};

use oracle::value;
use texts::{Oddities, Written, registries};

const NOW: &str = "2025-10-29T23:25:23.104729";
const ANY: Oddities = Oddities { doubles: true, counters: true };

fn cases(least: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = default.cases.max(least);
    ProptestConfig { cases, max_global_rejects: cases, failure_persistence: None, ..default }
}

/// Some of the ids of a registry.
fn chosen(written: &Written) -> BoxedStrategy<Vec<String>> {
    let ids: Vec<String> = written.ids().into_iter().map(str::to_owned).collect();
    let all = Just(ids.clone());
    prop_oneof![6 => subsequence(ids.clone(), 0..=ids.len()), 1 => all].boxed()
}

/// A registry and ids to remove, ids to mark.
fn edits(oddities: Oddities) -> impl Strategy<Value = (Written, Vec<String>, Vec<String>)> {
    registries(oddities).prop_flat_map(|written| {
        let (remove, mark) = (chosen(&written), chosen(&written));
        (Just(written), remove, mark).prop_map(|(written, remove, mut mark)| {
            mark.retain(|id| !remove.contains(id));
            (written, remove, mark)
        })
    })
}

fn change<'t>(text: &'t str, remove: &[String], mark: &[String]) -> Edited<'t> {
    let remove = remove.iter().map(|id| (id.as_str(), ChangeKind::Remove));
    let mark = mark.iter().map(|id| (id.as_str(), ChangeKind::Terminate));
    let changes: Vec<(&str, ChangeKind)> = remove.chain(mark).collect();
    edit(text, &Layout::of(text).unwrap(), &changes, NOW).unwrap()
}

/// What stands before the entries, brackets included, and behind them, once the counters
/// are set: those that are there, or all of a global registry that has lost entries.
fn around(written: &Written, counters: &[(&str, i64)], lost_some: bool) -> (String, String) {
    let text = &written.text;
    let mut changes = BTreeMap::new();
    let end = written.members.last().unwrap().1.end;
    for (name, count) in counters {
        match written.member(name) {
            Some(span) if text[span.clone()].parse() == Ok(*count) => {}
            Some(span) => {
                changes.insert(span.start, (span.end, count.to_string()));
            }
            None if lost_some && written.scope == Scope::Global => {
                let separator = &written.separator;
                let comma = if written.members.len() > 1 { "" } else { "," };
                let added = format!("{comma}{separator}\"{name}\": {count}");
                changes.entry(end).or_insert((end, String::new())).1 += &added;
            }
            None => {}
        }
    }
    let agents = written.member("agents").unwrap();
    let with = |mut at: usize, to: usize| {
        let mut result = String::new();
        for (start, (end, value)) in changes.range(at..=to) {
            result += &text[at..*start];
            result += value;
            at = *end;
        }
        result + &text[at..to]
    };
    (with(0, agents.start + 1), with(agents.end - 1, text.len()))
}

/// The bytes of a registry whose entries have gone or changed to `bodies`.
fn expected(written: &Written, bodies: &[Option<&str>], outside: &(String, String)) -> String {
    let agents = written.member("agents").unwrap();
    let text = &written.text;
    let mut end = agents.start + 1;
    let mut gaps = Vec::new();
    for entry in &written.entries {
        gaps.push(&text[end..entry.span.start]);
        end = entry.span.end;
    }
    let tail = &text[end..agents.end - 1];
    let mut result = outside.0.clone();
    let mut kept = 0;
    for (body, gap) in bodies.iter().zip(&gaps).filter_map(|(body, gap)| Some(((*body)?, gap))) {
        // The first one that stays stands where the first one stood.
        result += if kept == 0 { gaps[0] } else { gap };
        result += body;
        kept += 1;
    }
    if kept > 0 || written.entries.is_empty() {
        result += tail;
    }
    result + &outside.1
}

/// In the order in which a log has them.
fn logged<'t>(edited: &Edited<'t>) -> Vec<JsonEntry<'t>> {
    let mut removed: Vec<JsonEntry<'t>> =
        edited.removed.iter().map(|(_, entry)| entry.clone()).collect();
    removed.sort_by(|one, other| one.id.cmp(&other.id));
    removed
}

proptest! {
    #![proptest_config(cases(700))]

    #[test]
    fn every_surviving_byte_is_the_byte_that_was_there((written, remove, mark) in edits(ANY)) {
        let edited = change(&written.text, &remove, &mark);
        let mut removed = edited.removed.iter();
        let bodies: Vec<Option<&str>> = written
            .entries
            .iter()
            .map(|entry| {
                let text = &written.text[entry.span.clone()];
                if !remove.contains(&entry.id) && !mark.contains(&entry.id) {
                    return Some(text);
                }
                let (_, was) = removed.next().unwrap();
                assert_eq!((&*was.id, &*was.text), (entry.id.as_str(), text));
                was.replaced_by.as_deref()
            })
            .collect();
        prop_assert!(removed.next().is_none());
        let counts = written.computed(&remove, &mark);
        let outside = around(&written, &counts, bodies.contains(&None));
        prop_assert_eq!(edited.text, expected(&written, &bodies, &outside));
    }

    #[test]
    fn the_naive_way_leads_to_the_same((written, remove, mark) in edits(ANY)) {
        let edited = change(&written.text, &remove, &mark);
        prop_assert_eq!(value(&edited.text), oracle::edited(&written.text, &remove, &mark, NOW));
    }

    #[test]
    fn an_edit_with_nothing_to_do_changes_nothing((written, remove, mark) in edits(ANY)) {
        let others: Vec<String> = ["nobody".to_owned()].into();
        let counted = change(&written.text, &[], &[]).text;
        if written.computed(&[], &[]).iter().all(|(name, _)| written.member(name).is_none()) {
            prop_assert_eq!(&counted, &written.text);
        }
        prop_assert_eq!(&change(&counted, &others, &[]).text, &counted);
        prop_assert_eq!(&change(&counted, &[], &others).text, &counted);
        let edited = change(&written.text, &remove, &mark).text;
        prop_assert_eq!(&change(&edited, &remove, &mark).text, &edited);
    }

    #[test]
    fn what_was_removed_comes_back_byte_for_byte(
        ((written, remove, mark), (remove_then, mark_then)) in edits(ANY)
            .prop_flat_map(|(written, remove, mark)| {
                let then = (chosen(&written), chosen(&written));
                (Just((written, remove, mark)), then)
            })
    ) {
        let text = &written.text;
        let once = change(text, &remove, &mark);
        let mark_then: Vec<String> =
            mark_then.into_iter().filter(|id| !remove_then.contains(id)).collect();
        let twice = change(&once.text, &remove_then, &mark_then);
        let all = [logged(&once), logged(&twice)].concat();
        for (now, log, before, is_whole) in [
            (&once.text, logged(&once), text, true),
            (&twice.text, all, text, !once.removed.is_empty()),
            (&twice.text, logged(&twice), &once.text, true),
        ] {
            let restored = restore(now, &log).unwrap();
            prop_assert!(restored.results.iter().all(Result::is_ok), "{:?}", restored.results);
            // Counters are not put back alone.
            if !log.is_empty() && is_whole {
                prop_assert_eq!(&restored.text, before);
                let again = restore(before, &log).unwrap();
                prop_assert_eq!(&again.text, before);
            }
        }
    }

    #[test]
    fn what_somebody_wrote_meanwhile_stays(
        (written, remove, mark) in edits(Oddities { doubles: false, counters: false }),
        gone in any::<proptest::sample::Index>(),
        is_pretty in any::<bool>(),
    ) {
        let edited = change(&written.text, &remove, &mark);
        let mut now = value(&edited.text);
        let new = json!({"id": "new-1", "status": "working"});
        let mut present: BTreeMap<String, Value> = BTreeMap::new();
        match &mut now["agents"] {
            Value::Object(agents) => {
                if let Some(id) = agents.keys().nth(gone.index(agents.len() + 1)).cloned() {
                    agents.remove(&id);
                }
                agents.insert("new-1".to_owned(), new);
                present.extend(agents.clone());
            }
            Value::Array(agents) => {
                let gone = gone.index(agents.len() + 1);
                if gone < agents.len() {
                    agents.remove(gone);
                }
                agents.insert(0, new);
                let id = |entry: &Value| entry["id"].as_str().unwrap_or_default().to_owned();
                present.extend(agents.iter().map(|entry| (id(entry), entry.clone())));
            }
            other => panic!("{other}"),
        }
        let now = if is_pretty { format!("{now:#}") } else { now.to_string() };
        let mut removed = logged(&edited);
        // With what it says of counters, these may become what they were.
        removed.iter_mut().for_each(|entry| entry.counters = None);
        let restored = restore(&now, &removed).unwrap();
        let wrap = |entry: &JsonEntry<'_>| match written.scope {
            Scope::Global => format!("{{{}}}", entry.text),
            Scope::Task | Scope::State => format!("{{{}:{}}}", json!(entry.id), entry.text),
        };
        for (entry, result) in removed.iter().zip(&restored.results) {
            if result.is_ok() {
                prop_assert!(entry.replaced_by.is_some() || !present.contains_key(&*entry.id));
                let id = entry.id.to_string();
                let body = value(&wrap(entry))[&id].clone();
                present.insert(id, body);
            } else {
                prop_assert!(entry.replaced_by.is_some(), "{:?}", result);
            }
        }
        let end = value(&restored.text);
        let found: Vec<(String, Value)> = match &end["agents"] {
            Value::Object(agents) => agents.clone().into_iter().collect(),
            agents => agents.as_array().unwrap().iter()
                .map(|entry| (entry["id"].as_str().unwrap_or_default().to_owned(), entry.clone()))
                .collect(),
        };
        prop_assert_eq!(found.len(), present.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), present);
        // No id stands there twice, hidden by another.
        let nothing = oracle::edited(&restored.text, &[], &[], NOW);
        if restored.results.iter().any(Result::is_ok) {
            prop_assert_eq!(nothing, end);
        }
        let all: Vec<String> = written.ids().into_iter().map(str::to_owned).collect();
        let mut ids: Vec<String> =
            logged(&change(&restored.text, &all, &[])).into_iter().map(|was| was.id.into_owned()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), count);
    }
}
