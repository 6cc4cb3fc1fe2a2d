//! The members of one object of a registry text, and how others are added to them.

use std::ops::Range;

use super::Change;
use super::corrupt::{Corrupt, Wrong, meaning};
use super::json::Walk;

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
        let mut walk = Walk::new(text, start);
        let members = Members::walk(text, &mut walk, |walk, _| Ok(walk.value()?));
        members.map_err(|wrong| wrong.told(text, &walk))
    }

    /// The same on a walk; `value` passes over the value of the member of this name.
    pub(super) fn walk<'t>(
        text: &'t str,
        walk: &mut Walk<'t>,
        mut value: impl FnMut(&mut Walk<'t>, &str) -> Result<(), Wrong>,
    ) -> Result<Members, Wrong> {
        walk.peek();
        let open = walk.at() + 1;
        let mut members = Members { named: Vec::new(), separator: open..open, end: open };
        let mut more = walk.begin(b'{', b'}')?;
        while more {
            let quoted = walk.name()?;
            let name = meaning(text, quoted)?;
            walk.peek();
            let start = walk.at();
            value(walk, &name)?;
            members.separator = members.end..quoted.start;
            members.end = walk.at();
            members.named.push((name.into_owned(), start..members.end));
            more = walk.next(b'}')?;
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
