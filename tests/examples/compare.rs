//! The output that a text shows against that of a run.
//!
//! What differs from run to run and from machine to machine is compared by its shape:
//! times, spans of time, sizes, numbers of three and more digits such as pids, and the
//! blanks with which tables are laid out. Smaller numbers count things, and must be right.
//! A line of `...` stands for any number of lines, and `...` in a line for any text.

use std::sync::LazyLock;

use regex::Regex;

/// How many lines of unexpected output are shown.
const MOST: usize = 25;

/// Names on this machine that a text shows in another way.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The directory, in the texts `/home/me/project`.
    pub directory: String,
    /// The host, in the texts `devbox`.
    pub host: String,
    /// The user, in the texts `me`.
    pub user: String,
}

impl Reader {
    /// A run's output as a text would show it.
    pub fn as_shown(&self, output: &str) -> String {
        let text = output.replace(&self.directory, "/home/me/project");
        let word = |word: &str| Regex::new(&format!(r"\b{}\b", regex::escape(word)));
        let host = word(&self.host).expect("a pattern");
        let user = word(&self.user).expect("a pattern");
        user.replace_all(&host.replace_all(&text, "devbox"), "me").into_owned()
    }
}

/// Patterns, and what stands for what they match.
static SHAPES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", "TIME"),
        (r"\b\d{8}T\d{6}Z", "TIME"),
        (r"\b\d+(\.\d+)? ?([KMGT]i?)?B\b", "SIZE"),
        (r"\b(\d+(\.\d+)? ?(ms|min|[smhd]) ?)*\d+(\.\d+)? ?(ms|min|[smhd]|days?)\b", "SPAN"),
        (r"\bpts/\d+", "TTY"),
        (r#""(scan|boot_id|start_time|pid_ns)":"[^"]*""#, r#""$1":ID"#),
        (r#""(uids?|rss_bytes|cpu_seconds)":[^,}]*"#, r#""$1":N"#),
        (r"\b\d+\.\d+\b|\b\d{3,}\b", "N"),
        (r"[─━═=-]{3,}", "---"),
        (r"\s+", " "),
    ]
    .map(|(pattern, shape)| (Regex::new(pattern).expect("a pattern"), shape))
    .into()
});

fn shape(line: &str) -> String {
    let shaped = SHAPES
        .iter()
        .fold(line.to_owned(), |line, (pattern, shape)| pattern.replace_all(&line, *shape).into());
    shaped.replace('…', "...").trim().to_owned()
}

/// What differs, a line each: `-` expected, `+` printed. None if the output is as shown.
pub fn difference(shown: &[String], output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().collect();
    let shapes: Vec<String> = shown.iter().map(|line| shape(line)).collect();
    let came: Vec<String> = lines.iter().map(|line| shape(line)).collect();
    let same = same(&shapes, &came);
    if same == (shown.len(), came.len()) {
        return None;
    }
    let agreed = shown[..same.0].iter().map(|line| format!("    {line}"));
    let missing = shown[same.0..].iter().map(|line| format!("  - {line}"));
    let other = lines[same.1..].iter().map(|line| format!("  + {line}"));
    Some(agreed.chain(missing).chain(other.take(MOST)).collect::<Vec<_>>().join("\n"))
}

/// How many lines of both agree, from the start. Of the ways to read a `...`, the best counts.
fn same(shown: &[String], came: &[String]) -> (usize, usize) {
    let Some((first, rest)) = shown.split_first() else {
        return (0, 0);
    };
    if first == "..." {
        let further = |skipped: usize| {
            let (more_shown, more_came) = same(rest, &came[skipped..]);
            (more_shown + 1, more_came + skipped)
        };
        let all = (shown.len(), came.len());
        let ways: Vec<_> = (0..=came.len()).map(further).collect();
        let whole = ways.iter().find(|way| **way == all);
        return *whole.or(ways.iter().max()).expect("at least one way");
    }
    match came.split_first() {
        Some((line, others)) if is_like(first, line) => {
            let (more_shown, more_came) = same(rest, others);
            (more_shown + 1, more_came + 1)
        }
        _ => (0, 0),
    }
}

fn is_like(shown: &str, line: &str) -> bool {
    let parts: Vec<String> = shown.split("...").map(|part| regex::escape(part.trim())).collect();
    let pattern = format!("^{}$", parts.join(".*"));
    Regex::new(&pattern).expect("a pattern of escaped text").is_match(line)
}

fn agree(shown: &[&str], output: &str) -> bool {
    let shown: Vec<String> = shown.iter().map(|&line| line.to_owned()).collect();
    difference(&shown, output).is_none()
}

#[test]
fn times_sizes_and_long_numbers_are_compared_by_shape() {
    assert!(agree(&["process 4711  parent gone"], "process 31007 parent gone\n"));
    assert!(agree(&["since 2026-11-22T12:17:12Z, 3 s"], "since 2027-01-02T03:04:05.6Z, 12 min"));
    assert!(agree(&["1.1 GiB pts/3"], "977 KiB  pts/12"));
    assert!(!agree(&["88 ghosts"], "87 ghosts"));
    assert!(!agree(&["8 sessions"], "9 sessions"));
    assert!(!agree(&["8 done"], "8 done\nmore"));
    assert!(!agree(&["8 done", "more"], "8 done"));
    assert!(!agree(&["process 4711"], "session 4711"));
}

#[test]
fn dots_stand_for_lines_or_for_text() {
    assert!(agree(&["a", "...", "z"], "a\nb\nc\nz"));
    assert!(agree(&["...", "z"], "z"));
    assert!(agree(&["...", "z", "..."], "z\nz\ny"));
    assert!(!agree(&["...", "z"], "z\ny"));
    assert!(!agree(&["a", "...", "z"], "a\nb"));
    assert!(agree(&[r#"{"id":"x",...}"#], r#"{"id":"x","status":null}"#));
    assert!(!agree(&[r#"{"id":"x",...}"#], r#"{"id":"y","status":null}"#));
}
