//! `-i`: shows the plan to a person and asks for confirmation.
//!
//! Standard input brings the findings and standard output may lead to a file, so the plan and
//! the answer go through the terminal itself.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use cli::{Actions, Cell, Failure, columns, render};
use model::plan::PlannedAction;
use nix::sys::termios::{FlushArg, tcflush};

use super::args::Arguments;
use super::program::PROGRAM;
use super::report::why;

const TERMINAL: &str = "/dev/tty";

/// Whether the actions are to be carried out: without `-i`, whether `--yes` was given; with it,
/// whether a person at the terminal has answered `yes`. If there is nothing to do, there is no
/// question.
///
/// # Errors
/// Without a terminal, and for any other answer.
pub fn acts<'o, 'a: 'o>(
    arguments: &Arguments,
    actions: impl Iterator<Item = &'o PlannedAction<'a>>,
) -> Result<bool, Failure> {
    if !arguments.interactive {
        return Ok(arguments.yes);
    }
    let actions: Vec<&PlannedAction<'_>> = actions.collect();
    let confirmed = actions.is_empty() || ask(arguments, &actions).map_err(no_terminal)?;
    if !confirmed {
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

fn ask(arguments: &Arguments, actions: &[&PlannedAction<'_>]) -> io::Result<bool> {
    let mut terminal = File::options().read(true).write(true).open(TERMINAL)?;
    let style = arguments.output.style(&terminal);
    let row = |action: &&PlannedAction<'_>| {
        [action.kind.word(), &*action.target, why(action)].map(Cell::plain).into()
    };
    let rows: Vec<Vec<Cell>> = actions.iter().map(row).collect();
    let table = render(&columns::<Actions>(&["action", "target", "reason"]), &rows, &style);
    terminal.write_all(table.as_bytes())?;
    // Input typed before the plan was shown is not an answer to it.
    tcflush(&terminal, FlushArg::TCIFLUSH)?;
    write!(terminal, "\nActions to carry out: {}. Type 'yes' to proceed: ", actions.len())?;
    let mut answer = Vec::new();
    BufReader::new(terminal).read_until(b'\n', &mut answer)?;
    Ok(answer == b"yes\n")
}
