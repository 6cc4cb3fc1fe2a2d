//! Times and sizes as people write and read them.

use std::fmt::Write;
use std::time::Duration;

/// Reads `90`, `2s`, `1.5m`, `1h`, `7d`; without a unit, seconds.
///
/// # Errors
/// What is wrong with any other text.
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
    Duration::try_from_secs_f64(number * unit).map_err(|_| "too long".to_owned())
}

/// Reads `4096`, `512K`, `1.5MiB`, `1G`, `2TB`: without a unit, bytes; units are powers of
/// 1024.
///
/// # Errors
/// A sentence for anything else.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: [&str; 5] = ["", "k", "m", "g", "t"];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let letter = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit);
    let power = UNITS
        .iter()
        .position(|known| *known == letter)
        .ok_or_else(|| format!("unknown unit {unit:?}: use K, M, G or T"))?;
    let number: f64 =
        digits.parse().map_err(|_| "not a size such as 4096, 64M or 1G".to_owned())?;
    let bytes = number * 1024_f64.powi(power as i32);
    if (0.0..u64::MAX as f64).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err("too large".to_owned())
    }
}

/// A number of bytes as people read it: `512 B`, `1.5 KiB`, `21 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be rounded to 1024 is one of the next.
    while size >= 1023.5 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits = if size < 9.95 { 1 } else { 0 };
    format!("{size:.digits$} {}", UNITS[unit])
}

/// A number of seconds as people read it, in two units at most: `0.3s`, `12s`, `5m 3s`,
/// `2d 4h`.
pub fn duration(seconds: f64) -> String {
    let magnitude = seconds.abs();
    let sign = if seconds < 0.0 { "-" } else { "" };
    if magnitude < 9.95 {
        let digits = if magnitude == 0.0 { 0 } else { 1 };
        return format!("{sign}{magnitude:.digits$}s");
    }
    let whole = magnitude.round() as u64;
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, size)| whole >= *size).unwrap_or(3);
    let mut text = sign.to_owned();
    let mut left = whole;
    for (at, (name, size)) in units.iter().enumerate().skip(first).take(2) {
        if at == first || left / size > 0 {
            let space = if at == first { "" } else { " " };
            let _ = write!(text, "{space}{}{name}", left / size);
        }
        left %= size;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_people_write() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("4096", Ok(4096)),
            ("64k", Ok(65_536)),
            ("1.5MiB", Ok(1_572_864)),
            ("1G", Ok(1 << 30)),
            ("2tb", Ok(2 << 40)),
            ("10B", Ok(10)),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
        for text in ["", "x", "1X", "-1", "1e30", "1iB2", "nan"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_read_with_its_unit_or_as_seconds() {
        for (text, expected) in
            [("2", 2000), ("2s", 2000), ("1.5m", 90_000), ("1h", 3_600_000), ("0", 0)]
        {
            assert_eq!(seconds(text), Ok(Duration::from_millis(expected)), "{text}");
        }
        for text in ["", "s", "-1", "1w", "1 s", "nan", "inf", "1e30"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_has_two_digits_or_more_and_a_binary_unit() {
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10_188, "9.9 KiB"),
            (10_200, "10 KiB"),
            (1_048_063, "1023 KiB"),
            (1_048_064, "1.0 MiB"),
            (2_254_857_830, "2.1 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn a_duration_has_two_units_at_most() {
        for (seconds, text) in [
            (0.0, "0s"),
            (0.04, "0.0s"),
            (0.31, "0.3s"),
            (9.94, "9.9s"),
            (9.96, "10s"),
            (59.6, "1m"),
            (61.0, "1m 1s"),
            (3600.0, "1h"),
            (7_260.0, "2h 1m"),
            (90_061.0, "1d 1h"),
            (86_400.0 * 400.0 + 59.0, "400d"),
            (-75.0, "-1m 15s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
