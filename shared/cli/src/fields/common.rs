//! Fields that several types of records have.

use crate::field::{Field, Unit};
use crate::word::Word;

/// The scan of a record.
pub const SCAN: Field =
    Field::new("scan", Unit::Text, "The scan it belongs to", "The scan it belongs to.");

/// How a registry is written.
pub const FORMAT: Field = Field::new(
    "format",
    Unit::Word(&[Word::plain("json", "a JSON file"), Word::plain("sqlite", "a SQLite database")]),
    "How the registry is written: json or sqlite",
    "How the registry is written. Missing: *json*.",
)
.absent();

/// The kinds of registries.
pub const SCOPE: Unit = Unit::Word(&[
    Word::plain("global", "its `agents` is an object"),
    Word::plain("task", "its `agents` is an array"),
    Word::plain("state", "its `agents` is a table"),
]);
