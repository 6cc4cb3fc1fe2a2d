//! One entry of `agents`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use model::record::{Scope, Text};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::corrupt::Corrupt;
use super::text::{key, meaning};
use crate::clock::instants;

/// What an entry must be, for messages.
const WHAT: &str = "an agent (an object)";

/// The fields of an entry that the tools know. A field of another type than string
/// reads as if it were not there; of a field given twice the last one counts, as in
/// Python.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'t> {
    /// `id`; in a global registry the key is what counts.
    pub id: Option<Cow<'t, str>>,
    /// `agent_type` or, in older files, `type`.
    pub agent_type: Option<Cow<'t, str>>,
    /// `task_id`
    pub task_id: Option<Cow<'t, str>>,
    /// `parent`
    pub parent: Option<Cow<'t, str>>,
    /// `status`
    pub status: Option<Cow<'t, str>>,
    /// `tmux_session`
    pub tmux_session: Option<Cow<'t, str>>,
    /// `started_at`
    pub started_at: Option<Cow<'t, str>>,
    /// `last_update`
    pub last_update: Option<Cow<'t, str>>,
    /// `completed_at`
    pub completed_at: Option<Cow<'t, str>>,
}

impl Fields<'_> {
    /// When it was started, and the latest of its times.
    pub fn instants(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let times = [&self.started_at, &self.last_update, &self.completed_at];
        let [started_at, last_update, completed_at] = times.map(Option::as_deref);
        instants(started_at, last_update, completed_at)
    }
}

/// One entry of `agents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// The key of the object, or `id`; empty in an array entry without one.
    pub id: Cow<'t, str>,
    /// From the quote of the key, or the brace of the array entry, to the closing brace.
    pub span: Range<usize>,
    /// Its known fields.
    pub fields: Fields<'t>,
}

impl<'t> Entry<'t> {
    /// The entry that begins at `start` of a text.
    ///
    /// # Errors
    /// [`Corrupt`] when it is not an object, or has an invalid escape.
    pub(super) fn read(text: &'t str, start: usize, scope: Scope) -> Result<Entry<'t>, Corrupt> {
        let (key, value) = match scope {
            Scope::Global => key(text, start).map(|(key, value)| (Some(key), value))?,
            Scope::Task | Scope::State => (None, start),
        };
        if text.as_bytes().get(value) != Some(&b'{') {
            let expected = format!("expected {WHAT}");
            let said = serde_json::from_str::<Fields<'_>>(&text[value..]).err();
            let said = said.map(|error| Corrupt::json(text, value, &error));
            // Of a number such as 1e400 serde_json says only that it is out of range.
            let said = said.filter(|corrupt| corrupt.reason.contains(WHAT));
            return Err(said.unwrap_or_else(|| Corrupt::at(text, value, expected)));
        }
        let mut values = serde_json::Deserializer::from_str(&text[value..]).into_iter();
        let fields: Fields<'t> = match values.next() {
            Some(Ok(fields)) => fields,
            Some(Err(error)) => return Err(Corrupt::json(text, value, &error)),
            None => return Err(Corrupt::at(text, value, "not an entry")),
        };
        let id = key.or_else(|| fields.id.clone()).unwrap_or_default();
        Ok(Entry { id, span: start..value + values.byte_offset(), fields })
    }
}

impl<'de: 't, 't> Deserialize<'de> for Fields<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        let mut older_type = None;
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let field = match &*name {
                "id" => &mut fields.id,
                "agent_type" => &mut fields.agent_type,
                "type" => &mut older_type,
                "task_id" => &mut fields.task_id,
                "parent" => &mut fields.parent,
                "status" => &mut fields.status,
                "tmux_session" => &mut fields.tmux_session,
                "started_at" => &mut fields.started_at,
                "last_update" => &mut fields.last_update,
                "completed_at" => &mut fields.completed_at,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // Verbatim: a number may not fit into any type of ours.
            let value = map.next_value::<&'de RawValue>()?;
            let text = value.get().starts_with('"').then(|| meaning(value));
            *field = text.transpose().map_err(A::Error::custom)?;
        }
        fields.agent_type = fields.agent_type.or(older_type);
        Ok(fields)
    }
}
