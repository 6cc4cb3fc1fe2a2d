//! The lists of fields in agentrecords(5), and the kinds in agentdiff(1), against the tables
//! in the programs, word for word.
//!
//! `UPDATE_MANUAL=1 cargo test -p agentutils --test tests manual::` writes the lists anew.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;

use cli::{ALL, Field, Unit};
use itertools::Itertools;
use model::record::{ActionKind, Kind, Outcome};
use serde_json::Value;

use super::mdoc::mdoc;
use super::{every_record, page, path, words};
use crate::world::World;

/// The lines between which the list of a record stands.
fn marks(record: &str) -> [String; 2] {
    [
        format!(".\\\" Fields of {record}: written from shared/cli/src/fields, see tests/manual."),
        format!(".\\\" End of the fields of {record}."),
    ]
}

/// The list of the fields of a record, in mdoc(7).
fn list(fields: &[Field]) -> String {
    let mut text = ".Bl -tag -width Ds\n".to_owned();
    let alike = |field: &&Field| (kind(field), field.meaning);
    for (_, alike) in &fields.iter().chunk_by(alike) {
        let alike: Vec<&Field> = alike.collect();
        let names = alike.iter().map(|field| field.name).join(" , Va ");
        text += &format!(".It Va {names} Pq {}\n", kind(alike[0]));
        text += &mdoc(alike[0].meaning);
        match alike[0].unit {
            Unit::Word(words) if words.iter().any(|word| !word.meaning.is_empty()) => {
                let longest = words.iter().map(|word| word.word.len()).max().unwrap_or(0);
                text += &format!(".Bl -tag -width \"{}\" -compact\n", "x".repeat(longest));
                for word in words {
                    text += &format!(".It Sy {}\n{}", word.word, mdoc(word.meaning));
                }
                text += ".El\n";
            }
            Unit::Object(inner) | Unit::Objects(inner) | Unit::Map(inner) => text += &list(inner),
            _ => {}
        }
    }
    text + ".El\n"
}

fn kind(field: &Field) -> String {
    let optional = if field.optional { ", optional" } else { "" };
    format!("{}{optional}", field.type_name())
}

#[test]
fn the_lists_of_fields_in_agentrecords_are_those_of_the_table() {
    let update = env::var_os("UPDATE_MANUAL").is_some_and(|value| value == "1");
    let mut text = page("agentrecords.5");
    for record in ALL {
        let [begin, end] = marks(record.word);
        let (before, rest) = text.split_once(&format!("{begin}\n")).unwrap_or_else(|| {
            panic!("agentrecords(5) has no line {begin}");
        });
        let (is, after) = rest.split_once(&format!("{end}\n")).expect("the end of a list");
        let must_be = list(record.fields);
        if !update {
            let hint = "to write the list anew: UPDATE_MANUAL=1 cargo test -p agentutils \
                        --test tests manual::";
            let lines = must_be.lines().zip_longest(is.lines());
            let difference = lines.map(|pair| pair.left_and_right()).find(|(a, b)| a != b);
            assert_eq!(difference, None, "{}: {hint}", record.word);
        }
        text = format!("{before}{begin}\n{must_be}{end}\n{after}");
    }
    if update {
        fs::write(path("agentrecords.5"), text).unwrap();
    }
}

#[test]
fn the_kinds_in_agentdiff_are_those_of_the_table() {
    let page = page("agentdiff.1");
    let (_, list) = page.split_once("with the action in parentheses if they have one:\n").unwrap();
    let mut items = list.split(".It Sy ").skip(1);
    for kind in Kind::ALL {
        let item = items.next().unwrap_or_else(|| panic!("{}: not in agentdiff(1)", kind.word));
        let (title, text) = item.split_once('\n').unwrap();
        let actions = kind.actions.iter().map(|action| action.word()).join(" , ");
        let must_be = match actions.as_str() {
            "" => kind.word.to_owned(),
            actions => format!("{} Pq Sy {actions}", kind.word),
        };
        assert_eq!(title, must_be);
        // Its first sentence, as the table has it.
        let text = text.split(".El\n").next().unwrap_or(text);
        let sentence = kind.meaning.trim_end_matches('.');
        let says = text.lines().join(" ").starts_with(sentence);
        assert!(says, "agentdiff(1): {} does not begin with {:?}: {text}", kind.word, kind.meaning);
    }
}

#[test]
fn the_words_of_fields_are_those_that_records_have() {
    let of = |record: &str, name: &str| {
        let record = ALL.iter().find(|known| known.word == record).unwrap();
        let field = record.fields.iter().find(|field| field.name == name).unwrap();
        let Unit::Word(words) = field.unit else { panic!("{name}: no word") };
        words.iter().map(|word| word.word.to_owned()).collect::<BTreeSet<String>>()
    };
    let all = |words: Vec<String>| words.into_iter().collect::<BTreeSet<String>>();
    assert_eq!(of("action", "result"), all(words::<Outcome>()));
    assert_eq!(of("finding", "kind"), all(words::<Kind>()));
    let mut actions = all(words::<ActionKind>());
    actions.remove("restore_entry");
    assert_eq!(of("finding", "action"), actions);
}

/// Finds the names in a record, and in the objects in it, that are no fields.
fn unknown(value: &Value, fields: &[Field], path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| unknown(item, fields, path, found)),
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "type") {
                let path = format!("{path}.{name}");
                match fields.iter().find(|field| field.name == name).map(|field| field.unit) {
                    None => drop(found.insert(path)),
                    Some(Unit::Object(inner) | Unit::Objects(inner) | Unit::Record(inner)) => {
                        unknown(value, inner, &path, found);
                    }
                    Some(Unit::Map(inner)) => {
                        let values = value.as_object().into_iter().flat_map(|map| map.values());
                        values.for_each(|value| unknown(value, inner, &path, found));
                    }
                    Some(_) => {}
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_fields_in_the_table_are_those_that_records_have() {
    let world = World::new();
    let mut written: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut missing = BTreeSet::new();
    for record in every_record(&world) {
        let word = record["type"].as_str().unwrap();
        let of = ALL.iter().find(|of| of.word == word);
        let of = of.unwrap_or_else(|| panic!("{word}: not in the table"));
        unknown(&record, of.fields, word, &mut missing);
        let fields = record.as_object().unwrap().keys().cloned();
        written.entry(word.to_owned()).or_default().extend(fields);
    }
    assert!(missing.is_empty(), "not in shared/cli/src/fields: {missing:?}");
    for record in ALL {
        let written = &written[record.word];
        // A finding has one of the four records, and nothing failed here.
        let never = record.fields.iter().filter(|field| !written.contains(field.name));
        let never: Vec<&str> = never.map(|field| field.name).collect();
        let expected: &[&str] = match record.word {
            "finding" => &["session", "process"],
            "end" => &["error"],
            _ => &[],
        };
        assert_eq!(never, expected, "{}: in no record", record.word);
    }
}
