//! The five programs: each is a module with a `main`, and a `main.rs` that calls it.

pub mod agentdiff;
pub mod agentprune;
mod keep;
pub mod lsagents;
pub mod lsclaude;
pub mod lssessions;
mod overview;

use std::process::ExitCode;

use clap::Parser;
use cli::{Failure, Program, UserArgs};
use nix::sys::signal::{SigSet, Signal};

/// Starts a program: reads its arguments, becomes the user it runs for, and only then opens
/// anything.
fn start<A: Parser + AsRef<UserArgs>>(
    program: Program,
    run: impl FnOnce(A) -> Result<u8, Failure>,
) -> ExitCode {
    program.main(|arguments: A| {
        report_file_size_limits()?;
        let user = arguments.as_ref().user.as_deref();
        host::user::run_for(user).map_err(|error| match user {
            Some(user) => Failure::Trouble(format!("--user {user}: {error}")),
            None => Failure::trouble(error),
        })?;
        run(arguments)
    })
}

/// Makes a file that reaches its size limit (`ulimit -f`) an error that is reported (EFBIG),
/// not a signal (SIGXFSZ) that ends the program between an action and its report. Children
/// start with no signal blocked.
fn report_file_size_limits() -> Result<(), Failure> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block().map_err(|error| Failure::Trouble(format!("SIGXFSZ: {error}")))
}
