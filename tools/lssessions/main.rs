//! `lssessions`: tmux sessions and what runs in their panes, as JSON Lines.
//!
//! It knows tmux servers; it knows neither registries nor what Claude is.

mod args;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use args::Arguments;
use cli::{Failure, Look, Printer, Program};
use host::sessions::{Choice, TMUX_LIMIT};
use model::record::{Of, Record};

const PROGRAM: Program = Program::new("lssessions");

fn main() -> ExitCode {
    PROGRAM.main(run)
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    if arguments.output.layout.list_fields {
        return arguments.output.layout.list();
    }
    let choice = choice(&arguments)?;
    let printer = Printer::new(&arguments.output)?;
    let (mut end, no_machine) = host::machine::begin(Of::Sessions);
    let source = arguments.proc_source.unwrap_or(host::source::USUAL);
    end.proc_source = Some(source);
    end.servers = Some(choice.servers());
    let mut look = Look::new(PROGRAM, printer, end);
    match (no_machine, host::sessions::look(&choice, TMUX_LIMIT, source)) {
        (None, Ok(seen)) => {
            look.end.uids = Some(seen.uids);
            look.end.sockets = Some(seen.sockets);
            look.end.server_pids = Some(seen.server_pids);
            seen.notes.iter().for_each(|note| look.note(note));
            for mut session in seen.sessions {
                session.look.clone_from(&look.end.look);
                look.record(&Record::Session(&session))?;
            }
            seen.trouble.into_iter().for_each(|trouble| look.trouble(trouble));
        }
        (Some(error), _) => look.trouble(error),
        (None, Err(error)) => look.trouble(format!("process table: {error}")),
    }
    look.finish()
}

fn choice(arguments: &Arguments) -> Result<Choice, Failure> {
    let labels = arguments.label.iter().map(|label| host::sessions::socket_of_label(label));
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
