//! Where the parts of a registry text are. One pass finds them and keeps only the beginning of
//! each entry: a registry may hold hundreds of thousands.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::HashSet;
use foldhash::fast::RandomState;
use model::record::Scope;

use super::corrupt::Corrupt;
use super::counters::counter_names;
use super::entry::Entry;
use super::members::Members;
use super::text::key;

/// Where the parts of a registry are.
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
            return Err(Corrupt::at(text, 0, "the file is empty"));
        }
        let (members, agents) = Members::of_registry(text)?;
        let agents = agents.ok_or_else(|| {
            Corrupt::at(text, text.trim_end().len().saturating_sub(1), "\"agents\" is missing")
        })?;
        // Of several, only the last counts; what is wrong with the others does not matter.
        let scope = agents.check(text)?;
        let counters = counter_names(scope).iter().map(|name| members.last_named(name)).collect();
        Ok(Layout { scope, agents: agents.span, counters, members, starts: agents.starts })
    }

    /// The entries in the order of the text, entries with the same id each.
    ///
    /// # Panics
    /// When `text` is not the one that the layout is of.
    pub fn entries<'t>(&self, text: &'t str) -> impl Iterator<Item = Entry<'t>> {
        self.starts.iter().map(move |start| {
            let entry = Entry::read(text, *start, self.scope);
            entry.unwrap_or_else(|corrupt| panic!("an entry was there: {corrupt}"))
        })
    }

    /// The ids that several entries of a global registry have, and how many.
    ///
    /// # Panics
    /// As [`Layout::entries`].
    pub fn doubles<'t>(&self, text: &'t str) -> BTreeMap<Cow<'t, str>, usize> {
        // Only the hash of most ids is kept; two ids with one hash are told apart afterwards.
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
            let key = key(text, *start).map(|(key, _)| key);
            key.unwrap_or_else(|corrupt| panic!("a key was there: {corrupt}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Fields;
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
            ("", 1, 1, "the file is empty"),
            (" \n", 1, 1, "the file is empty"),
            ("{\"agents\": {\n  \"a\": {\"x\": 1,}}}", 2, 16, "key must be a string"),
            ("{\"agents\": {}} x", 1, 16, "trailing characters"),
            ("\u{feff}{\"agents\": {}}", 1, 1, "byte order mark"),
            ("{\n\"agents\": null}", 2, 11, "\"agents\" is null"),
            ("{\"agents\": 5}", 1, 12, "\"agents\" is 5"),
            ("{\"a\": {}}\n", 1, 9, "\"agents\" is missing"),
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
