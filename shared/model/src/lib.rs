//! The part of agentutils that touches no operating system: what the records
//! look like, how a stream of them is read, which conclusions it carries, how a
//! registry text is edited without changing what stays, and how the texts of
//! `/proc`, ps and tmux are read.
//!
//! Everything here is a function of its arguments. It never reads a clock, a time
//! zone, a file or an environment variable, so each rule can be tested as a table.
#![forbid(unsafe_code)]

pub mod claude;
pub mod drift;
pub mod evidence;
pub mod finding;
pub mod plan;
pub mod proc_text;
pub mod ps_text;
pub mod record;
pub mod registry;
pub mod stream;
pub mod text;
pub mod tmux_text;
pub mod undo;
