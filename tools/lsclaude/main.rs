//! The program `lsclaude`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agentutils::lsclaude::main()
}
