//! The operating system as agentutils sees it: the process table, tmux servers,
//! registry files and their locks, signals.
//!
//! Everything here answers with what was seen, or says that it could not ask; the two
//! are never the same value. What the answers mean is decided in `model`.

pub mod clock;
mod command;
pub mod machine;
mod platform;
#[cfg(all(feature = "proc", target_os = "linux"))]
mod proc;
pub mod processes;
mod ps;
pub mod registry;
pub mod sessions;
pub mod signal;
pub mod source;
mod table;
mod tmux;

pub use table::Table;
