//! Reading a stream of records back into scans.
//!
//! A shell pipe hides that the program before it failed. So a stream proves that it is
//! whole: every scan carries an id, its closing `end` carries the same id and the
//! number of records, and anything that does not add up spoils the stream. The order of
//! lines does not matter, so `cat`, `tee`, `sort` and `jq -c` may stand in between.

use std::fmt;
use std::rc::Rc;

use foldhash::HashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::record::Text;
use crate::record::{Agent, End, Of, Process, Registry, Session};

/// What is wrong with a stream of records, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Line, from 1; 0 for the stream as a whole.
    pub line: usize,
    /// What is wrong, and what to do where that is known.
    pub reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.reason),
            line => write!(f, "line {line}: {}", self.reason),
        }
    }
}

/// A record with the line it was read from.
#[derive(Debug)]
pub struct Sourced<'a, T> {
    /// The record.
    pub record: T,
    /// Its line, without the newline.
    pub line: &'a str,
    /// Why the user keeps it, such as `kept by line 3 of /home/u/.config/agentutils/keep`;
    /// `None`: the user does not say so. Not part of the stream.
    pub kept_by: Option<Rc<str>>,
}

impl<'a, T> Sourced<'a, T> {
    /// The record as JSON, exactly as it came.
    pub fn raw(&self) -> &'a RawValue {
        serde_json::from_str(self.line).expect("the line was read as JSON before")
    }
}

/// One run of one lister.
#[derive(Debug)]
pub struct Scan<'a> {
    /// Its closing record.
    pub end: End,
    /// Registry entries.
    pub agents: Vec<Sourced<'a, Agent<'a>>>,
    /// Registry files.
    pub registries: Vec<Sourced<'a, Registry>>,
    /// Sessions.
    pub sessions: Vec<Sourced<'a, Session>>,
    /// Claude processes.
    pub processes: Vec<Sourced<'a, Process>>,
}

/// What every record has.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    scan: Option<Text<'a>>,
}

impl<'a> Head<'a> {
    /// The head of a line that begins as the listers write records. Then the line is parsed
    /// only once: as a record of that type, which fails if it is not one.
    fn leading(line: &'a str) -> Option<Head<'a>> {
        let (kind, rest) = line.strip_prefix("{\"type\":\"")?.split_once('"')?;
        let (scan, _) = rest.strip_prefix(",\"scan\":\"")?.split_once('"')?;
        let is_known = matches!(kind, "agent" | "registry" | "session" | "process" | "end");
        let is_plain = is_known && !scan.contains('\\');
        is_plain.then(|| Head { kind: kind.into(), scan: Some(scan.into()) })
    }
}

#[derive(Default)]
struct Open<'a> {
    end: Option<End>,
    count: u64,
    agents: Vec<Sourced<'a, Agent<'a>>>,
    registries: Vec<Sourced<'a, Registry>>,
    sessions: Vec<Sourced<'a, Session>>,
    processes: Vec<Sourced<'a, Process>>,
}

/// The lines of a text that are not blank, without white space around them, and their
/// numbers, from 1.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
    let mut start = 0;
    let lines = ends.map(move |end| {
        let line = &text[start.min(end)..end];
        start = end + 1;
        line.trim_ascii()
    });
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

/// Reads a whole stream of lister records. Skips blank lines, unknown types and unknown fields.
///
/// # Errors
/// [`Malformed`] for a line that is not a JSON object with a `type`, a record without a
/// field it must have, a scan without its `end` or with two, a count that does not add up.
pub fn read(text: &str) -> Result<Vec<Scan<'_>>, Malformed> {
    let mut scans: Vec<Open<'_>> = Vec::new();
    let mut known: HashMap<Text<'_>, usize> = HashMap::default();
    for (number, line) in lines(text) {
        let head = Head::leading(line).map_or_else(|| parse(number, line), Ok)?;
        let Some(scan) = head.scan else {
            let reason = match &*head.kind {
                kind @ ("finding" | "action") => {
                    format!("a record of type {kind:?}: give it to agentprune")
                }
                kind @ ("agent" | "registry" | "session" | "process" | "end") => {
                    format!("a record of type {kind:?} without the field scan (written with -o?)")
                }
                _ => continue,
            };
            return Err(Malformed { line: number, reason });
        };
        let at = *known.entry(scan).or_insert_with(|| {
            scans.push(Open::default());
            scans.len() - 1
        });
        let open = &mut scans[at];
        match &*head.kind {
            "end" => {
                let end: End = parse(number, line)?;
                if open.end.replace(end).is_some() {
                    let reason =
                        "a second end of the same scan: was a file given twice?".to_owned();
                    return Err(Malformed { line: number, reason });
                }
                continue;
            }
            "agent" => open.agents.push(sourced(number, line)?),
            "registry" => open.registries.push(sourced(number, line)?),
            "session" => open.sessions.push(sourced(number, line)?),
            "process" => open.processes.push(sourced(number, line)?),
            _ => {}
        }
        open.count += 1;
    }
    scans.into_iter().map(close).collect()
}

fn sourced<'a, T: Deserialize<'a>>(
    number: usize,
    line: &'a str,
) -> Result<Sourced<'a, T>, Malformed> {
    Ok(Sourced { record: parse(number, line)?, line, kept_by: None })
}

/// Reads one line as a record.
///
/// # Errors
/// [`Malformed`] with the line's number and, for records spread over several lines, for tables,
/// and for records with chosen fields, the likely cause.
pub fn parse<'a, T: Deserialize<'a>>(number: usize, line: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(line).map_err(|error| {
        let message = error.to_string();
        let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        let hint = if error.is_eof() && number == 1 && line.len() < 3 {
            " (one record a line; did you mean jq -c?)"
        } else if !line.starts_with('{') {
            " (one JSON object a line; -T writes none)"
        } else if what == "missing field `type`" {
            " (written with -o?)"
        } else {
            ""
        };
        Malformed { line: number, reason: format!("not a record: {what}{hint}") }
    })
}

fn close(open: Open<'_>) -> Result<Scan<'_>, Malformed> {
    let whole = |reason| Malformed { line: 0, reason };
    let Some(end) = open.end else {
        let reason = "a scan has no end record: the program that wrote it was cut off, or a filter \
                      dropped it (use -Q instead)";
        return Err(whole(reason.to_owned()));
    };
    if open.count != end.count {
        let reason = format!(
            "the scan of {} says {} records, {} came: something between dropped or doubled lines \
             (use -Q to filter)",
            subject(end.of),
            end.count,
            open.count
        );
        return Err(whole(reason));
    }
    let Open { agents, registries, sessions, processes, .. } = open;
    Ok(Scan { end, agents, registries, sessions, processes })
}

/// What a scan of this kind lists, as a word for messages.
pub fn subject(of: Of) -> &'static str {
    match of {
        Of::Agents => "agents",
        Of::Sessions => "sessions",
        Of::Processes => "processes",
        Of::Findings => "findings",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = r#"{"type":"end","scan":"L","of":"agents","complete":true,"filtered":false,"count":1,"host":"h","boot_id":"b","pid_ns":"n","uid":1000,"taken_at":"2025-10-29T23:25:00Z"}"#;
    const AGENT: &str = r#"{"type":"agent","scan":"L","id":"a","status":null,"tmux_session":"agent_a","scope":"global","registry":"/r","new_field":[1]}"#;

    fn reason(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn lines_in_any_order_make_a_scan() {
        for text in [format!("{AGENT}\n{END}\n"), format!("{END}\n\n  {AGENT}")] {
            let scans = read(&text).unwrap();
            assert_eq!(scans[0].agents[0].record.id, "a".into());
            assert_eq!(scans[0].agents[0].raw().get(), AGENT);
        }
    }

    #[test]
    fn unknown_types_are_passed_over_but_counted() {
        let news = r#"{"type":"news","scan":"L"}"#;
        assert!(reason(&format!("{AGENT}\n{news}\n{END}")).contains("says 1 records, 2 came"));
        assert_eq!(read(&format!("{AGENT}\n{{\"type\":\"news\"}}\n{END}")).unwrap().len(), 1);
    }

    #[test]
    fn whatever_does_not_add_up_spoils_the_stream() {
        for (text, what) in [
            (AGENT.to_owned(), "no end record"),
            (END.to_owned(), "says 1 records, 0 came"),
            (format!("{AGENT}\n{AGENT}\n{END}"), "says 1 records, 2 came"),
            (format!("{AGENT}\n{END}\n{END}"), "line 3: a second end"),
            (format!("{}\n{END}", &AGENT[..50]), "line 1: not a record"),
            (
                format!("{}\n{END}", AGENT.replace(r#""status":null,"#, "")),
                "missing field `status`",
            ),
            ("{\n  \"type\": \"agent\"\n}".to_owned(), "did you mean jq -c?"),
            (r#"{"type":"finding","kind":"x"}"#.to_owned(), "give it to agentprune"),
            ("hello".to_owned(), "line 1: not a record"),
        ] {
            assert!(reason(&text).contains(what), "{text}: {}", reason(&text));
        }
    }
}
