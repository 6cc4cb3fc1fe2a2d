//! The keep file: what the user wants to keep whatever the rules say, one jq expression a line.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::filter::Filter;

/// How long all questions of a run may take. Whoever wrote the file is not always the one who
/// waits, and an expression need not come to an end.
const LIMIT: Duration = Duration::from_secs(20);

/// Why each of some records is kept; None: it is not.
type Reasons = Result<Vec<Option<String>>, String>;

/// The lines of a keep file. A record for which one of them is true is kept.
#[derive(Debug)]
pub struct Keep {
    /// What the file is called.
    name: String,
    /// None: the file says nothing.
    asking: Option<Asking>,
    left: Cell<Duration>,
}

/// The thread that evaluates the lines: it can be left behind.
#[derive(Debug)]
struct Asking {
    records: Sender<Vec<Value>>,
    reasons: Receiver<Reasons>,
}

impl Keep {
    /// The lines of this text. Empty lines, and lines that begin with `#`, say nothing.
    ///
    /// # Errors
    /// A sentence about the first line that is not a jq expression: then it is unknown what is to
    /// be kept.
    pub fn new(name: &str, text: &str) -> Result<Keep, String> {
        let mut keep = Keep { name: name.to_owned(), asking: None, left: Cell::new(LIMIT) };
        let lines = (1..).zip(text.lines().map(|line| line.trim().to_owned()));
        let lines: Vec<(usize, String)> =
            lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
        if lines.is_empty() {
            return Ok(keep);
        }
        let (records, asked) = channel();
        let (answer, reasons) = channel();
        let name = name.to_owned();
        thread::spawn(move || {
            let compile = |(number, line): (usize, String)| match Filter::new(&line) {
                Ok(filter) => Ok((number, filter)),
                Err(error) => Err(format!("{name}: line {number}: {error}")),
            };
            let lines: Result<Vec<_>, String> = lines.into_iter().map(compile).collect();
            // What is asked first is whether they are expressions.
            let _ = answer.send(lines.as_ref().map(|_| Vec::new()).map_err(String::clone));
            let Ok(lines) = lines else { return };
            for records in asked {
                let records: Vec<Value> = records;
                let reasons = records.iter().map(|record| reason(&name, &lines, record)).collect();
                if answer.send(reasons).is_err() {
                    return;
                }
            }
        });
        let asking = Asking { records, reasons };
        keep.wait(&asking)?;
        keep.asking = Some(asking);
        Ok(keep)
    }

    /// Whether nothing is to be kept.
    pub fn is_empty(&self) -> bool {
        self.asking.is_none()
    }

    /// Why a record is kept, by the first line that says so, such as
    /// `kept by line 3 of /home/u/.config/agentutils/keep`. None: it is not.
    ///
    /// # Errors
    /// As of [`Keep::reasons_for`].
    pub fn reason_for(&self, record: Value) -> Result<Option<String>, String> {
        Ok(self.reasons_for(vec![record])?.pop().flatten())
    }

    /// The same for each of several records.
    ///
    /// # Errors
    /// A sentence about a line that ends with an error, or about lines that do not end: then it
    /// is unknown whether the records are to be kept.
    pub fn reasons_for(&self, records: Vec<Value>) -> Reasons {
        let Some(asking) = &self.asking else { return Ok(vec![None; records.len()]) };
        // The answer says whether there is still somebody to ask.
        let _ = asking.records.send(records);
        self.wait(asking)
    }

    fn wait(&self, asking: &Asking) -> Reasons {
        let began = Instant::now();
        let reasons = asking.reasons.recv_timeout(self.left.get());
        self.left.set(self.left.get().saturating_sub(began.elapsed()));
        reasons.unwrap_or_else(|error| {
            let what = match error {
                RecvTimeoutError::Timeout => {
                    format!("its lines took longer than {} s; does one never end?", LIMIT.as_secs())
                }
                RecvTimeoutError::Disconnected => "its lines cannot be evaluated".to_owned(),
            };
            Err(format!("{}: {what}", self.name))
        })
    }
}

fn reason(name: &str, lines: &[(usize, Filter)], record: &Value) -> Result<Option<String>, String> {
    for (number, filter) in lines {
        let keeps = filter.keeps(record).map_err(|error| {
            let kind = record["type"].as_str().unwrap_or("record");
            format!(
                "{name}: line {number}: {error}; it is asked of every {kind} (begin it with \
                 `.type == \"session\" and`, if it is about sessions)"
            )
        })?;
        if keeps {
            return Ok(Some(format!("kept by line {number} of {name}")));
        }
    }
    Ok(None)
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
        for (record, reason) in [
            (json!({"type": "session", "name": "a"}), Some("kept by line 3 of K")),
            (json!({"type": "agent", "id": "b"}), Some("kept by line 4 of K")),
            (json!({"type": "agent", "id": "c"}), None),
        ] {
            assert_eq!(keep.reason_for(record.clone()).unwrap().as_deref(), reason, "{record}");
        }
        assert!(Keep::new("K", "# nothing\n \n").unwrap().is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_asked_is_an_error_that_names_it() {
        let error = Keep::new("K", ".a\n.a ==\n").unwrap_err();
        assert!(error.starts_with("K: line 2: "), "{error}");
        let keep = Keep::new("K", ".name | startswith(\"x\")\n").unwrap();
        let error = keep.reason_for(json!({"type": "agent", "id": "b"})).unwrap_err();
        assert!(error.starts_with("K: line 1: ") && error.contains("every agent"), "{error}");
    }
    #[test]
    fn a_line_that_never_ends_is_an_error() {
        let keep = Keep::new("K", "def f: f; f").unwrap();
        keep.left.set(Duration::from_millis(50));
        let error = keep.reason_for(json!({"type": "agent"})).unwrap_err();
        assert!(error.starts_with("K: its lines took longer than"), "{error}");
        // No time is left for another question.
        let began = Instant::now();
        assert!(keep.reason_for(json!({"type": "agent"})).is_err());
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
