//! Tests that this machine cannot run.

use std::env;
use std::io::{self, Write};

/// Says on standard error, past the capture of the test runner, that a test is skipped.
///
/// # Panics
/// When `AGENTUTILS_NO_SKIP` is `1`: where every test must run.
pub fn skip(name: &str, reason: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED {name}: {reason}");
    let forbidden = env::var("AGENTUTILS_NO_SKIP").is_ok_and(|value| value == "1");
    assert!(!forbidden, "{name} was to run: {reason}");
}
