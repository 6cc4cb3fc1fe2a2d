//! What is wrong with a registry text, and where.

use std::fmt;

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

    /// What serde_json found wrong in the part that begins at `offset` of `text`.
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
