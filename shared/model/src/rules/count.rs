//! Numbers of things, in words.

use std::collections::BTreeMap;

use itertools::Itertools;

/// `3 processes`, `1 process`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How often each reason is given.
pub(super) fn by_reason(reasons: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    reasons.into_iter().counts().into_iter().collect()
}
