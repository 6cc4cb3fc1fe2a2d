//! What is wrong with a registry text, and where.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::cursor::{Cursor, Quoted, Refused};

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
    pub(super) fn at(text: &str, offset: usize, reason: impl Into<String>) -> Corrupt {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        Corrupt {
            line: before.iter().filter(|&&b| b == b'\n').count() + 1,
            column: before.len() - line_start + 1,
            reason: reason.into(),
        }
    }

    /// An error of serde_json in what begins at `offset` of `text`.
    fn json(text: &str, offset: usize, error: &serde_json::Error) -> Corrupt {
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

    /// What serde_json finds wrong with the object that should begin at `offset`.
    pub(super) fn object(text: &str, offset: usize, what: &'static str) -> Option<Corrupt> {
        let mut deserializer = serde_json::Deserializer::from_str(&text[offset..]);
        let read = deserializer.deserialize_map(Object(what)).and_then(|()| deserializer.end());
        read.err().map(|error| Corrupt::json(text, offset, &error))
    }
}

/// An object of any members.
struct Object(&'static str);

impl<'de> Visitor<'de> for Object {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Why a cursor did not come to its end.
pub(super) enum Wrong {
    /// The text is not JSON.
    Refused,
    /// It may be, but it means nothing here.
    Means(Corrupt),
}

impl From<Refused> for Wrong {
    fn from(_: Refused) -> Wrong {
        Wrong::Refused
    }
}

impl Wrong {
    /// What is wrong with the text, in the words of serde_json.
    pub fn told(self, text: &str, cursor: &Cursor<'_>) -> Corrupt {
        match self {
            Wrong::Means(corrupt) => corrupt,
            Wrong::Refused => Corrupt::object(text, start_of(text), "an object")
                .unwrap_or_else(|| Corrupt::at(text, cursor.at(), "not JSON")),
        }
    }
}

fn start_of(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len()
}

/// The meaning of a string of a text.
#[inline]
pub(super) fn meaning<'t>(text: &str, string: Quoted<'t>) -> Result<Cow<'t, str>, Wrong> {
    let corrupt = |error| Wrong::Means(Corrupt::json(text, string.start, &error));
    string.meaning().map_err(corrupt)
}
