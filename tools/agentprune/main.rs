//! The program `agentprune`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agentutils::agentprune::main()
}
