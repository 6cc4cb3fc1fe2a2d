//! How a program ends and what it says on standard error.

use std::fmt;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cell::escaped;

/// The exit status of a program that could not do its work: wrong usage, no input, or
/// something that could not be asked.
const TROUBLE: u8 = 2;
/// The exit status that a shell reports for a program that SIGPIPE has ended.
const BROKEN_PIPE: u8 = 141;

/// Why a program ends early.
#[derive(Debug)]
pub enum Failure {
    /// A sentence for standard error: `subject: reason`.
    Trouble(String),
    /// Standard output could not be written.
    Output(io::Error),
    /// The error was already reported; this is the exit status.
    Said(u8),
}

impl Failure {
    /// Trouble with this reason.
    pub fn trouble(reason: impl fmt::Display) -> Failure {
        Failure::Trouble(reason.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

/// One of the programs, by its name.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    name: &'static str,
}

impl Program {
    /// The program of this name.
    pub const fn new(name: &'static str) -> Program {
        Program { name }
    }

    /// Runs it: reads the arguments, calls `run`, reports a failure. `run` returns the
    /// exit status.
    pub fn main<A: Parser>(self, run: impl FnOnce(A) -> Result<u8, Failure>) -> ExitCode {
        let arguments = match A::try_parse() {
            Ok(arguments) => arguments,
            Err(error) => return self.usage(&error),
        };
        ExitCode::from(match run(arguments) {
            Ok(status) => status,
            Err(Failure::Said(status)) => status,
            Err(Failure::Trouble(reason)) => {
                self.say(&reason);
                TROUBLE
            }
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => BROKEN_PIPE,
            Err(Failure::Output(error)) => {
                self.say(&format!("standard output: {error}"));
                TROUBLE
            }
        })
    }

    /// Says something on standard error, control characters escaped.
    pub fn say(self, what: &str) {
        // If standard error cannot be written, there is no other place to report that.
        let _ = io::Write::write_all(
            &mut io::stderr(),
            format!("{}: {}\n", self.name, escaped(what)).as_bytes(),
        );
    }

    fn usage(self, error: &clap::Error) -> ExitCode {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return match io::Write::write_all(&mut io::stdout(), error.to_string().as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    ExitCode::from(BROKEN_PIPE)
                }
                Err(error) => {
                    self.say(&format!("standard output: {error}"));
                    ExitCode::from(TROUBLE)
                }
            };
        }
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let what = text.split("\n\n").next().unwrap_or(text);
        let what: Vec<&str> = what.split_whitespace().collect();
        self.say(&what.join(" "));
        let _ = io::Write::write_all(
            &mut io::stderr(),
            format!("Try '{} --help' for more information.\n", self.name).as_bytes(),
        );
        ExitCode::from(TROUBLE)
    }
}
