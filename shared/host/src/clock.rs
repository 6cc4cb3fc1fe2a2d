//! The clock.

use jiff::{Timestamp, TimestampRound, Unit};

/// Now, to the millisecond: what goes into records.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    let whole = TimestampRound::new().smallest(Unit::Millisecond).mode(jiff::RoundMode::Trunc);
    now.round(whole).unwrap_or(now)
}
