//! The program `lsagents`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agentutils::lsagents::main()
}
