//! A handle of one process, and the outcome of a signal to it.

use std::io;
use std::os::fd::OwnedFd;

use crate::process::stat::ProcessStat;

/// A handle of one process.
#[derive(Debug)]
pub enum ProcessHandle {
    /// By a descriptor that refers to this process and to no other (pidfd_open(2)).
    Pidfd(OwnedFd),
    /// What the process looked like; compared before every signal.
    Seen {
        /// Its pid.
        pid: i32,
        /// Its stat in the process table.
        stat: Box<ProcessStat>,
        /// Its arguments.
        args: Vec<Vec<u8>>,
    },
}

/// The outcome of a signal.
#[derive(Debug)]
pub enum SignalOutcome {
    /// It was sent.
    Reached,
    /// The process has ended: nothing was signalled.
    Ended,
    /// The process has become another program, or may have: it was not signalled.
    Changed,
    /// The system refused.
    Failed(io::Error),
}

/// The result of taking a handle: the process with this pid, `None` if there is none, or why no
/// handle could be taken.
pub type HandleResult = io::Result<Option<ProcessHandle>>;
