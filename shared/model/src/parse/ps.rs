//! The text of ps(1), of the fields that procps-ng and the BSDs, macOS among them, share,
//! and the two texts that macOS has in place of `/proc`.
//!
//! Every field but the last two is one word, or the five of `lstart`. A name may hold
//! spaces, and so may a command, so the pid stands between them once more. Both systems
//! replace control characters: a line is a process.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The fields to ask for, in this order, each with an empty heading (`-o pid= -o …`).
/// `lstart` must come in the C locale and in UTC.
pub const FIELDS: [&str; 12] = [
    "pid", "ppid", "pgid", "uid", "tty", "state", "rss", "time", "lstart", "ucomm", "pid",
    "command",
];

/// What a line of ps says of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Process id.
    pub pid: i32,
    /// Parent.
    pub ppid: i32,
    /// Process group.
    pub pgid: i32,
    /// Effective uid.
    pub uid: u32,
    /// Controlling terminal, as `pts/7` or `ttys003`.
    pub tty: Option<String>,
    /// One letter, of what may be several.
    pub state: char,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Processor time used.
    pub cpu: SignedDuration,
    /// When it started, to the second.
    pub started: Timestamp,
    /// The kernel's short name.
    pub name: String,
    /// Its arguments, joined by spaces; of one without any, its name in brackets.
    pub command: String,
}

/// Reads what ps printed.
///
/// # Errors
/// A sentence with the line that is not a process: no line is dropped silently.
pub fn lines(text: &str) -> Result<Vec<Line>, String> {
    let rows = text.lines().filter(|row| !row.trim().is_empty());
    rows.map(|row| {
        line(row).ok_or_else(|| format!("ps printed a line that is not a process: {row:?}"))
    })
    .collect()
}

fn line(row: &str) -> Option<Line> {
    let mut rest = row;
    let mut word = || {
        let text = rest.trim_start_matches(' ');
        let (word, tail) = text.split_at(text.find(' ').unwrap_or(text.len()));
        rest = tail;
        word
    };
    let words: [&str; 8] = std::array::from_fn(|_| word());
    let [pid, ppid, pgid, uid, tty, state, rss, time] = words;
    let [_weekday, month, day, clock, year]: [&str; 5] = std::array::from_fn(|_| word());
    let (name, command) = split_at_pid(rest, pid)?;
    let state = state.chars().next()?;
    // A dead process has no arguments any more, and both systems say so in their way.
    let is_dead = matches!(state, 'Z' | 'X');
    let name = if is_dead { name_of_dead(name) } else { name };
    Some(Line {
        pid: pid.parse().ok()?,
        ppid: ppid.parse().ok()?,
        // procps writes the -1 of a process that is just being reaped without a sign.
        pgid: pgid.parse::<i32>().ok().or_else(|| pgid.parse::<u32>().ok().map(|_| -1))?,
        uid: uid.parse().ok()?,
        tty: terminal(tty),
        state,
        rss_bytes: rss.parse::<u64>().ok()? * 1024,
        cpu: cpu_time(time)?,
        started: started(month, day, clock, year)?,
        name: name.to_owned(),
        command: if is_dead { String::new() } else { command.to_owned() },
    })
}

/// The name before the pid that stands by itself, and the command after it.
fn split_at_pid<'t>(text: &'t str, pid: &str) -> Option<(&'t str, &'t str)> {
    let at = text.match_indices(pid).map(|(at, _)| at).find(|&at| {
        let after = &text[at + pid.len()..];
        text[..at].ends_with(' ') && (after.is_empty() || after.starts_with(' '))
    })?;
    let command = &text[at + pid.len()..];
    Some((text[..at].trim(), command.strip_prefix(' ').unwrap_or(command).trim_end()))
}

/// `name <defunct>` on Linux, `(name)` or `<defunct>` on macOS.
fn name_of_dead(name: &str) -> &str {
    let name = name.strip_suffix("<defunct>").unwrap_or(name).trim_end();
    name.strip_prefix('(').and_then(|name| name.strip_suffix(')')).unwrap_or(name)
}

/// None is `?` on Linux, `??` on macOS, `-` on other BSDs.
fn terminal(tty: &str) -> Option<String> {
    let tty = tty.strip_prefix("/dev/").unwrap_or(tty);
    (!matches!(tty, "?" | "??" | "-")).then(|| tty.to_owned())
}

/// `[days-]hours:minutes:seconds` on Linux, `minutes:seconds.hundredths` on macOS.
fn cpu_time(text: &str) -> Option<SignedDuration> {
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut seconds = 0;
    for part in clock.split(':') {
        seconds = seconds * 60 + part.parse::<i64>().ok()?;
    }
    let seconds = seconds + days.parse::<i64>().ok()? * 24 * 3600;
    let hundredths = format!("{fraction:0<2}").get(..2)?.parse::<i64>().ok()?;
    Some(SignedDuration::from_secs(seconds) + SignedDuration::from_millis(hundredths * 10))
}

/// `Nov 22 12:57:00 2026` of `Sun Nov 22 12:57:00 2026`, in UTC.
fn started(month: &str, day: &str, clock: &str, year: &str) -> Option<Timestamp> {
    let text = format!("{month} {day} {clock} {year}");
    let time = DateTime::strptime("%b %e %H:%M:%S %Y", text).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

/// The seconds in what `sysctl -n kern.boottime` prints on macOS:
/// `{ sec = 1761780300, usec = 4711 } Wed Oct 29 23:25:00 2025`.
pub fn boot_second(text: &str) -> Option<i64> {
    let (_, after) = text.split_once("sec = ")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The running jobs in what `launchctl list` prints on macOS, as (pid, label): a heading,
/// then pid, last status and label, separated by tabs; a job that does not run has `-`.
pub fn launchd_jobs(text: &str) -> Vec<(i32, &str)> {
    text.lines()
        .filter_map(|line| {
            let mut columns = line.splitn(3, '\t');
            let pid = columns.next()?.trim().parse().ok()?;
            Some((pid, columns.nth(1)?))
        })
        .collect()
}
