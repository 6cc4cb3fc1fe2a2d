//! The program `lssessions`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agentutils::lssessions::main()
}
