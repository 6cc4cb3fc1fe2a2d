//! The program, for what it says on standard error.

use cli::Program;

pub const PROGRAM: Program = Program::new("agentprune");
