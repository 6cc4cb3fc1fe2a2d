//! The operations for ending processes, whatever the source.

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::process_handle::{HandleResult, ProcessHandle, SignalOutcome};

/// A way of ending processes that distinguishes a process from later ones with its pid.
pub trait Terminator {
    /// Takes handles of the processes that have these pids now. Check *afterwards* whether they
    /// are the intended ones.
    ///
    /// # Errors
    /// When the process table cannot be read.
    fn hold(&self, pids: &[i32]) -> io::Result<Vec<HandleResult>>;

    /// Sends a signal to each of these processes and to no others.
    ///
    /// # Errors
    /// When the process table cannot be read; then none has been signalled.
    fn signal(&self, held: &[&ProcessHandle], signal: Signal) -> io::Result<Vec<SignalOutcome>>;

    /// Waits until all of these have ended or the time is up. Returns, for each, whether it
    /// has ended. A process that is dead but not yet reaped counts as ended.
    ///
    /// # Errors
    /// When the system cannot be asked.
    fn wait(&self, held: &[&ProcessHandle], limit: Duration) -> io::Result<Vec<bool>>;
}

/// Refuses pids that are never acted on: 0 and below mean groups, 1 is the system.
pub(super) fn checked(pid: i32) -> io::Result<i32> {
    match pid > 1 {
        true => Ok(pid),
        false => {
            let reason = format!("pid {pid} is never acted on");
            Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
        }
    }
}

/// The error for a handle that another terminator made.
pub(super) fn not_ours() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "the handle was made for another source of the process table",
    )
}
