//! Changes of a text, by the span that they replace.

use std::borrow::Cow;
use std::ops::Range;

/// A span of a text and its replacement.
pub(super) type Change<'c> = (Range<usize>, Cow<'c, str>);

/// Carries out changes, which must not overlap.
pub(super) fn apply(text: &str, mut changes: Vec<Change<'_>>) -> String {
    changes.sort_by_key(|(span, _)| (span.start, span.end));
    let grown: usize = changes.iter().map(|(_, replacement)| replacement.len()).sum();
    let gone: usize = changes.iter().map(|(span, _)| span.len()).sum();
    let mut result = String::with_capacity(text.len() + grown - gone);
    let mut at = 0;
    for (span, replacement) in changes {
        result += &text[at..span.start];
        result += &replacement;
        at = span.end;
    }
    result += &text[at..];
    result
}
