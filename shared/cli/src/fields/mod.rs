//! The fields of all records, a file for each type of record.
//!
//! This is where a field is described, once: the lists of fields in agentrecords(5) are
//! written from here, and so are `-H`, `-o`, completions and tables. `tests/manual.rs` fails
//! when the page differs, and writes it anew when `UPDATE_MANUAL=1` is set.

mod action;
mod agent;
mod common;
mod end;
mod evidence;
mod finding;
mod process;
mod programs;
mod registry;
mod session;

pub use programs::{ALL, Actions, Agents, Findings, Processes, Sessions};
