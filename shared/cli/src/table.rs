//! Tables for people: columns that align, fitted to the terminal, values in human units,
//! coloured by what they mean.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use textwrap::core::display_width;
use textwrap::{Options, WordSplitter};

use crate::cell::{Cell, NONE};
use crate::column::Column;
use crate::field::Unit;
use crate::word::Tone;

/// How much of a sentence or a list must fit into a line to be read.
const READABLE: usize = 16;

/// The space between two columns.
const GAP: &str = "  ";

/// How far what goes under a row is indented.
const UNDER: &str = "    ";

/// To which width a column of paths, sentences or lists is aligned in a pipe.
const RAGGED: usize = 32;

/// How a table looks.
#[derive(Clone, Copy, Debug)]
pub struct TableStyle {
    /// How many columns the terminal has; `None`: as many as it takes.
    pub width: Option<usize>,
    /// Whether to colour.
    pub colour: bool,
    /// Whether there is a line of headings above, and one of sums below.
    pub headings: bool,
    /// The indent of each line.
    pub indent: &'static str,
    /// The instant that ages are counted to; `None`: times show as they are.
    pub now: Option<Timestamp>,
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
/// ellipsis, or go there too if there is no room to read them. Nothing else is ever cut: columns
/// for which there is still no room go under their row as well.
pub fn render(columns: &[Column], rows: &[Vec<Cell>], style: &TableStyle) -> String {
    let headings: Vec<String> = columns.iter().map(Column::heading).collect();
    let mut widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(at, heading)| {
            let heading = if style.headings { display_width(heading) } else { 0 };
            let widest =
                rows.iter().map(|row| display_width(&row[at].text)).fold(heading, usize::max);
            // Where nobody looks, one long path does not move the columns of all rows.
            match (style.width, columns[at].field.unit) {
                (None, Unit::Path | Unit::Sentence | Unit::List(_)) => {
                    widest.min(RAGGED).max(heading)
                }
                _ => widest,
            }
        })
        .collect();
    let below = fit(columns, &mut widths, style);
    let layout = Layout { lines: lines(&widths, style), widths, below };
    let mut text = String::new();
    if style.headings {
        let cells: Vec<Cell> = headings.iter().map(|heading| Cell::plain(heading)).collect();
        row(columns, &cells, &layout, style, &mut text);
    }
    for cells in rows {
        row(columns, cells, &layout, style, &mut text);
    }
    text
}

/// Where the cells of a row go.
struct Layout {
    widths: Vec<usize>,
    /// The columns in each line of a row.
    lines: Vec<Vec<usize>>,
    /// The column that goes under its row instead.
    below: Option<usize>,
}

/// As many columns in a line as there is room for.
fn lines(widths: &[usize], style: &TableStyle) -> Vec<Vec<usize>> {
    let mut lines = vec![Vec::new()];
    let mut taken = style.indent.len();
    for (at, width) in widths.iter().enumerate().filter(|(_, width)| **width > 0) {
        let in_line = lines.last().map_or(0, Vec::len);
        let needed = width + if in_line > 0 { GAP.len() } else { 0 };
        if in_line > 0 && style.width.is_some_and(|room| taken + needed > room) {
            lines.push(vec![at]);
            taken = style.indent.len() + UNDER.len() + width;
        } else {
            lines.last_mut().expect("there is one").push(at);
            taken += needed;
        }
    }
    lines
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

fn row(columns: &[Column], cells: &[Cell], layout: &Layout, style: &TableStyle, text: &mut String) {
    for (number, line) in layout.lines.iter().enumerate() {
        let indent = format!("{}{}", style.indent, if number > 0 { UNDER } else { "" });
        let fit = |at: &usize| match style.width {
            Some(_) => fitted(&cells[*at].text, &columns[*at], layout.widths[*at]),
            None => vec![cells[*at].text.clone()],
        };
        let parts: Vec<Vec<String>> = line.iter().map(fit).collect();
        for row in 0..parts.iter().map(Vec::len).max().unwrap_or(0) {
            let mut shown = indent.clone();
            // Spaces are written only before the next cell: none at the end of a line.
            let mut owed = 0;
            for (&at, parts) in line.iter().zip(&parts) {
                let part = parts.get(row).map_or("", String::as_str);
                let free = layout.widths[at].saturating_sub(display_width(part));
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
    }
    if let Some(at) = layout.below.filter(|at| cells[*at].text != NONE) {
        let indent = format!("{}{UNDER}", style.indent);
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

/// A text in lines of at most this width, but for words that are longer.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    textwrap::wrap(text, wrapping(width)).into_iter().map(Cow::into_owned).collect()
}

/// Splits only between words: a hyphen may be part of a name.
fn wrapping(width: usize) -> Options<'static> {
    Options::new(width.max(1)).word_splitter(WordSplitter::NoHyphenation)
}

/// The lines that a text takes at this width: several for a sentence, one for a list.
fn fitted(text: &str, column: &Column, width: usize) -> Vec<String> {
    match column.field.unit {
        _ if display_width(text) <= width => vec![text.to_owned()],
        Unit::List(_) => vec![cut(text, width)],
        _ => wrapped(text, width),
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
    use crate::cell::cell;
    use crate::field::Field;
    use crate::word::Word;
    use serde_json::Value;
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
    fn cells_without_room_go_under_their_row_whole() {
        let columns = [
            column("id", Unit::Text),
            column("started", Unit::Text),
            column("rss_bytes", Unit::Bytes),
        ];
        let records = [json!({"id": "a".repeat(20), "started": "3h 7m ago", "rss_bytes": 2048})];
        let narrow = rendered(&columns, &records, &style(Some(32)));
        let id = "a".repeat(20);
        assert_eq!(
            narrow,
            format!("ID                    STARTED\n        RSS\n{id}  3h 7m ago\n    2.0 KiB\n")
        );
    }

    #[test]
    fn one_long_path_moves_no_other_row_in_a_pipe() {
        let columns = [column("path", Unit::Path), column("n", Unit::Number)];
        let records = [
            json!({"path": "/a", "n": 1}),
            json!({"path": format!("/{}", "b".repeat(99)), "n": 2}),
        ];
        let text = rendered(&columns, &records, &style(None));
        assert!(text.lines().nth(1).unwrap().len() == RAGGED + 3, "{text}");
        assert!(text.ends_with(&format!("{}  2\n", "b".repeat(99))), "{text}");
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
