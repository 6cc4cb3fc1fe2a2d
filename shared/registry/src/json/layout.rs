//! Where things stand in a registry text. One cursor over it finds that out and keeps
//! nothing of an entry but where it begins: a registry may hold hundreds of thousands.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Range;

use super::corrupt::{Corrupt, Wrong, meaning};
use super::counters::counter_names;
use super::cursor::{Cursor, Refused};
use super::members::Members;
use foldhash::HashSet;
use foldhash::fast::RandomState;
use model::record::Scope;

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

/// Where the parts of a registry stand.
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
    /// Where each entry begins: at the quote of its key, or at its brace.
    starts: Vec<usize>,
}

impl Layout {
    /// Reads a registry text.
    ///
    /// # Errors
    /// [`Corrupt`] when the text is not JSON, when `agents` is missing or neither object nor
    /// array, or when an entry is not an object.
    pub fn of(text: &str) -> Result<Layout, Corrupt> {
        if text.starts_with('\u{feff}') {
            return Err(Corrupt::at(text, 0, "byte order mark before the JSON text"));
        }
        if text.trim_ascii().is_empty() {
            return Err(Corrupt::at(text, 0, "it is empty"));
        }
        let mut cursor = Cursor::new(text, 0);
        let mut agents = None;
        let members = Members::cursor(text, &mut cursor, |cursor, name| {
            match name {
                // Of several, only the last counts; what is wrong with the others does not matter.
                "agents" => agents = Some(Agents::cursor(text, cursor)?),
                _ => cursor.value()?,
            }
            Ok(())
        });
        let members = members
            .and_then(
                |members| if cursor.peek().is_none() { Ok(members) } else { Err(Wrong::Refused) },
            )
            .map_err(|wrong| wrong.told(text, &cursor))?;
        let Agents { scope, span, starts, wrong } = agents.ok_or_else(|| {
            Corrupt::at(text, text.trim_end().len().saturating_sub(1), "there is no \"agents\"")
        })?;
        if let Some(corrupt) = wrong {
            return Err(corrupt);
        }
        let counters = counter_names(scope).iter().map(|name| members.last_named(name)).collect();
        Ok(Layout { scope, agents: span, counters, members, starts })
    }

    /// The entries in the order of the text, entries with the same id each.
    ///
    /// # Panics
    /// When `text` is not the one that the layout is of.
    pub fn entries<'t>(&self, text: &'t str) -> impl Iterator<Item = Entry<'t>> {
        self.starts.iter().map(move |start| {
            let entry = entry(text, &mut Cursor::new(text, *start), self.scope);
            entry.unwrap_or_else(|_| panic!("no entry at byte {start}, where one was"))
        })
    }

    /// The ids under which several entries of a global registry stand, and how many.
    ///
    /// # Panics
    /// As [`Layout::entries`].
    pub fn doubles<'t>(&self, text: &'t str) -> BTreeMap<Cow<'t, str>, usize> {
        // Of most ids only the hash is kept. Two ids of one hash are sorted out afterwards.
        let (hasher, mut seen) = (RandomState::default(), HashSet::default());
        seen.reserve(self.starts.len());
        let suspects = self.keys(text).filter(|key| !seen.insert(hasher.hash_one(key)));
        let mut doubles: BTreeMap<_, usize> = suspects.map(|key| (key, 0)).collect();
        if !doubles.is_empty() {
            for key in self.keys(text) {
                doubles.entry(key).and_modify(|count| *count += 1);
            }
            doubles.retain(|_, count| *count > 1);
        }
        doubles
    }

    fn keys<'t>(&self, text: &'t str) -> impl Iterator<Item = Cow<'t, str>> {
        let keyed = if self.scope == Scope::Global { &self.starts[..] } else { &[] };
        keyed.iter().map(move |start| {
            let key = Cursor::new(text, *start).name().ok().and_then(|key| key.meaning().ok());
            key.unwrap_or_else(|| panic!("no key at byte {start}, where one was"))
        })
    }
}

/// The value of `agents`.
struct Agents {
    scope: Scope,
    span: Range<usize>,
    starts: Vec<usize>,
    /// Why it is none.
    wrong: Option<Corrupt>,
}

impl Agents {
    fn cursor<'t>(text: &'t str, cursor: &mut Cursor<'t>) -> Result<Agents, Refused> {
        let first = cursor.peek();
        let start = cursor.at();
        let scope = if first == Some(b'[') { Scope::Task } else { Scope::Global };
        let (starts, wrong) = match first {
            Some(b'{') => entries(text, cursor, scope, b'{', b'}')?,
            Some(b'[') => entries(text, cursor, scope, b'[', b']')?,
            _ => {
                cursor.value()?;
                let found = model::parse::tmux::cut(&text[start..cursor.at()], 20);
                let reason = format!("\"agents\" is {found}, not an object or array");
                (Vec::new(), Some(Corrupt::at(text, start, reason)))
            }
        };
        Ok(Agents { scope, span: start..cursor.at(), starts, wrong })
    }
}

/// Passes over the entries: where they begin, and what is wrong with the first that is none.
fn entries<'t>(
    text: &'t str,
    cursor: &mut Cursor<'t>,
    scope: Scope,
    open: u8,
    close: u8,
) -> Result<(Vec<usize>, Option<Corrupt>), Refused> {
    let (mut starts, mut wrong) = (Vec::new(), None);
    let mut more = cursor.begin(open, close)?;
    while more {
        cursor.peek();
        starts.push(cursor.at());
        // Only an escape can fail to mean a character: any other object is an entry.
        let mut again = Cursor::new(text, cursor.at());
        *cursor = again;
        if scope == Scope::Global {
            cursor.name()?;
        }
        let is_object = cursor.peek() == Some(b'{');
        cursor.value()?;
        if !is_object || cursor.has_escape() {
            match entry(text, &mut again, scope) {
                Ok(_) => {}
                Err(Wrong::Refused) => return Err(Refused),
                Err(Wrong::Means(corrupt)) => {
                    wrong.get_or_insert(corrupt);
                }
            }
        }
        more = cursor.next(close)?;
    }
    Ok((starts, wrong))
}

fn entry<'t>(text: &'t str, cursor: &mut Cursor<'t>, scope: Scope) -> Result<Entry<'t>, Wrong> {
    let start = cursor.at();
    let key = match scope {
        Scope::Global => Some(meaning(text, cursor.name()?)?),
        Scope::Task | Scope::State => None,
    };
    let fields = fields(text, cursor)?;
    let id = key.or_else(|| fields.id.clone()).unwrap_or_default();
    Ok(Entry { id, span: start..cursor.at(), fields })
}

fn fields<'t>(text: &'t str, cursor: &mut Cursor<'t>) -> Result<Fields<'t>, Wrong> {
    if cursor.peek() != Some(b'{') {
        const WHAT: &str = "an agent (an object)";
        // Of a number such as 1e400 serde_json says only that it is out of range.
        let corrupt = Corrupt::object(text, cursor.at(), WHAT)
            .filter(|corrupt| corrupt.reason.contains(WHAT))
            .unwrap_or_else(|| Corrupt::at(text, cursor.at(), format!("expected {WHAT}")));
        return Err(Wrong::Means(corrupt));
    }
    let mut fields = Fields::default();
    let mut older_type = None;
    let mut more = cursor.begin(b'{', b'}')?;
    while more {
        let field = match &*meaning(text, cursor.name()?)? {
            "id" => Some(&mut fields.id),
            "agent_type" => Some(&mut fields.agent_type),
            "type" => Some(&mut older_type),
            "task_id" => Some(&mut fields.task_id),
            "parent" => Some(&mut fields.parent),
            "status" => Some(&mut fields.status),
            "tmux_session" => Some(&mut fields.tmux_session),
            "started_at" => Some(&mut fields.started_at),
            "last_update" => Some(&mut fields.last_update),
            "completed_at" => Some(&mut fields.completed_at),
            _ => None,
        };
        match (field, cursor.peek()) {
            (Some(field), Some(b'"')) => *field = Some(meaning(text, cursor.string()?)?),
            (field, _) => {
                cursor.value()?;
                field.into_iter().for_each(|field| *field = None);
            }
        }
        more = cursor.next(b'}')?;
    }
    fields.agent_type = fields.agent_type.or(older_type);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Result<Vec<Entry<'_>>, Corrupt> {
        Layout::of(text).map(|layout| layout.entries(text).collect())
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
        let layout = Layout::of(text).unwrap();
        assert_eq!(entries(text).unwrap()[0].id, "b");
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
            ("{\"agents\": [{}, 1e400]}", 1, 17, "expected an agent (an object)"),
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
