//! Reading fields that may be `null` but must be there: a record without its `tty` must not
//! read as "has no terminal".

use serde::{Deserialize, Deserializer};

/// Reads a nullable field that must be present.
///
/// # Errors
/// What the inner type says, and "missing field" where the field is not there.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}
