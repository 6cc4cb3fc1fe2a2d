//! The value of `agents`, passed over once: where its entries begin.

use std::fmt;
use std::ops::Range;

use model::record::Scope;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::corrupt::Corrupt;
use super::entry::Entry;
use super::text::{skip_space, span_of};

/// What is in `agents`.
#[derive(Debug)]
pub(super) struct Agents {
    /// The kind of registry; None when this is neither object nor array.
    pub scope: Option<Scope>,
    /// Its span, brackets included.
    pub span: Range<usize>,
    /// Where each entry begins: at the quote of its key, or at its brace.
    pub starts: Vec<usize>,
    /// Entries that are still to be checked: those that are not objects, and those with an
    /// escape, which may be invalid.
    suspects: Vec<usize>,
}

impl Agents {
    /// What kind of registry this makes.
    ///
    /// # Errors
    /// [`Corrupt`] when it is neither object nor array, or when an entry is not an object.
    pub fn check(&self, text: &str) -> Result<Scope, Corrupt> {
        let Some(scope) = self.scope else {
            let found = model::parse::tmux::cut(&text[self.span.clone()], 20);
            let reason = format!("\"agents\" is {found}, not an object or array");
            return Err(Corrupt::at(text, self.span.start, reason));
        };
        for start in &self.suspects {
            Entry::read(text, *start, scope)?;
        }
        Ok(scope)
    }
}

/// Reads the `agents` whose value begins at `start` of a text.
pub(super) struct AgentsAt<'t> {
    pub text: &'t str,
    pub start: usize,
}

impl<'t> DeserializeSeed<'t> for AgentsAt<'t> {
    type Value = Agents;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Agents, D::Error> {
        let AgentsAt { text, start } = self;
        let span = start..start + 1;
        let (starts, suspects) = (Vec::new(), Vec::new());
        let agents = Agents { scope: None, span, starts, suspects };
        match text.as_bytes().get(start) {
            Some(b'{') => deserializer.deserialize_map(Collect { text, agents }),
            Some(b'[') => deserializer.deserialize_seq(Collect { text, agents }),
            _ => {
                let span = span_of(text, <&RawValue>::deserialize(deserializer)?.get());
                Ok(Agents { span, ..agents })
            }
        }
    }
}

/// Collects the items.
struct Collect<'t> {
    text: &'t str,
    agents: Agents,
}

impl<'t> Collect<'t> {
    fn add(&mut self, key: Option<&'t RawValue>, value: &'t RawValue) {
        let has_escape = |part: &RawValue| part.get().as_bytes().contains(&b'\\');
        let start = span_of(self.text, key.unwrap_or(value).get()).start;
        self.agents.starts.push(start);
        if !value.get().starts_with('{') || has_escape(value) || key.is_some_and(has_escape) {
            self.agents.suspects.push(start);
        }
        self.agents.span.end = span_of(self.text, value.get()).end;
    }

    fn end(mut self, scope: Scope) -> Agents {
        self.agents.scope = Some(scope);
        self.agents.span.end = skip_space(self.text, self.agents.span.end) + 1;
        self.agents
    }
}

impl<'t> Visitor<'t> for Collect<'t> {
    type Value = Agents;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("agents")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<Agents, A::Error> {
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            self.add(Some(key), value);
        }
        Ok(self.end(Scope::Global))
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut items: A) -> Result<Agents, A::Error> {
        while let Some(value) = items.next_element::<&RawValue>()? {
            self.add(None, value);
        }
        Ok(self.end(Scope::Task))
    }
}
