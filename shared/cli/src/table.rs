//! Tables for people: columns that align, fitted to the terminal, values in human units,
//! coloured by what they mean.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde_json::Value;
use textwrap::core::display_width;
use textwrap::{Options, WordSplitter};

use crate::field::{Field, Unit};
use crate::units;
use crate::word::Tone;

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

/// How much of a sentence or a list must fit into a line to be read.
const READABLE: usize = 16;

/// What stands between two columns.
const GAP: &str = "  ";

/// How a table looks.
#[derive(Clone, Copy, Debug)]
pub struct TableStyle {
    /// How many columns the terminal has; `None`: as many as it takes.
    pub width: Option<usize>,
    /// Whether to colour.
    pub colour: bool,
    /// Whether there is a line of headings above, and one of sums below.
    pub headings: bool,
    /// What stands before each line.
    pub indent: &'static str,
    /// The instant that ages are counted to; `None`: times show as they are.
    pub now: Option<Timestamp>,
}

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Path of the field in the record, `a.b` being the field `b` of the field `a`.
    pub path: String,
    /// The field.
    pub field: Field,
}

impl Column {
    fn heading(&self) -> String {
        let inner = self.path.strip_suffix(self.field.name);
        // A name in a map is that of no field.
        let heading = inner.map(|inner| format!("{inner}{}", self.field.heading()));
        heading.unwrap_or_else(|| self.path.clone()).to_uppercase()
    }

    fn is_number(&self) -> bool {
        matches!(self.field.unit, Unit::Number | Unit::Bytes | Unit::Seconds)
    }
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
    /// A text that means nothing in particular.
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
            Cell { text: words(&value), tone: known.map_or(Tone::Plain, |known| known.tone) }
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

/// How long ago an instant was; `None` if there is nothing to count to, or it is none.
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

/// A text in the colour of what it means.
pub fn painted(text: &str, tone: Tone, colour: bool) -> String {
    let of = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    let style = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => of(AnsiColor::Green),
        Tone::Warn => of(AnsiColor::Yellow),
        Tone::Bad => of(AnsiColor::Red),
    };
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Rows under their headings, a line for each, as far as the terminal is wide enough.
///
/// Where it is not, the widest column of sentences or lists gives way: sentences are
/// wrapped, or go under their row if that takes more than two lines; lists are cut, with an
/// ellipsis, or go there too if there is no room to read them. Nothing else is ever cut.
pub fn render(columns: &[Column], rows: &[Vec<Cell>], style: &TableStyle) -> String {
    let headings: Vec<String> = columns.iter().map(Column::heading).collect();
    let mut widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(at, heading)| {
            let heading = if style.headings { display_width(heading) } else { 0 };
            rows.iter().map(|row| display_width(&row[at].text)).fold(heading, usize::max)
        })
        .collect();
    let below = fit(columns, &mut widths, style);
    let mut text = String::new();
    if style.headings {
        let cells: Vec<Cell> = headings.iter().map(|heading| Cell::plain(heading)).collect();
        line(columns, &cells, &widths, style, below, &mut text);
    }
    for row in rows {
        line(columns, row, &widths, style, below, &mut text);
    }
    text
}

/// Makes one column narrower if all together are too wide. Returns the one that goes under
/// its row instead.
fn fit(columns: &[Column], widths: &mut [usize], style: &TableStyle) -> Option<usize> {
    let gaps = GAP.len() * widths.len().saturating_sub(1) + style.indent.len();
    let whole: usize = widths.iter().sum::<usize>() + gaps;
    let over = whole.checked_sub(style.width?).filter(|over| *over > 0)?;
    let gives = |at: &usize| matches!(columns[*at].field.unit, Unit::Sentence | Unit::List(_));
    let widest = (0..columns.len()).filter(gives).max_by_key(|at| widths[*at])?;
    let left = widths[widest].saturating_sub(over);
    let is_last = widest + 1 == columns.len();
    let needed = match columns[widest].field.unit {
        Unit::Sentence => widths[widest].div_ceil(2),
        _ => READABLE.min(widths[widest]),
    };
    if left < needed && is_last && widest > 0 {
        widths[widest] = 0;
        return Some(widest);
    }
    widths[widest] = left.max(needed.min(READABLE));
    None
}

fn line(
    columns: &[Column],
    cells: &[Cell],
    widths: &[usize],
    style: &TableStyle,
    below: Option<usize>,
    text: &mut String,
) {
    let beside: Vec<usize> = (0..cells.len()).filter(|at| widths[*at] > 0).collect();
    let lines: Vec<Vec<String>> = cells
        .iter()
        .zip(columns)
        .zip(widths)
        .map(|((cell, column), width)| fitted(&cell.text, column, *width))
        .collect();
    let height = beside.iter().map(|at| lines[*at].len()).max().unwrap_or(0);
    for row in 0..height {
        let mut shown = style.indent.to_owned();
        // Spaces that something must follow: none at the end of a line.
        let mut owed = 0;
        for &at in &beside {
            let part = lines[at].get(row).map_or("", String::as_str);
            let free = widths[at].saturating_sub(display_width(part));
            let (before, behind) = if columns[at].is_number() { (free, 0) } else { (0, free) };
            if !part.is_empty() {
                shown.extend(std::iter::repeat_n(' ', owed + before));
                shown.push_str(&painted(part, cells[at].tone, style.colour));
                owed = 0;
            } else {
                owed += before;
            }
            owed += behind + GAP.len();
        }
        text.push_str(&shown);
        text.push('\n');
    }
    if let Some(at) = below.filter(|at| cells[*at].text != NONE) {
        let indent = format!("{}    ", style.indent);
        let width = style.width.unwrap_or(usize::MAX).saturating_sub(indent.len()).max(READABLE);
        for part in fitted(&cells[at].text, &columns[at], width) {
            text.push_str(&indent);
            text.push_str(&painted(&part, cells[at].tone, style.colour));
            text.push('\n');
        }
    }
}

/// A text in lines that fit the terminal.
pub fn filled(text: &str, style: &TableStyle) -> String {
    textwrap::fill(text, wrapping(style.width.unwrap_or(usize::MAX)))
}

/// Between words only: what is behind a hyphen may be the end of a name.
fn wrapping(width: usize) -> Options<'static> {
    Options::new(width.max(1)).word_splitter(WordSplitter::NoHyphenation)
}

/// The lines that a text takes at this width: several for a sentence, one for a list.
fn fitted(text: &str, column: &Column, width: usize) -> Vec<String> {
    match column.field.unit {
        _ if display_width(text) <= width => vec![text.to_owned()],
        Unit::List(_) => vec![cut(text, width)],
        _ => textwrap::wrap(text, wrapping(width)).into_iter().map(Cow::into_owned).collect(),
    }
}

/// A text, or its beginning, as much as there is room for, and an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let takes = display_width(c.encode_utf8(&mut [0; 4]));
        if takes > room {
            break;
        }
        room -= takes;
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word::Word;
    use serde_json::json;

    fn column(name: &'static str, unit: Unit) -> Column {
        Column { path: name.to_owned(), field: Field::new(name, unit, "", "") }
    }

    fn style(width: Option<usize>) -> TableStyle {
        TableStyle { width, colour: false, headings: true, indent: "", now: None }
    }

    fn rendered(columns: &[Column], records: &[Value], style: &TableStyle) -> String {
        let row = |record| columns.iter().map(|column| cell(record, column, style.now)).collect();
        let rows: Vec<Vec<Cell>> = records.iter().map(row).collect();
        render(columns, &rows, style)
    }

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        assert_eq!(escaped("a\u{1b}[31m\u{85}\u{202e}é日\n"), "a\\u{1b}[31m\\u{85}\\u{202e}é日\\n");
    }

    #[test]
    fn values_are_in_human_units() {
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

    #[test]
    fn columns_align_by_width_on_a_terminal() {
        let columns = [column("name", Unit::Text), column("rss_bytes", Unit::Bytes)];
        let records =
            [json!({"name": "日本", "rss_bytes": 1}), json!({"name": "abcdef", "rss_bytes": 2048})];
        let expected = "NAME        RSS\n日本        1 B\nabcdef  2.0 KiB\n";
        assert_eq!(rendered(&columns, &records, &style(None)), expected);
        let within = Column { path: "counters.x".to_owned(), ..column("counters", Unit::Text) };
        assert_eq!(within.heading(), "COUNTERS.X");
        let bare = TableStyle { headings: false, indent: "> ", ..style(None) };
        assert_eq!(rendered(&columns, &records, &bare), "> 日本        1 B\n> abcdef  2.0 KiB\n");
    }

    #[test]
    fn sentences_are_wrapped_or_go_under_their_row() {
        let columns = [column("target", Unit::Text), column("reason", Unit::Sentence)];
        let reason = "its parent is gone and no-thing holds it any more";
        let records = [json!({"target": "process 7", "reason": reason})];
        let beside = "TARGET     REASON\n\
                      process 7  its parent is gone and\n           no-thing holds it any more\n";
        assert_eq!(rendered(&columns, &records, &style(Some(41))), beside);
        let below = "TARGET\n    REASON\nprocess 7\n    its parent is gone and\n    no-thing holds it any more\n";
        let narrow = rendered(&columns, &records, &style(Some(30)));
        assert_eq!(narrow, below);
        assert!(narrow.lines().all(|line| display_width(line) <= 30), "{narrow}");
    }

    #[test]
    fn lists_are_cut_and_names_never() {
        let columns = [column("name", Unit::Text), column("args", Unit::List("strings"))];
        let records =
            [json!({"name": "a".repeat(30), "args": ["claude", "--print", "日本語".repeat(9)]})];
        let text = rendered(&columns, &records, &style(Some(60)));
        assert!(
            text.contains(&"a".repeat(30)) && text.ends_with("claude --print 日本語日本語…\n"),
            "{text}"
        );
        assert!(text.lines().all(|line| display_width(line) <= 60), "{text}");
        let text = rendered(&columns, &records, &style(Some(20)));
        assert!(text.contains(&"a".repeat(30)), "{text}");
    }

    #[test]
    fn colours_enclose_words_only() {
        const KINDS: &[Word] = &[Word::toned("bad", Tone::Bad)];
        let kind = column("kind", Unit::Word(KINDS));
        let columns = [kind, column("n", Unit::Number)];
        let records = [json!({"kind": "bad", "n": 1}), json!({"kind": "other", "n": 2})];
        let text = rendered(&columns, &records, &TableStyle { colour: true, ..style(None) });
        assert_eq!(text, "KIND   N\n\u{1b}[31mbad\u{1b}[0m    1\nother  2\n");
    }
}
