//! Names in a jq expression that no record has. Said when the expression has matched nothing: most
//! often a word is misspelt, and an empty list reads as "there is none".

use crate::field::{Field, RecordType, TYPE, Unit};

/// How many letters may be wrong in a word of this length.
fn distance(word: &str) -> usize {
    match word.len() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    }
}

/// What is said of an expression about records of these types, of the program `program`.
pub fn misspelt(expression: &str, records: &[RecordType], program: &str) -> Vec<String> {
    let mut known = Known::default();
    known.fields.push(TYPE.name);
    for record in records {
        known.words.push(record.word);
        known.add(record.fields);
    }
    let mut notes: Vec<String> = Vec::new();
    for token in tokens(expression) {
        let note = match token {
            Token::Field(name) if !known.fields.contains(&name) => {
                match nearest(name, &known.fields) {
                    Some(near) => {
                        format!("filter: no record has a field {name:?}; did you mean {near:?}?")
                    }
                    None => {
                        format!("filter: no record has a field {name:?}; '{program} -H' lists them")
                    }
                }
            }
            Token::Text(text) if !known.words.contains(&text) => {
                match nearest(text, &known.words) {
                    Some(near) => format!("filter: did you mean {near:?} by {text:?}?"),
                    None => continue,
                }
            }
            _ => continue,
        };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// The names of fields, whole records within others included, and the words that they hold.
#[derive(Default)]
struct Known {
    fields: Vec<&'static str>,
    words: Vec<&'static str>,
}

impl Known {
    fn add(&mut self, fields: &'static [Field]) {
        for field in fields {
            self.fields.push(field.name);
            match field.unit {
                Unit::Word(words) => self.words.extend(words.iter().map(|word| word.word)),
                Unit::Object(inner)
                | Unit::Objects(inner)
                | Unit::Map(inner)
                | Unit::Record(inner) => self.add(inner),
                _ => {}
            }
        }
    }
}

fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(word, known), *known));
    let (far, near) = near.min()?;
    (far <= distance(word)).then_some(near)
}

/// What counts of a jq expression.
#[derive(Debug, PartialEq, Eq)]
enum Token<'e> {
    /// `.name`
    Field(&'e str),
    /// A string without escapes.
    Text(&'e str),
}

fn tokens(expression: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        rest = match first {
            '#' => behind.split_once('\n').map_or("", |(_, rest)| rest),
            '"' => {
                let mut is_escaped = false;
                let end = behind.find(|c| {
                    let ends = c == '"' && !is_escaped;
                    is_escaped = c == '\\' && !is_escaped;
                    ends
                });
                let Some(end) = end else { break };
                if !behind[..end].contains('\\') {
                    tokens.push(Token::Text(&behind[..end]));
                }
                &behind[end + 1..]
            }
            '.' => {
                let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
                let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
                let name = &behind[..end];
                if name.starts_with(|c: char| !c.is_ascii_digit()) {
                    tokens.push(Token::Field(name));
                }
                &behind[end..]
            }
            _ => behind,
        };
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Output;
    use crate::fields::{Findings, Processes};

    #[test]
    fn the_nearest_word_or_field_is_named() {
        let says = |expression: &str| misspelt(expression, Findings::RECORDS, "agentdiff");
        assert_eq!(
            says(".kind == \"untracked_proces\""),
            ["filter: did you mean \"untracked_process\" by \"untracked_proces\"?"]
        );
        assert_eq!(
            says(".kid == \"ghost_agent\" # .x"),
            ["filter: no record has a field \"kid\"; 'agentdiff -H' lists them"]
        );
        assert_eq!(
            says(".process.orphand and .orphand"),
            ["filter: no record has a field \"orphand\"; did you mean \"orphaned\"?"]
        );
        for right in [
            ".kind == \"ghost_agent\" and .process.holders[].how == \"log\"",
            ".target | startswith(\"session agent_x\")",
            ".evidence.taken_at > \"2026-01-01T00:00:00Z\" and .process.cpu_seconds > 1.5",
            "..",
            ".process.args | any(. == \"\\\"clause\")",
        ] {
            assert_eq!(says(right), [""; 0], "{right}");
        }
        assert_eq!(
            misspelt(".role == \"sever\"", Processes::RECORDS, "lsclaude"),
            ["filter: did you mean \"server\" by \"sever\"?"]
        );
    }

    #[test]
    fn strings_comments_and_numbers_are_no_fields() {
        assert_eq!(
            tokens(".a.b[\"x.y\"] | 1.5 == .c # .d \"e\"\n, \"f\\\"g\", .h"),
            [
                Token::Field("a"),
                Token::Field("b"),
                Token::Text("x.y"),
                Token::Field("c"),
                Token::Field("h")
            ]
        );
        assert_eq!(tokens("\"open"), []);
    }
}
