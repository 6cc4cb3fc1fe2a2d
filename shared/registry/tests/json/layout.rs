//! The layout of a registry text against what serde_json reads in it.

use std::collections::HashMap;

use model::record::Scope;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use registry::json::Layout;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::texts::registries;
use super::{ANY, cases};

/// What JSON is made of, and some of what must not be in it.
const CHARACTERS: &str = "\"\\{}[],:/bfnrtu0019.eE+-als \n\r\t\u{1}\u{7f}\u{a0}é";

/// Why a text that is JSON is no registry all the same.
const NOT_MEANT: [&str; 4] = ["\"agents\"", "expected an agent", "hex escape", "byte order mark"];

/// A text with characters changed, put in and removed.
fn spoilt() -> impl Strategy<Value = String> {
    let characters: Vec<char> = CHARACTERS.chars().collect();
    let change = (any::<Index>(), 0..3, select(characters));
    (registries(ANY), vec(change, 0..3)).prop_map(|(written, changes)| {
        let mut text: Vec<char> = written.text.chars().collect();
        for (place, how, character) in changes {
            let at = place.index(text.len());
            match how {
                0 => text[at] = character,
                1 => text.insert(at, character),
                _ => drop(text.remove(at)),
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn it_refuses_what_serde_json_refuses_and_there(text in spoilt()) {
        let members = serde_json::from_str::<HashMap<String, &RawValue>>(&text);
        match (Layout::of(&text), members) {
            (Ok(layout), Ok(members)) => {
                prop_assert_eq!(members["agents"].get(), &text[layout.agents.clone()]);
                for entry in layout.entries(&text) {
                    let body = &text[entry.span.clone()];
                    let keyed = match layout.scope {
                        Scope::Global => format!("{{{body}}}"),
                        Scope::Task | Scope::State => format!("{{{:?}:{body}}}", ""),
                    };
                    let read: HashMap<String, HashMap<String, &RawValue>> =
                        serde_json::from_str(&keyed).unwrap();
                    let (key, members) = read.into_iter().next().unwrap();
                    let field = |name: &str| {
                        let member = members.get(name)?;
                        serde_json::from_str::<String>(member.get()).ok()
                    };
                    let id = match layout.scope {
                        Scope::Global => key,
                        Scope::Task | Scope::State => field("id").unwrap_or_default(),
                    };
                    prop_assert_eq!(id, entry.id);
                    for (name, found) in [
                        ("status", entry.fields.status),
                        ("started_at", entry.fields.started_at),
                        ("tmux_session", entry.fields.tmux_session),
                    ] {
                        prop_assert_eq!(field(name), found.map(|text| text.into_owned()));
                    }
                }
            }
            (Err(corrupt), Ok(_)) => {
                let is_known = NOT_MEANT.iter().any(|reason| corrupt.reason.contains(reason));
                prop_assert!(is_known, "{}", corrupt);
            }
            (Err(corrupt), Err(error)) => {
                // A control character in a string is at its end or at its beginning, by
                // whether the string is read or passed over.
                let passed_over = serde_json::from_str::<IgnoredAny>(&text).err();
                let places: Vec<(usize, usize)> = passed_over
                    .iter()
                    .chain([&error])
                    .map(|error| (error.line(), error.column()))
                    .collect();
                prop_assert!(places.contains(&(corrupt.line, corrupt.column)), "{}", corrupt);
            }
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
        }
    }
}
