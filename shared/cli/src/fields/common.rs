//! Fields that several types of records have.

use crate::field::{Field, Unit};
use crate::word::Word;

/// The scan of a record.
pub const SCAN: Field =
    Field::new("scan", Unit::Text, "The scan it belongs to", "The scan it belongs to.");

/// The two kinds of registries.
pub const SCOPE: Unit = Unit::Word(&[
    Word::plain("global", "its `agents` is an object"),
    Word::plain("task", "its `agents` is an array"),
]);
