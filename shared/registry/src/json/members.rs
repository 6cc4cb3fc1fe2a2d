//! The members of one object of a registry text, and how others are added to them.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::agents::{Agents, AgentsAt};
use super::change::Change;
use super::corrupt::Corrupt;
use super::text::{meaning, skip_space, span_of};

/// The members of one object, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// Name and span of the value, in the order of the text.
    named: Vec<(String, Range<usize>)>,
    /// The text before the last member: a comma, unless it is the only one, and white space.
    separator: Range<usize>,
    /// The end of the last member.
    end: usize,
}

impl Members {
    /// Reads the object that begins at `start` of a text and is all of it from there.
    ///
    /// # Errors
    /// [`Corrupt`] when it is no object, or something follows it.
    pub(super) fn read(text: &str, start: usize) -> Result<Members, Corrupt> {
        Members::read_each(text, start, None)
    }

    /// Reads the members of the registry itself, and where the entries of `agents` begin,
    /// unless there is no `agents`.
    ///
    /// # Errors
    /// As of [`Members::read`].
    pub(super) fn of_registry(text: &str) -> Result<(Members, Option<Agents>), Corrupt> {
        let mut agents = None;
        Ok((Members::read_each(text, 0, Some(&mut agents))?, agents))
    }

    fn read_each(
        text: &str,
        start: usize,
        agents: Option<&mut Option<Agents>>,
    ) -> Result<Members, Corrupt> {
        let mut deserializer = serde_json::Deserializer::from_str(&text[start..]);
        let mut key = None;
        let object = Object { text, start, corrupt: &mut key, agents };
        let members = deserializer.deserialize_map(object);
        members
            .and_then(|members| deserializer.end().map(|()| members))
            .map_err(|error| key.unwrap_or_else(|| Corrupt::json(text, start, &error)))
    }

    /// The value of a member; of several with one name, the last, as in Python.
    pub(super) fn last_named(&self, name: &str) -> Option<Range<usize>> {
        self.named.iter().rev().find(|(key, _)| key == name).map(|(_, span)| span.clone())
    }

    /// Where the last member ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The change that adds members, given as name and JSON text, in the manner of those
    /// that are there.
    pub(super) fn addition(
        &self,
        text: &str,
        members: &[(&str, String)],
    ) -> Option<Change<'static>> {
        let separator = &text[self.separator.clone()];
        let mut added = String::new();
        for (name, value) in members {
            let is_first = self.named.is_empty() && added.is_empty();
            let comma = if is_first || separator.contains(',') { "" } else { "," };
            added += &format!("{comma}{separator}\"{name}\": {value}");
        }
        (!added.is_empty()).then_some((self.end..self.end, added.into()))
    }
}

/// An object of any members.
struct Object<'t, 'c> {
    text: &'t str,
    start: usize,
    /// What is wrong with a key.
    corrupt: &'c mut Option<Corrupt>,
    /// Where to put what is found out of `agents`.
    agents: Option<&'c mut Option<Agents>>,
}

impl<'t> Visitor<'t> for Object<'t, '_> {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<Members, A::Error> {
        let text = self.text;
        let open = skip_space(text, self.start) + 1;
        let mut members = Members { named: Vec::new(), separator: open..open, end: open };
        while let Some(key) = map.next_key::<&RawValue>()? {
            let place = span_of(text, key.get());
            let name = meaning(key).map_err(|error| {
                *self.corrupt = Some(Corrupt::json(text, place.start, &error));
                A::Error::custom(error)
            })?;
            let value = match &mut self.agents {
                Some(agents) if name == "agents" => {
                    let colon = skip_space(text, place.end);
                    let start = skip_space(text, colon + 1);
                    let agents = agents.insert(map.next_value_seed(AgentsAt { text, start })?);
                    agents.span.clone()
                }
                _ => span_of(text, map.next_value::<&RawValue>()?.get()),
            };
            members.separator = members.end..place.start;
            members.end = value.end;
            members.named.push((name.into_owned(), value));
        }
        Ok(members)
    }
}
