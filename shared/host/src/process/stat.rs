//! What every source of the process table shows of a process.

use std::collections::HashMap;

use jiff::Timestamp;

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
    /// Distinguishes it from others with its pid: the start in the source's own unit.
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

    /// Whether this may be the process that was seen `before` with the same pid. Starts may
    /// differ by one: ps on Linux counts from a boot time in seconds, which moves by one while
    /// the clock is corrected.
    pub fn may_be(&self, before: &ProcessStat) -> bool {
        self.start.abs_diff(before.start) <= 1
    }
}

/// All processes, by pid.
pub type ProcessMap = HashMap<i32, ProcessStat>;

/// The pid of this process.
pub fn own_pid() -> i32 {
    std::process::id() as i32
}
