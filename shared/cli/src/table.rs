//! Tables for people.

use comfy_table::{Cell, ContentArrangement, Table, presets};
use serde_json::Value;

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

/// What a field that is not there, or is `null`, shows as.
pub const NONE: &str = "-";

/// The value of a field, `a.b` being the field `b` of the field `a`, as a word.
pub fn field(record: &Value, name: &str) -> String {
    let value = name.split('.').try_fold(record, |value, part| value.get(part));
    match value {
        None | Some(Value::Null) => NONE.to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) => escaped(text),
        Some(Value::Array(items)) => {
            let words: Vec<String> = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            escaped(&words.join(" "))
        }
        Some(other) => escaped(&other.to_string()),
    }
}

/// Rows under a heading, columns aligned by what they take on a terminal.
pub fn render(fields: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(fields.iter().map(|name| Cell::new(name.to_uppercase())));
    table.add_rows(rows);
    let last = fields.len().saturating_sub(1);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at == last { 0 } else { 2 }));
    }
    let mut text = String::new();
    for line in table.lines() {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        assert_eq!(escaped("a\u{1b}[31m\u{85}\u{202e}é日\n"), "a\\u{1b}[31m\\u{85}\\u{202e}é日\\n");
    }

    #[test]
    fn fields_are_words() {
        let record =
            json!({"a": {"b": 1}, "list": ["x", "y"], "none": null, "empty": "", "t": "\t"});
        for (name, word) in [
            ("a.b", "1"),
            ("list", "x y"),
            ("none", "-"),
            ("empty", "\"\""),
            ("gone", "-"),
            ("t", "\\t"),
        ] {
            assert_eq!(field(&record, name), word);
        }
    }

    #[test]
    fn columns_align_by_width_on_a_terminal() {
        let fields = ["name".to_owned(), "n".to_owned()];
        let rows =
            [vec!["日本".to_owned(), "1".to_owned()], vec!["abcdef".to_owned(), "2".to_owned()]];
        assert_eq!(render(&fields, &rows), "NAME    N\n日本    1\nabcdef  2\n");
    }
}
