//! An entry that a registry had, and where it stood.

use serde::{Deserialize, Serialize};

use super::text::Text;

/// An entry that was taken out or marked: what putting it back needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedEntry<'t> {
    /// Its id.
    #[serde(borrow)]
    pub id: Text<'t>,
    /// Its text, with the key where it had one.
    pub text: Text<'t>,
    /// How many entries of the same id stood before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copy: usize,
    /// The id of the entry that stood right before it.
    pub after: Option<Text<'t>>,
    /// How many entries of that one's id stood before that one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after_copy: usize,
    /// What stood between that one, or the opening bracket, and it.
    pub gap_before: Text<'t>,
    /// What stood between it and the next one, or the closing bracket.
    pub gap_behind: Text<'t>,
    /// What it was marked into; None when it was taken out.
    pub replaced_by: Option<Text<'t>>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
