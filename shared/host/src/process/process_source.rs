//! Where the process table is read: `/proc`, or the program `ps`.
//!
//! Everything that every system shows is a [`ProcessStat`]. What only `/proc` tells is asked of
//! the [`Source`], and what a source cannot tell is unknown there, never "none".

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use model::record::{Mounts, Namespace, ProcSource, Stdout};

/// What every source shows of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessStat {
    /// Parent.
    pub ppid: i32,
    /// Process group.
    pub pgid: i32,
    /// The session in the sense of setsid(2). None when the process had just ended.
    pub sid: Option<i32>,
    /// Controlling terminal, as `pts/7`.
    pub tty: Option<String>,
    /// The kernel's short name.
    pub name: String,
    /// One letter as in ps(1).
    pub state: char,
    /// It is a thread of the kernel itself, where that shows.
    pub is_kernel: bool,
    /// What tells it from others that have its pid: the start in the source's own unit.
    pub start: u64,
    /// When it started.
    pub started: Timestamp,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Processor time in seconds.
    pub cpu_seconds: f64,
}

impl ProcessStat {
    /// Dead, reaped or not.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    /// Whether what has the same pid is what was there before, as far as that cannot be
    /// excluded: ps on Linux counts from a boot time in seconds that moves by one while the
    /// clock is corrected. To say that a process has ended takes more than that.
    pub fn may_be(&self, before: &ProcessStat) -> bool {
        self.start.abs_diff(before.start) <= 1
    }
}

/// Whose a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The effective uid. None when the process has ended.
    pub uid: Option<u32>,
    /// The pid namespace.
    pub namespace: Option<Namespace>,
}

/// All processes, by pid.
pub type ProcessMap = HashMap<i32, ProcessStat>;

/// One reading of the process table, to be asked for more about the processes in it.
pub trait Source: fmt::Debug {
    /// Which source it is.
    fn kind(&self) -> ProcSource;

    /// Names of the programs that take in processes whose parent is gone, besides pid 1.
    fn reapers(&self) -> &'static [&'static str];

    /// Whether a living process is a tmux server.
    fn is_tmux_server(&self, stat: &ProcessStat) -> bool;

    /// A process as it is now. None when there is no such process any more.
    ///
    /// # Errors
    /// When the source cannot be asked.
    fn now(&self, pid: i32) -> io::Result<Option<ProcessStat>>;

    /// Its user and its pid namespace.
    fn owner(&self, pid: i32) -> Owner;

    /// The arguments, the name first.
    fn args(&self, pid: i32) -> Vec<Vec<u8>>;

    /// The path of the executable.
    fn exe(&self, _pid: i32) -> Option<String> {
        None
    }

    /// The tmux server and the pane that the environment names.
    fn origin(&self, _pid: i32) -> Option<(i32, Option<String>)> {
        None
    }

    /// Where the standard output of each of these processes leads, and who reads it.
    fn outputs(&self, pids: &[i32], _all: &ProcessMap) -> Vec<(Option<Stdout>, Option<i32>)> {
        vec![(None, None); pids.len()]
    }

    /// Its effective and supplementary groups.
    fn groups(&self, _pid: i32) -> Option<Vec<u32>> {
        None
    }

    /// What it has mounted.
    fn mounts(&self, _pid: i32) -> Option<Mounts> {
        None
    }

    /// The sockets on which a process listens, as far as they have a path.
    fn listening_sockets(&self, _pid: i32) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// The source that is read where nobody says which.
pub const USUAL: ProcSource = if cfg!(all(feature = "proc", target_os = "linux")) {
    ProcSource::Proc
} else {
    ProcSource::Ps
};

/// Reads the process table.
///
/// # Errors
/// When it cannot be read, shows not even the process that asks, or this build has no
/// such source.
pub fn read(kind: ProcSource) -> io::Result<(Box<dyn Source>, ProcessMap)> {
    match kind {
        ProcSource::Ps => crate::process::ps::read(),
        #[cfg(all(feature = "proc", target_os = "linux"))]
        ProcSource::Proc => crate::process::proc::read(),
        #[cfg(not(all(feature = "proc", target_os = "linux")))]
        ProcSource::Proc => Err(no_proc()),
    }
}

/// What there is to say to somebody who wants `/proc` where it was left out.
#[cfg(not(all(feature = "proc", target_os = "linux")))]
pub(crate) fn no_proc() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this build reads ps, not /proc")
}
