//! `lssessions`: tmux sessions and what runs in their panes, as JSON Lines.
//!
//! It knows tmux servers; it knows neither registries nor what Claude is.

pub mod args;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::args::Arguments;
use crate::start;
use cli::{Failure, Printer, Program, ScanWriter};
use host::tmux::{Choice, TMUX_LIMIT};
use model::record::{Of, Record};

const PROGRAM: Program = Program::new("lssessions");

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    start(PROGRAM, run)
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    if arguments.output.layout.list_fields {
        return arguments.output.layout.list();
    }
    let choice = choice(&arguments)?;
    let printer = Printer::new(&arguments.output)?;
    let (mut end, no_machine) = host::machine::begin(Of::Sessions);
    let source = arguments.proc_source.unwrap_or(host::process::USUAL);
    end.proc_source = Some(source);
    end.servers = Some(choice.servers());
    let mut scan = ScanWriter::new(PROGRAM, printer, end);
    match (no_machine, host::tmux::scan(&choice, TMUX_LIMIT, source)) {
        (None, Ok(seen)) => {
            scan.end.unasked = Some(seen.unasked);
            scan.end.hides_others = Some(seen.hides_others);
            scan.end.sockets = Some(seen.sockets);
            scan.end.server_pids = Some(seen.server_pids);
            for mut session in seen.sessions {
                session.scan.clone_from(&scan.end.scan);
                scan.record(&Record::Session(&session))?;
            }
            seen.trouble.into_iter().for_each(|trouble| scan.trouble(trouble));
        }
        (Some(error), _) => scan.trouble(error),
        (None, Err(error)) => scan.trouble(format!("process table: {error}")),
    }
    scan.finish()
}

fn choice(arguments: &Arguments) -> Result<Choice, Failure> {
    let labels = arguments.label.iter().map(|label| host::tmux::socket_of_label(label));
    let sockets: Vec<PathBuf> = arguments.socket.iter().cloned().chain(labels).collect();
    if sockets.is_empty() {
        return Ok(Choice::All);
    }
    let absolute = |path: PathBuf| {
        std::path::absolute(&path)
            .map_err(|error| Failure::Trouble(format!("{}: {error}", Path::display(&path))))
    };
    sockets.into_iter().map(absolute).collect::<Result<_, _>>().map(Choice::Named)
}
