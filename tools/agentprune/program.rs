//! The name under which agentprune writes to standard error.

use cli::Program;

pub const PROGRAM: Program = Program::new("agentprune");
