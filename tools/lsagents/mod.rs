//! `lsagents`: the entries of the orchestrator's registries, as JSON Lines.
//!
//! It knows registries; it knows neither tmux nor processes.

pub mod args;
mod list;

use std::process::ExitCode;
use std::time::Duration;

use self::args::Arguments;
use cli::{Failure, Printer, Program, ScanWriter};
use model::record::Of;
use registry::{Found, WaitBudget, Which, find};

const PROGRAM: Program = Program::new("lsagents");

/// How long a run waits for locks; the orchestrator itself gives up after five to ten
/// seconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    PROGRAM.main(run)
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
    match registries(&arguments) {
        Ok(found) => {
            found.trouble.into_iter().for_each(|trouble| scan.trouble(trouble));
            let mut wait = WaitBudget::new(LOCK_TIMEOUT);
            for path in found.registries {
                list::registry(&mut scan, &path, &mut wait)?;
            }
        }
        Err(reason) => scan.trouble(reason),
    }
    scan.finish()
}

fn registries(arguments: &Arguments) -> Result<Found, String> {
    if !arguments.registry.is_empty() {
        return Ok(Found { registries: arguments.registry.clone(), trouble: Vec::new() });
    }
    let which = match (arguments.all, arguments.tasks) {
        (true, _) => Which::All,
        (false, true) => Which::Tasks,
        (false, false) => Which::Global,
    };
    find(&arguments.workspace, which)
}
