//! Ending processes by pidfd: it refers to one process and never to another that gets its
//! pid later (pidfd_open(2)). Whatever happens to the pid, the signal reaches the process
//! that was held, or none.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::process_handle::{HandleResult, ProcessHandle, SignalOutcome};
use super::terminator::{Terminator, checked, not_ours};

/// See the [module](self).
#[derive(Debug)]
pub struct Pidfds;

impl Terminator for Pidfds {
    fn hold(&self, pids: &[i32]) -> io::Result<Vec<HandleResult>> {
        Ok(pids.iter().map(|pid| hold(*pid)).collect())
    }

    fn signal(&self, held: &[&ProcessHandle], signal: Signal) -> io::Result<Vec<SignalOutcome>> {
        let signal = match signal {
            Signal::SIGKILL => rustix::process::Signal::KILL,
            _ => rustix::process::Signal::TERM,
        };
        let send = |held: &&ProcessHandle| {
            Ok(match pidfd_send_signal(pidfd(held)?, signal) {
                Ok(()) => SignalOutcome::Reached,
                Err(Errno::SRCH) => SignalOutcome::Ended,
                Err(errno) => SignalOutcome::Failed(errno.into()),
            })
        };
        held.iter().map(send).collect()
    }

    fn wait(&self, held: &[&ProcessHandle], limit: Duration) -> io::Result<Vec<bool>> {
        let pidfds = held.iter().map(|held| pidfd(held)).collect::<io::Result<Vec<_>>>()?;
        let deadline = Instant::now() + limit;
        let mut ended = vec![false; pidfds.len()];
        loop {
            let waiting: Vec<usize> = (0..pidfds.len()).filter(|&at| !ended[at]).collect();
            let mut fds: Vec<PollFd<'_>> =
                waiting.iter().map(|&at| PollFd::new(pidfds[at], PollFlags::IN)).collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if fds.is_empty() {
                return Ok(ended);
            }
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Ok(ended),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            for (&at, fd) in waiting.iter().zip(&fds) {
                ended[at] = !fd.revents().is_empty();
            }
        }
    }
}

fn hold(pid: i32) -> HandleResult {
    let pid = Pid::from_raw(checked(pid)?).ok_or_else(not_ours)?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Some(ProcessHandle::Pidfd(pidfd))),
        Err(Errno::SRCH) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn pidfd(held: &ProcessHandle) -> io::Result<&OwnedFd> {
    match held {
        ProcessHandle::Pidfd(pidfd) => Ok(pidfd),
        ProcessHandle::Seen { .. } => Err(not_ours()),
    }
}
