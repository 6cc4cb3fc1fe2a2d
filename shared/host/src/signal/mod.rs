//! Ending processes by identity, never by a bare pid.

mod by_source;
mod capacity;
#[cfg(all(feature = "proc", target_os = "linux"))]
mod pidfd;
mod process_handle;
mod recheck;
mod terminator;

pub use by_source::terminator;
pub use capacity::capacity;
pub use process_handle::{HandleResult, ProcessHandle, SignalOutcome};
pub use terminator::Terminator;
