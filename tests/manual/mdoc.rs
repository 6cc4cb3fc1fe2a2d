//! The texts of the table of fields as mdoc(7).

use cli::{ALL, Field, Unit};

/// How long a line of the source of a page gets.
const WIDTH: usize = 78;

/// A text of the table as lines of mdoc(7): a new sentence on a new line, a macro for each
/// `` `x` ``, `*x*` and `name(1)`.
pub fn mdoc(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut rest = text;
    while let Some(token) = next(&mut rest) {
        let ends_sentence = token.ends_with(['.', ':', ';']) || token.ends_with(".)");
        match macro_of(token) {
            Some(line_of_macro) => {
                lines.extend((!line.is_empty()).then(|| std::mem::take(&mut line)));
                lines.push(line_of_macro);
            }
            None => {
                if !line.is_empty() && line.len() + 1 + token.len() > WIDTH {
                    lines.push(std::mem::take(&mut line));
                }
                line += if line.is_empty() { "" } else { " " };
                line += &token.replace('\\', "\\e");
                if ends_sentence {
                    lines.push(std::mem::take(&mut line));
                }
            }
        }
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The next word, or what stands between a pair of marks, with the punctuation behind it.
fn next<'t>(rest: &mut &'t str) -> Option<&'t str> {
    *rest = rest.trim_start();
    let mark = rest.chars().next()?;
    let closed = match mark {
        '`' | '*' => rest[1..].find(mark).map_or(0, |at| at + 2),
        _ => 0,
    };
    let end = rest[closed..].find(' ').map_or(rest.len(), |at| closed + at);
    let (token, after) = rest.split_at(end);
    *rest = after;
    Some(token)
}

/// The line for a word that is marked or names a page; punctuation behind it is a word there.
fn macro_of(token: &str) -> Option<String> {
    let end = token.rfind(['`', '*', ')'])? + 1;
    let (bare, behind) = token.split_at(end);
    let marked = |mark: char| bare.strip_prefix(mark)?.strip_suffix(mark);
    let line = if let Some(word) = marked('*') {
        format!(".Sy {word}")
    } else if let Some(word) = marked('`') {
        literal(word)
    } else {
        let (name, section) = bare.strip_suffix(')')?.split_once('(')?;
        let is_page = !name.is_empty() && section.len() == 1;
        is_page.then(|| format!(".Xr {name} {section}"))?
    };
    Some(behind.chars().fold(line, |line, c| format!("{line} {c}")))
}

fn literal(word: &str) -> String {
    if word == "null" {
        return ".Dv null".to_owned();
    }
    if let Some(variable) =
        word.strip_prefix('$').filter(|name| !name.starts_with(char::is_numeric))
    {
        return format!(".Ev {variable}");
    }
    if let Some(option) = word.strip_prefix('-') {
        return format!(".Fl {option}");
    }
    if word.starts_with('/') {
        return format!(".Pa {word}");
    }
    let is_field = ALL.iter().any(|record| has(record.fields, word));
    format!("{} {}", if is_field { ".Va" } else { ".Ql" }, word.replace('\\', "\\e"))
}

fn has(fields: &[Field], name: &str) -> bool {
    fields.iter().any(|field| {
        let inner = match field.unit {
            Unit::Object(inner) | Unit::Objects(inner) | Unit::Map(inner) => inner,
            _ => &[],
        };
        field.name == name || has(inner, name)
    })
}

#[test]
fn marks_become_macros_and_sentences_lines() {
    for (text, lines) in [
        ("Its parent.", "Its parent.\n"),
        ("The `scan`. `null`: none.", "The\n.Va scan .\n.Dv null :\nnone.\n"),
        ("By ps(1), `-Q`, or `$TMUX`.", "By\n.Xr ps 1 ,\n.Fl Q ,\nor\n.Ev TMUX .\n"),
        ("*all*: such as `a b`, `/proc`", ".Sy all :\nsuch as\n.Ql a b ,\n.Pa /proc\n"),
        ("(with ps(1), of it) `\\\\`", "(with\n.Xr ps 1 ,\nof it)\n.Ql \\e\\e\n"),
        ("Such as `$3`: unique.", "Such as\n.Ql $3 :\nunique.\n"),
    ] {
        assert_eq!(mdoc(text), lines, "{text}");
    }
    let long = "word ".repeat(40);
    assert!(mdoc(&long).lines().all(|line| line.len() <= WIDTH));
}
