//! The program `agentdiff`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agentutils::agentdiff::main()
}
