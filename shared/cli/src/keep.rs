//! The keep file: what the user wants to keep whatever the rules say, one jq expression a line.

use serde_json::Value;

use crate::filter::Filter;

/// The lines of a keep file. A record for which one of them is true is kept.
#[derive(Debug)]
pub struct Keep {
    /// What the file is called.
    name: String,
    /// Its expressions, with their line numbers from 1.
    lines: Vec<(usize, Filter)>,
}

impl Keep {
    /// The lines of this text. Empty lines, and lines that begin with `#`, say nothing.
    ///
    /// # Errors
    /// A sentence about the first line that is not a jq expression: then it is unknown what is to
    /// be kept.
    pub fn new(name: &str, text: &str) -> Result<Keep, String> {
        let lines = (1..).zip(text.lines().map(str::trim));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let filter = |(number, line)| {
            let filter =
                Filter::new(line).map_err(|error| format!("{name}: line {number}: {error}"))?;
            Ok((number, filter))
        };
        Ok(Keep { name: name.to_owned(), lines: lines.map(filter).collect::<Result<_, String>>()? })
    }

    /// Whether nothing is to be kept.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The first line that says to keep a record, such as `line 3 of /home/u/.config/agentutils/keep`.
    ///
    /// # Errors
    /// A sentence about a line that ends with an error: then it is unknown whether the record is
    /// to be kept.
    pub fn line_for(&self, record: &Value) -> Result<Option<String>, String> {
        let name = &self.name;
        for (number, filter) in &self.lines {
            let keeps = filter.keeps(record).map_err(|error| {
                let kind = record["type"].as_str().unwrap_or("record");
                format!(
                    "{name}: line {number}: {error}; it is asked of every {kind} (begin it with \
                     `.type == \"session\" and`, if it is about sessions)"
                )
            })?;
            if keeps {
                return Ok(Some(format!("line {number} of {name}")));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str =
        "# what must stay\n\n  .name == \"a\"\n.type == \"agent\" and .id == \"b\"\n";

    #[test]
    fn the_first_line_that_is_true_is_named() {
        let keep = Keep::new("K", TEXT).unwrap();
        for (record, line) in [
            (json!({"type": "session", "name": "a"}), Some("line 3 of K")),
            (json!({"type": "agent", "id": "b"}), Some("line 4 of K")),
            (json!({"type": "agent", "id": "c"}), None),
        ] {
            assert_eq!(keep.line_for(&record).unwrap().as_deref(), line, "{record}");
        }
        assert!(Keep::new("K", "# nothing\n \n").unwrap().is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_asked_is_an_error_that_names_it() {
        let error = Keep::new("K", ".a\n.a ==\n").unwrap_err();
        assert!(error.starts_with("K: line 2: "), "{error}");
        let keep = Keep::new("K", ".name | startswith(\"x\")\n").unwrap();
        let error = keep.line_for(&json!({"type": "agent", "id": "b"})).unwrap_err();
        assert!(error.starts_with("K: line 1: ") && error.contains("every agent"), "{error}");
    }
}
