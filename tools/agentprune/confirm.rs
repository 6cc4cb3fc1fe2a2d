//! `-i`: shows the plan to a person and asks for confirmation.
//!
//! Standard input brings the findings and standard output may lead to a file, so the plan and
//! the answer go through the terminal itself.

use std::env;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use cli::{Failure, TableStyle};
use model::plan::PlannedAction;
use model::record::ActionKind;
use nix::sys::termios::{FlushArg, tcflush};
use serde_json::{Value, json};

use super::args::Arguments;
use super::program::PROGRAM;
use super::report::why;
use crate::overview::{Overview, consent};

const TERMINAL: &str = "/dev/tty";

/// How many lines the question takes.
const QUESTION: usize = 2;

/// Whether the actions are to be carried out: without `-i`, whether `--yes` was given; with it,
/// whether a person at the terminal has answered `yes`. If there is nothing to do, there is no
/// question. `left_alone`: the findings without an action, to be shown beside them.
///
/// # Errors
/// Without a terminal, and for any other answer.
pub fn acts<'o, 'a: 'o>(
    arguments: &Arguments,
    actions: impl Iterator<Item = &'o PlannedAction<'a>>,
    left_alone: impl FnOnce() -> Vec<Value>,
) -> Result<bool, Failure> {
    if !arguments.interactive {
        return Ok(arguments.yes);
    }
    let mut shown: Vec<Value> = actions.map(finding).collect();
    if shown.is_empty() {
        return Ok(true);
    }
    shown.extend(left_alone());
    if !ask(arguments, &shown).map_err(no_terminal)? {
        PROGRAM.say("not confirmed; nothing was done");
        return Err(Failure::Said(1));
    }
    Ok(true)
}

fn no_terminal(error: io::Error) -> Failure {
    Failure::Trouble(format!(
        "{TERMINAL}: {error}; without a terminal, use --yes; nothing was done"
    ))
}

/// The finding of an action, with what this run would do about it.
fn finding(action: &PlannedAction<'_>) -> Value {
    let found = serde_json::from_str::<Value>(action.raw).unwrap_or_default();
    // The records that are undone are those of actions.
    let mut finding = if found["kind"].is_string() { found } else { json!({}) };
    if action.kind == ActionKind::RestoreEntry {
        // What is undone is nothing to clean up.
        finding["kind"] = Value::Null;
    }
    finding["action"] = action.kind.word().into();
    finding["target"] = (*action.target).into();
    finding["reason"] = why(action).into();
    finding["host"] = action.origin.machine.host.as_str().into();
    finding
}

fn ask(arguments: &Arguments, findings: &[Value]) -> io::Result<bool> {
    let mut terminal = File::options().read(true).write(true).open(TERMINAL)?;
    let now = Some(host::clock::now());
    let style = TableStyle { now, ..arguments.output.style(&terminal) };
    let height = cli::height(&terminal).map(|height| height.saturating_sub(QUESTION + 1));
    let plan = Overview { findings, sessions: &[], is_filtered: true, is_whole: true };
    let shown = plan.text(&style, height);
    let note = match shown.is_cut {
        true => {
            let style = TableStyle { width: None, colour: false, ..style };
            let place = keep(&plan.text(&style, None).with_note(""));
            format!(
                "The whole plan: {}\n",
                place.unwrap_or_else(|error| format!("it could not be written: {error}"))
            )
        }
        false => String::new(),
    };
    terminal.write_all(shown.with_note(&note).as_bytes())?;
    // Input typed before the plan was shown is not an answer to it.
    tcflush(&terminal, FlushArg::TCIFLUSH)?;
    let mut input = BufReader::new(terminal.try_clone()?);
    consent(&mut terminal, || {
        let mut answer = Vec::new();
        input.read_until(b'\n', &mut answer)?;
        Ok(answer)
    })
}

/// Writes the whole plan to a new file that only this user can read, and returns its name.
fn keep(plan: &str) -> io::Result<String> {
    let name = |number: u32| -> PathBuf {
        env::temp_dir().join(format!("prune-{}-{number}.txt", std::process::id()))
    };
    for number in 0..100 {
        let path = name(number);
        match File::options().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                file.write_all(plan.as_bytes())?;
                return Ok(path.display().to_string());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
