//! Instants, and the times that registries spell without an offset.

use std::env;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The instant that a registry's time means. With an offset or `Z` it says so itself; without
/// one it is local time (`TZ`), and of the two readings in the hour that a clock change
/// repeats, the later: an agent rather counts as younger.
pub fn instant(text: &str) -> Option<Timestamp> {
    // The characters of an offset also occur in a date, but not after its ten characters.
    let may_have_offset = text.get(10..).is_some_and(|time| time.contains(['Z', 'z', '+', '-']));
    if may_have_offset && let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let naive: DateTime = text.parse().ok()?;
    local().to_ambiguous_timestamp(naive).later().ok()
}

/// The instants of the times of an entry, as the registry spells them: when it was started, and
/// the latest of all.
pub fn instants(
    started_at: Option<&str>,
    last_update: Option<&str>,
    completed_at: Option<&str>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let started = started_at.and_then(instant);
    let last_update = match last_update == started_at {
        // As in every entry that was not touched since it was made.
        true => started,
        false => last_update.and_then(instant),
    };
    let times = [started, last_update, completed_at.and_then(instant)];
    (started, times.into_iter().flatten().max())
}

/// Now as a registry spells it: local time without an offset, as Python's
/// `datetime.now().isoformat()`.
pub fn local_now() -> String {
    Timestamp::now().to_zoned(local().clone()).strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}

/// The time zone of this process (tzset(3)).
fn local() -> &'static TimeZone {
    static LOCAL: OnceLock<TimeZone> = OnceLock::new();
    let read = || zone_file().and_then(|file| read_zone(&file)).unwrap_or_else(TimeZone::system);
    LOCAL.get_or_init(read)
}

/// The one file that holds the zone, where that is plain: jiff reads all directories of the
/// database before it looks for a zone in it.
fn zone_file() -> Option<PathBuf> {
    let Some(name) = env::var_os("TZ") else { return Some(PathBuf::from("/etc/localtime")) };
    let name = PathBuf::from(name);
    let is_name = name.components().all(|part| matches!(part, Component::Normal(_)));
    let is_plain = is_name && !name.as_os_str().is_empty() && env::var_os("TZDIR").is_none();
    is_plain.then(|| Path::new("/usr/share/zoneinfo").join(name))
}

/// `None` if it is not a file of tzfile(5): then the time zone is named in another way.
fn read_zone(file: &Path) -> Option<TimeZone> {
    TimeZone::tzif("local", &fs::read(file).ok()?).ok()
}
