//! `lsclaude`: the processes that are Claude, and what those have left, as JSON Lines.
//!
//! It knows the process table and what Claude is; it knows neither registries nor tmux.

pub mod args;

use std::process::ExitCode;

use self::args::Arguments;
use crate::start;
use cli::{Failure, Printer, Program, ScanWriter};
use host::environment::var;
use host::process::Table;
use model::claude::{NameRule, base_name};
use model::record::{DefaultRule, Names, Of, Record, Role};

const PROGRAM: Program = Program::new("lsclaude");

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    start(PROGRAM, run)
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    if arguments.output.layout.list_fields {
        return arguments.output.layout.list();
    }
    let names = names(&arguments);
    let roles = arguments.roles();
    let rule = NameRule::new(&names);
    let printer = Printer::new(&arguments.output)?;
    let (mut end, no_machine) = host::machine::begin(Of::Processes);
    let source = arguments.proc_source.unwrap_or(host::process::USUAL);
    end.names = Some(names);
    end.proc_source = Some(source);
    // Nothing follows from it about what is Claude, as if that had been filtered out.
    end.filtered |= !roles.contains(&Role::Claude);
    let mut scan = ScanWriter::new(PROGRAM, printer, end);
    let seen = |rule: &NameRule| {
        let table = Table::read(source)?;
        host::process::list(&table, rule, &roles, arguments.full)
    };
    match (no_machine, rule.map(|rule| seen(&rule))) {
        (None, Ok(Ok(processes))) => {
            for mut process in processes {
                process.scan.clone_from(&scan.end.scan);
                scan.record(&Record::Process(&process))?;
            }
        }
        (Some(error), _) | (None, Err(error)) => scan.trouble(error),
        (None, Ok(Err(error))) => scan.trouble(format!("process table: {error}")),
    }
    scan.finish()
}

/// The names asked for. Without `--name`, the name in `CLAUDE_EXECUTABLE` is added.
fn names(arguments: &Arguments) -> Names {
    if !arguments.name.is_empty() {
        return Names::Only(arguments.name.clone());
    }
    let mut also = arguments.also_name.clone();
    also.extend(executable().filter(|name| name != "claude" && !also.contains(name)));
    if also.is_empty() { Names::Rule(DefaultRule::Default) } else { Names::Also { also } }
}

/// The base name of `CLAUDE_EXECUTABLE` if that is a single word. A command line with arguments
/// is ignored, and so is the name of an interpreter.
fn executable() -> Option<String> {
    let executable = var("CLAUDE_EXECUTABLE")?.into_string().ok()?;
    let name = base_name(&executable).to_owned();
    if executable.is_empty() || executable.contains(char::is_whitespace) {
        return None;
    }
    match NameRule::new(&Names::Only(vec![name.clone()])) {
        Ok(_) => Some(name),
        Err(reason) => {
            PROGRAM.say(&format!("CLAUDE_EXECUTABLE is ignored: {reason}"));
            None
        }
    }
}
