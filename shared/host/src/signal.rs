//! Ending processes by identity, in the way that the source they were seen in allows.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use model::record::ProcSource;
use nix::sys::signal::Signal;

use crate::process::process_source::ProcessStat;

/// A hold on one process.
#[derive(Debug)]
pub enum ProcessHandle {
    /// By a descriptor that refers to this process and to no other (pidfd_open(2)).
    Pidfd(OwnedFd),
    /// By what it looked like: to be compared before every signal.
    Seen {
        /// Its pid.
        pid: i32,
        /// Its stat in the process table.
        stat: Box<ProcessStat>,
        /// Its arguments.
        args: Vec<Vec<u8>>,
    },
}

/// What became of a signal.
#[derive(Debug)]
pub enum SignalOutcome {
    /// It was sent.
    Reached,
    /// The process has ended: nobody was signalled.
    Ended,
    /// The process has become another program, or may have: it was not signalled.
    Changed,
    /// The system refused.
    Failed(io::Error),
}

/// What [`Terminator::hold`] says about a pid: the process that has it, none, or why it cannot
/// be held.
pub type HandleResult = io::Result<Option<ProcessHandle>>;

/// A way of ending processes.
pub trait Terminator {
    /// Takes hold of the processes that have these pids now. Whether they are those that
    /// were meant must be checked *after* this.
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

/// The means for processes that were seen in `source`.
///
/// # Errors
/// When this build has no such source.
pub fn terminator(source: ProcSource) -> io::Result<Box<dyn Terminator>> {
    match source {
        ProcSource::Ps => Ok(Box::new(crate::process::ps::recheck::Recheck)),
        #[cfg(all(feature = "proc", target_os = "linux"))]
        ProcSource::Proc => Ok(Box::new(crate::process::proc::pidfd::Pidfds)),
        #[cfg(not(all(feature = "proc", target_os = "linux")))]
        ProcSource::Proc => Err(crate::process::process_source::no_proc()),
    }
}

/// Refuses pids that are no process to act on: 0 and below mean groups, 1 is the system.
pub(crate) fn checked(pid: i32) -> io::Result<i32> {
    match pid > 1 {
        true => Ok(pid),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a process id to act on")),
    }
}

/// A hold of one means in the hands of another.
pub(crate) fn not_ours() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "held in another way")
}

/// How many processes may be held at a time. Each may take a descriptor, and a shell's
/// default is 1024: the limit is raised as far as this process may. Some are left for
/// looking at the process table and for what tmux prints.
///
/// # Errors
/// When the limit leaves room for none.
pub fn room() -> io::Result<usize> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const FOR_OTHERS: u64 = 64;
    const ENOUGH: u64 = 1 << 20;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    match limit.min(ENOUGH).saturating_sub(FOR_OTHERS) {
        0 => Err(io::Error::other(format!("only {limit} open files are allowed (ulimit -n)"))),
        room => Ok(room as usize),
    }
}
