//! Texts without what differs from run to run.

use std::sync::LazyLock;

use regex::Regex;

/// What is replaced, by something of the same width where columns depend on it.
static CHANGING: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let patterns = [
        // The pids of a private world, see `dialogue`.
        (r"\b4\d{4}\b", "<pid>"),
        // The directory of a world.
        (r"agentutils-[A-Za-z0-9]{6}\b", "agentutils-<name>"),
        // A time in the name of a backup.
        (r"\b\d{8}T\d{6}\.\d+Z", "<time>"),
        // A time in a record.
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        // How long something has lived, in seconds.
        (r"\b\d\.\ds\b", "<s>s"),
        // The memory of a stand-in, and of ten.
        (r"\b\d\.\d MiB\b", "<m> MiB"),
        (r"\b\d\d(\.\d)? MiB\b", "<mm> MiB"),
        // Files that a script makes.
        (r"cleanup-plan\.[A-Za-z0-9]{6}\b", "cleanup-plan.<file>"),
        (r"cleanup-\d{8}T\d{6}Z-<pid>", "cleanup-<time>"),
        // The id of a scan.
        (r"\b[0-9a-f]{16}\b", "<scan>"),
    ];
    let compiled = patterns.map(|(pattern, name)| (Regex::new(pattern).expect("a pattern"), name));
    compiled.into()
});

/// A text without pids, times, ids and names that differ from run to run, without escapes
/// for colours, and without spaces at the ends of lines.
pub fn redacted(text: &str) -> String {
    let colours = Regex::new("\u{1b}\\[[0-9;]*m").expect("a pattern");
    let text = colours.replace_all(text, "");
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let redact = |text: String, (pattern, name): &(Regex, &str)| {
        pattern.replace_all(&text, *name).into_owned()
    };
    CHANGING.iter().fold(text, redact)
}
