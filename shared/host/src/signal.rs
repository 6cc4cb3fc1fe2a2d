//! Ending processes by identity: a pidfd refers to one process and never to another
//! that gets its pid later (pidfd_open(2)).

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A hold on one process.
#[derive(Debug)]
pub struct Held {
    pidfd: OwnedFd,
}

/// Takes hold of the process that has this pid now. None when there is none. Whether it
/// is the one that was meant must be checked *after* this.
///
/// # Errors
/// What pidfd_open(2) says, or an invalid pid.
pub fn hold(pid: i32) -> io::Result<Option<Held>> {
    let pid = Pid::from_raw(pid).filter(|_| pid > 1);
    let pid = pid
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a process id to act on"))?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Some(Held { pidfd })),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

impl Held {
    /// Asks the process to end (SIGTERM). One that is gone needs no asking.
    ///
    /// # Errors
    /// What pidfd_send_signal(2) says.
    pub fn ask_to_end(&self) -> io::Result<()> {
        self.send(Signal::TERM)
    }

    /// Ends the process (SIGKILL).
    ///
    /// # Errors
    /// What pidfd_send_signal(2) says.
    pub fn kill(&self) -> io::Result<()> {
        self.send(Signal::KILL)
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Waits until all processes have ended or the time is up. Returns, for each, whether it
/// has ended. A process that is dead but not yet reaped counts as ended.
///
/// # Errors
/// What poll(2) says.
pub fn wait_for_end(processes: &[&Held], limit: Duration) -> io::Result<Vec<bool>> {
    let deadline = Instant::now() + limit;
    let mut ended = vec![false; processes.len()];
    loop {
        let waiting: Vec<usize> = (0..processes.len()).filter(|&at| !ended[at]).collect();
        let mut fds: Vec<PollFd<'_>> =
            waiting.iter().map(|&at| PollFd::new(&processes[at].pidfd, PollFlags::IN)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        if fds.is_empty() {
            return Ok(ended);
        }
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Ok(ended),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        for (&at, fd) in waiting.iter().zip(&fds) {
            ended[at] = !fd.revents().is_empty();
        }
    }
}

/// How many processes may be held at a time. Each takes a descriptor, and a shell's
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
