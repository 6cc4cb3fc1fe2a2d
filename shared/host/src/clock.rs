//! Instants, and the times that registries spell without an offset.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

/// The local time zone. jiff would look every time whether it is still the same.
static LOCAL: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// Now, to the millisecond: what goes into records.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    let whole =
        jiff::TimestampRound::new().smallest(Unit::Millisecond).mode(jiff::RoundMode::Trunc);
    now.round(whole).unwrap_or(now)
}

/// The instant that a registry's time means. With an offset or `Z` it says so itself;
/// without one it is local time (`TZ`), and of the two readings in the hour that a
/// clock change repeats, the later: an agent is rather taken for younger.
pub fn instant(text: &str) -> Option<Timestamp> {
    // What can stand in an offset stands in a date, too, but not behind its ten characters.
    let may_have_offset = text.get(10..).is_some_and(|time| time.contains(['Z', 'z', '+', '-']));
    if may_have_offset && let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let naive: DateTime = text.parse().ok()?;
    LOCAL.to_ambiguous_timestamp(naive).later().ok()
}

/// Now as a registry spells it: local time without an offset, as Python's
/// `datetime.now().isoformat()`.
pub fn local_now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}
