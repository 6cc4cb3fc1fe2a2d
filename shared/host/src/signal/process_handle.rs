//! A hold on one process, and what became of a signal to it.

use std::io;
use std::os::fd::OwnedFd;

use crate::process::stat::ProcessStat;

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

/// What holding a pid came to: the process that has it, none, or why it cannot be held.
pub type HandleResult = io::Result<Option<ProcessHandle>>;
