//! Single values for people: in human units, escaped, with what they mean.

use jiff::Timestamp;
use serde_json::Value;

use crate::column::Column;
use crate::field::Unit;
use crate::units;
use crate::word::Tone;

/// How a missing or `null` field is shown.
pub const NONE: &str = "-";

/// A text with everything escaped that could move a cursor, change a colour or turn the
/// direction of writing: C0 and C1 controls, DEL, and the bidirectional marks.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let is_direction = matches!(c,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || is_direction || matches!(c, '\u{2028}' | '\u{2029}') {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// One value, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its text, without control characters.
    pub text: String,
    /// What it means.
    pub tone: Tone,
}

impl Cell {
    /// A text without a tone.
    pub fn plain(text: &str) -> Cell {
        Cell { text: escaped(text), tone: Tone::Plain }
    }
}

/// The value at a path in a record. Through a list it leads to the list of what it leads
/// to in each item.
pub fn at(record: &Value, path: &str) -> Value {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let step = |value: &Value| rest.map_or_else(|| value.clone(), |rest| at(value, rest));
    match record {
        Value::Array(items) => {
            let found = items.iter().map(|item| at(item, path));
            let flat = found.flat_map(|value| match value {
                Value::Array(inner) => inner,
                Value::Null => Vec::new(),
                other => vec![other],
            });
            Value::Array(flat.collect())
        }
        other => other.get(name).map_or(Value::Null, step),
    }
}

/// The value of a column in a record, for people.
pub fn cell(record: &Value, column: &Column, now: Option<Timestamp>) -> Cell {
    let value = at(record, &column.path);
    let plain = |text: String| Cell { text, tone: Tone::Plain };
    match (&column.field.unit, &value) {
        (Unit::Word(values), Value::String(word)) => {
            let known = values.iter().find(|known| known.word == word);
            let shown = known.and_then(|known| known.shown);
            Cell {
                text: shown.map_or_else(|| words(&value), str::to_owned),
                tone: known.map_or(Tone::Plain, |known| known.tone),
            }
        }
        (Unit::Flag(tone), Value::Bool(true)) => Cell { text: "yes".to_owned(), tone: *tone },
        (Unit::Flag(_), Value::Bool(false)) => plain("no".to_owned()),
        (Unit::Bytes, Value::Number(number)) if number.is_u64() => {
            plain(units::bytes(number.as_u64().unwrap_or_default()))
        }
        (Unit::Seconds, Value::Number(number)) => {
            plain(units::duration(number.as_f64().unwrap_or_default()))
        }
        (Unit::Time, Value::String(text)) => plain(age(text, now).unwrap_or_else(|| words(&value))),
        _ => plain(words(&value)),
    }
}

/// How long ago an instant was; `None` without an instant to count to, or if the value is not
/// an instant.
fn age(time: &str, now: Option<Timestamp>) -> Option<String> {
    let seconds = now?.duration_since(time.parse().ok()?).as_secs_f64();
    Some(match seconds < 0.0 {
        true => format!("in {}", units::duration(-seconds)),
        false => format!("{} ago", units::duration(seconds)),
    })
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => NONE.to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => escaped(text),
        Value::Array(items) if items.is_empty() => NONE.to_owned(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(" "),
        other => escaped(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Field;
    use serde_json::json;

    fn column(name: &'static str, unit: Unit) -> Column {
        Column { path: name.to_owned(), field: Field::new(name, unit, "", "") }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escaped("a\u{1b}[31m\u{85}\u{202e}é日\n"), "a\\u{1b}[31m\\u{85}\\u{202e}é日\\n");
    }

    #[test]
    fn values_are_shown_in_human_units() {
        let record = json!({
            "a": {"b": 1}, "list": ["x", "y"], "none": null, "empty": "", "t": "\t",
            "panes": [{"running": ["a", "b"]}, {"running": ["c"]}, {}],
            "rss_bytes": 2_254_857_830_u64, "cpu_seconds": 61.0, "yes": true, "no": false,
            "time": "2026-11-22T12:00:00Z", "later": "2026-11-22T13:00:00Z", "untime": "yore",
            "blanks": ["x", "", "z"],
        });
        let now = "2026-11-22T12:01:05Z".parse().unwrap();
        for (path, unit, text) in [
            ("a.b", Unit::Number, "1"),
            ("list", Unit::List("strings"), "x y"),
            ("panes.running", Unit::List("strings"), "a b c"),
            ("none", Unit::Text, "-"),
            ("empty", Unit::Text, "\"\""),
            ("empty", Unit::Word(&[]), "\"\""),
            ("empty", Unit::Time, "\"\""),
            ("blanks", Unit::List("strings"), "x \"\" z"),
            ("gone", Unit::Bytes, "-"),
            ("t", Unit::Text, "\\t"),
            ("rss_bytes", Unit::Bytes, "2.1 GiB"),
            ("cpu_seconds", Unit::Seconds, "1m 1s"),
            ("yes", Unit::Flag(Tone::Warn), "yes"),
            ("no", Unit::Flag(Tone::Warn), "no"),
            ("time", Unit::Time, "1m 5s ago"),
            ("later", Unit::Time, "in 58m 55s"),
            ("untime", Unit::Time, "yore"),
        ] {
            assert_eq!(cell(&record, &column(path, unit), Some(now)).text, text, "{path}");
        }
        let time = column("time", Unit::Time);
        assert_eq!(cell(&record, &time, None).text, "2026-11-22T12:00:00Z");
    }
}
