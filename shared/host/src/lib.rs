//! The operating system as agentutils sees it: the process table, tmux servers, signals.
//!
//! Everything here answers with what was seen, or says that it could not ask; the two
//! are never the same value. What the answers mean is decided in `model`.

pub mod clock;
mod command;
mod descriptors;
pub mod environment;
pub mod machine;
pub mod own_file;
mod platform;
pub mod process;
pub mod signal;
pub mod tmux;
pub mod user;
