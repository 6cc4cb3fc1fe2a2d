//! The members of one object of a registry text, and how others are added to them.

use std::ops::Range;

use super::change::Change;
use super::corrupt::{Corrupt, Wrong, meaning};
use super::cursor::Cursor;

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
    /// Reads the object that begins at `start` of a text.
    pub(super) fn read(text: &str, start: usize) -> Result<Members, Corrupt> {
        let mut cursor = Cursor::new(text, start);
        let members = Members::cursor(text, &mut cursor, |cursor, _| Ok(cursor.value()?));
        members.map_err(|wrong| wrong.told(text, &cursor))
    }

    /// The same on a cursor; `value` passes over the value of the member of this name.
    pub(super) fn cursor<'t>(
        text: &'t str,
        cursor: &mut Cursor<'t>,
        mut value: impl FnMut(&mut Cursor<'t>, &str) -> Result<(), Wrong>,
    ) -> Result<Members, Wrong> {
        cursor.peek();
        let open = cursor.at() + 1;
        let mut members = Members { named: Vec::new(), separator: open..open, end: open };
        let mut more = cursor.begin(b'{', b'}')?;
        while more {
            let quoted = cursor.name()?;
            let name = meaning(text, quoted)?;
            cursor.peek();
            let start = cursor.at();
            value(cursor, &name)?;
            members.separator = members.end..quoted.start;
            members.end = cursor.at();
            members.named.push((name.into_owned(), start..members.end));
            more = cursor.next(b'}')?;
        }
        Ok(members)
    }

    /// The value of a member; of several with one name, the last, as in Python.
    pub(super) fn last_named(&self, name: &str) -> Option<Range<usize>> {
        self.named.iter().rev().find(|(key, _)| key == name).map(|(_, span)| span.clone())
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
