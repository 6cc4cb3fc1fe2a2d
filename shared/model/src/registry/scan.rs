//! Where things stand in a registry text. serde_json checks the grammar and hands out
//! the spans; no tree of values is built, so the memory needed stays near that of the
//! text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::counter_names;
use super::members::{EachMember, Members};
use crate::record::Scope;
use crate::text::Text;

/// A registry text that cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1; 0 at the start of a line.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl Corrupt {
    fn at(text: &str, offset: usize, reason: impl Into<String>) -> Corrupt {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        Corrupt {
            line: before.iter().filter(|&&b| b == b'\n').count() + 1,
            column: before.len() - line_start + 1,
            reason: reason.into(),
        }
    }

    /// An error of serde_json in `part`, which begins at `offset` of `text`.
    pub(super) fn json(text: &str, offset: usize, error: &serde_json::Error) -> Corrupt {
        let message = error.to_string();
        let reason =
            message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
        let cut_off = if error.is_eof() { "cut off: " } else { "" };
        let start = Corrupt::at(text, offset, format!("{cut_off}{reason}"));
        Corrupt {
            line: start.line + error.line().saturating_sub(1),
            column: if error.line() <= 1 {
                start.column - 1 + error.column()
            } else {
                error.column()
            },
            ..start
        }
    }
}

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

/// Where the parts of a registry stand that are not entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The kind of registry.
    pub scope: Scope,
    /// `agents`, brackets included. Of several, the last, as in Python.
    pub agents: Range<usize>,
    /// The counters of [`counter_names`], in that order: span of the value.
    pub counters: Vec<Option<Range<usize>>>,
    /// All members of the top level.
    pub members: Members,
}

/// Reads a registry text and shows every entry to `on_entry`, in the order of the text,
/// entries with the same id each.
///
/// # Errors
/// [`Corrupt`] when the text is not JSON, when `agents` is missing or neither object nor
/// array, or when an entry is not an object. What a tool was shown before counts for
/// nothing then.
pub fn scan<'t>(
    text: &'t str,
    mut on_entry: impl FnMut(Scope, Entry<'t>),
) -> Result<Layout, Corrupt> {
    if text.starts_with('\u{feff}') {
        return Err(Corrupt::at(text, 0, "byte order mark before the JSON text"));
    }
    let start = text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
    if start == text.len() {
        return Err(Corrupt::at(text, 0, "it is empty"));
    }
    let members = Members::read(text, start..text.len())?;
    let agents = members.last_named("agents").ok_or_else(|| {
        Corrupt::at(text, text.trim_end().len().saturating_sub(1), "there is no \"agents\"")
    })?;
    let raw = &text[agents.clone()];
    let scope = match raw.as_bytes()[0] {
        b'{' => Scope::Global,
        b'[' => Scope::Task,
        _ => {
            let reason = format!("\"agents\" is {}, not an object or array", shorten(raw));
            return Err(Corrupt::at(text, agents.start, reason));
        }
    };
    let mut wrong = None;
    let mut end_of_previous = agents.start + 1;
    let mut see = |key: Option<Cow<'t, str>>, value: &'t str| {
        let start = offset_in(text, value);
        let key_start = match key {
            // Between the entry before and this one stand a comma, white space, the key.
            Some(_) => end_of_previous + text[end_of_previous..].find('"').unwrap_or(0),
            None => start,
        };
        end_of_previous = start + value.len();
        match serde_json::from_str::<EntryFields<'t>>(value) {
            Ok(EntryFields(fields)) => {
                let id = key.or_else(|| fields.id.clone()).unwrap_or_default();
                on_entry(scope, Entry { id, span: key_start..end_of_previous, fields });
            }
            Err(error) if wrong.is_none() => wrong = Some(Corrupt::json(text, start, &error)),
            Err(_) => {}
        }
    };
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let walked = match scope {
        Scope::Global => deserializer.deserialize_map(EachMember(|key: Text<'t>, value| {
            see(Some(key.0), value);
        })),
        Scope::Task => deserializer.deserialize_seq(EachItem(|value| see(None, value))),
    };
    walked.map_err(|error| Corrupt::json(text, agents.start, &error))?;
    if let Some(corrupt) = wrong {
        return Err(corrupt);
    }
    Ok(Layout {
        scope,
        agents,
        counters: counter_names(scope).iter().map(|name| members.last_named(name)).collect(),
        members,
    })
}

fn shorten(raw: &str) -> &str {
    crate::tmux_text::cut(raw, 20)
}

/// The position of `part`, which must be a slice of `text`.
pub(super) fn offset_in(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

/// Shows the raw text of every item of an array.
struct EachItem<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for EachItem<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<&'de RawValue>()? {
            (self.0)(value.get());
        }
        Ok(())
    }
}

struct EntryFields<'t>(Fields<'t>);

impl<'de> serde::Deserialize<'de> for EntryFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntryVisitor).map(EntryFields)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an agent (an object)")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        let mut older_type = None;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let field = match &*key {
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
            *field = map.next_value_seed(StringOrNothing)?;
        }
        fields.agent_type = fields.agent_type.or(older_type);
        Ok(fields)
    }
}

/// A string; any other value is passed over.
struct StringOrNothing;

impl<'de> DeserializeSeed<'de> for StringOrNothing {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let raw: &'de RawValue = serde::Deserialize::deserialize(deserializer)?;
        if !raw.get().starts_with('"') {
            return Ok(None);
        }
        serde_json::from_str::<Text<'de>>(raw.get())
            .map(|text| Some(text.0))
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Result<Vec<Entry<'_>>, Corrupt> {
        let mut entries = Vec::new();
        scan(text, |_, entry| entries.push(entry)).map(|_| entries)
    }

    #[test]
    fn entries_and_their_spans() {
        let text =
            r#"{"x": 1, "agents": {"a" : {"status":"working"} , "b\u0041":{"n":[{"id":1}]}}}"#;
        let entries = entries(text).unwrap();
        let spans: Vec<&str> = entries.iter().map(|e| &text[e.span.clone()]).collect();
        assert_eq!(spans, [r#""a" : {"status":"working"}"#, r#""b\u0041":{"n":[{"id":1}]}"#]);
        assert_eq!(entries[1].id, "bA");
        assert_eq!(entries[0].fields.status.as_deref(), Some("working"));
    }

    #[test]
    fn task_entries_are_named_by_id() {
        let text = r#"{"agents": [{"id": "a", "status": "x", "status": "running"}, {"id": 5}]}"#;
        let entries = entries(text).unwrap();
        assert_eq!((&*entries[0].id, &*entries[1].id), ("a", ""));
        assert_eq!(entries[0].fields.status.as_deref(), Some("running"));
        assert_eq!(&text[entries[1].span.clone()], r#"{"id": 5}"#);
    }

    #[test]
    fn values_of_other_types_are_passed_over() {
        let text =
            r#"{"agents": {"a": {"status": 5, "tmux_session": null, "n": 1e400, "d": [[[]]]}}}"#;
        assert_eq!(entries(text).unwrap()[0].fields, Fields::default());
    }

    #[test]
    fn the_last_of_equal_members_counts() {
        let text =
            r#"{"agents": {"a": {}}, "active_agents": 1, "agents": {"b": {}}, "active_agents": 2}"#;
        let mut ids = Vec::new();
        let layout = scan(text, |_, entry| ids.push(entry.id)).unwrap();
        assert_eq!(ids, ["b"]);
        assert_eq!(&text[layout.counters[1].clone().unwrap()], "2");
        assert_eq!(layout.counters[0], None);
    }

    #[test]
    fn errors_say_where() {
        for (text, line, column, reason) in [
            ("", 1, 1, "it is empty"),
            (" \n", 1, 1, "it is empty"),
            ("{\"agents\": {\n  \"a\": {\"x\": 1,}}}", 2, 16, "key must be a string"),
            ("{\"agents\": {}} x", 1, 16, "trailing characters"),
            ("\u{feff}{\"agents\": {}}", 1, 1, "byte order mark"),
            ("{\n\"agents\": null}", 2, 11, "\"agents\" is null"),
            ("{\"agents\": 5}", 1, 12, "\"agents\" is 5"),
            ("{\"a\": {}}\n", 1, 9, "there is no \"agents\""),
            ("{\"agents\": {\n\n\"a\": 5}}", 3, 6, "an agent (an object)"),
            ("{\"agents\": [{}, 5]}", 1, 17, "an agent (an object)"),
            ("[]", 1, 0, "an object"),
            ("{\"agents\": {\"a\": {\"status\": \"wor", 1, 32, "cut off: EOF"),
        ] {
            let corrupt = entries(text).unwrap_err();
            assert_eq!((corrupt.line, corrupt.column), (line, column), "{text}: {corrupt}");
            assert!(corrupt.reason.contains(reason), "{text}: {corrupt}");
        }
    }

    #[test]
    fn deep_nesting_is_no_matter() {
        let deep = format!("{}{}", "[".repeat(4000), "]".repeat(4000));
        let text = format!("{{\"agents\": {{\"a\": {{\"x\": {deep}}}}}}}");
        assert_eq!(entries(&text).unwrap().len(), 1);
    }
}
