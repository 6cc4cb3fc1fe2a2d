//! `lsagents`: the entries of the orchestrator's registries, as JSON Lines.
//!
//! It knows registries; it knows neither tmux nor processes.

pub mod args;
mod list;

use std::process::ExitCode;

use self::args::Arguments;
use crate::start;
use cli::{Failure, Printer, Program, ScanWriter};
use host::environment::var;
use model::record::Of;
use registry::{Environment, Found, WORKSPACE_VARIABLE, WaitBudget, Which, find, find_all};

const PROGRAM: Program = Program::new("lsagents");

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    start(PROGRAM, run)
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    if arguments.output.layout.list_fields {
        return arguments.output.layout.list();
    }
    let printer = Printer::new(&arguments.output)?;
    let (end, no_machine) = host::machine::begin(Of::Agents);
    let mut scan = ScanWriter::new(PROGRAM, printer, end);
    if let Some(error) = no_machine {
        scan.trouble(error);
    }
    let mut wait = WaitBudget::new(arguments.lock_timeout);
    match registries(&arguments, &mut wait) {
        Ok(found) => {
            found.trouble.into_iter().for_each(|trouble| scan.trouble(trouble));
            found.notes.iter().for_each(|note| scan.note(note));
            for workspace in found.workspaces {
                list::workspace(&mut scan, &workspace, arguments.max_size, &mut wait)?;
            }
        }
        Err(reason) => scan.trouble(reason),
    }
    scan.finish()
}

fn registries(arguments: &Arguments, wait: &mut WaitBudget) -> Result<Found, String> {
    if !arguments.registry.is_empty() {
        return Ok(Found::given(&arguments.registry));
    }
    let which = match (arguments.all, arguments.tasks) {
        (true, _) => Which::All,
        (false, true) => Which::Tasks,
        (false, false) => Which::Global,
    };
    let environment = Environment { workspace: var(WORKSPACE_VARIABLE), home: var("HOME") };
    match arguments.all_workspaces {
        true => find_all(which, &environment, wait),
        false => find(&arguments.workspace, which, environment),
    }
}
