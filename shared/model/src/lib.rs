//! The part of agentutils that touches no operating system: the records, how a stream of
//! them is read, the rules that judge them, the plan of what to do about it, and how the
//! texts of `/proc`, ps and tmux are read.
//!
//! Everything here is a function of its arguments. It never reads a clock, a time
//! zone, a file or an environment variable, so each rule can be tested as a table.
#![forbid(unsafe_code)]

pub mod claude;
pub mod parse;
pub mod plan;
pub mod record;
pub mod rules;
pub mod shell;
pub mod stream;
