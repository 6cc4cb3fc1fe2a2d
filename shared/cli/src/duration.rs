//! Durations on the command line.

use std::time::Duration;

/// Reads `90`, `2s`, `1.5m`, `1h`, `7d`; without a unit, seconds.
///
/// # Errors
/// A sentence for anything else.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        other => return Err(format!("unknown unit {other:?}: use s, m, h or d")),
    };
    let number: f64 = digits.parse().map_err(|_| "not a time such as 2s, 1m or 1h".to_owned())?;
    Duration::try_from_secs_f64(number * unit).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, expected) in
            [("2", 2000), ("2s", 2000), ("1.5m", 90_000), ("1h", 3_600_000), ("0", 0)]
        {
            assert_eq!(seconds(text), Ok(Duration::from_millis(expected)), "{text}");
        }
        for text in ["", "s", "-1", "1w", "1 s", "nan", "inf", "1e30"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
