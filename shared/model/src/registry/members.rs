//! The members of one object of a registry text, and how others are added to them.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Change;
use super::scan::{Corrupt, offset_in};
use crate::text::Text;

/// The members of one object, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// Name and span of the value, in the order of the text.
    named: Vec<(String, Range<usize>)>,
    /// What stands before the last member: a comma, unless it is the only one, and white
    /// space.
    separator: Range<usize>,
    /// The end of the last member.
    end: usize,
}

impl Members {
    /// Reads the object that stands at `span` of a text and ends it but for white space.
    pub(super) fn read(text: &str, span: Range<usize>) -> Result<Members, Corrupt> {
        let open = span.start + 1;
        let mut members = Members { named: Vec::new(), separator: open..open, end: open };
        let mut see = |key: Text<'_>, value: &str| {
            let start = offset_in(text, value);
            let quote = members.end + text[members.end..].find('"').unwrap_or(0);
            members.separator = members.end..quote;
            members.end = start + value.len();
            members.named.push((key.into_owned(), start..members.end));
        };
        let mut deserializer = serde_json::Deserializer::from_str(&text[span.clone()]);
        deserializer
            .deserialize_map(EachMember(|key: Text<'_>, value: &str| see(key, value)))
            .and_then(|()| deserializer.end())
            .map_err(|error| Corrupt::json(text, span.start, &error))?;
        Ok(members)
    }

    /// The value of a member; of several with one name, the last, as in Python.
    pub(super) fn last_named(&self, name: &str) -> Option<Range<usize>> {
        self.named.iter().rev().find(|(key, _)| key == name).map(|(_, span)| span.clone())
    }

    /// The change that adds members, given as name and JSON text, in the manner of those
    /// that are there.
    pub(super) fn addition(&self, text: &str, members: &[(&str, String)]) -> Option<Change> {
        let separator = &text[self.separator.clone()];
        let mut added = String::new();
        for (name, value) in members {
            let is_first = self.named.is_empty() && added.is_empty();
            let comma = if is_first || separator.contains(',') { "" } else { "," };
            added += &format!("{comma}{separator}\"{name}\": {value}");
        }
        (!added.is_empty()).then_some((self.end..self.end, added))
    }
}

/// Shows every member of an object with the raw text of its value.
pub(super) struct EachMember<F>(pub F);

impl<'de, F: FnMut(Text<'de>, &'de str)> Visitor<'de> for EachMember<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            let value: &'de RawValue = map.next_value()?;
            (self.0)(key, value.get());
        }
        Ok(())
    }
}
