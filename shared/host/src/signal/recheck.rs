//! Ending processes where only the pid can be signalled: each process is compared with
//! what it was immediately before every signal. A few milliseconds remain in which it may
//! end and another may get its pid. Only a pidfd closes that gap.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use model::record::ProcSource;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process_handle::{HandleResult, ProcessHandle, SignalOutcome};
use super::terminator::{Terminator, checked, not_ours};
use crate::process::process_table::Table;
use crate::process::stat::ProcessStat;

/// How often ps is asked whether processes have ended.
const PAUSE: Duration = Duration::from_millis(50);

/// See the [module](self).
#[derive(Debug)]
pub struct Recheck;

impl Terminator for Recheck {
    fn hold(&self, pids: &[i32]) -> io::Result<Vec<HandleResult>> {
        let table = Table::read(ProcSource::Ps)?;
        let hold = |pid: &i32| {
            let pid = checked(*pid)?;
            let stat = table.get(pid).cloned().map(Box::new);
            Ok(stat.map(|stat| ProcessHandle::Seen { pid, stat, args: table.source.args(pid) }))
        };
        Ok(pids.iter().map(hold).collect())
    }

    fn signal(&self, held: &[&ProcessHandle], signal: Signal) -> io::Result<Vec<SignalOutcome>> {
        let held = held.iter().map(|held| seen(held)).collect::<io::Result<Vec<_>>>()?;
        let table = Table::read(ProcSource::Ps)?;
        let send = |(pid, stat, args): (i32, &ProcessStat, &[Vec<u8>])| {
            if has_ended(&table, pid, stat) {
                return SignalOutcome::Ended;
            }
            let now = table.source.args(pid);
            let is_same = table
                .get(pid)
                .is_some_and(|now| (now.start, &now.name) == (stat.start, &stat.name));
            // A process that is ending has no arguments; another program has its own.
            if !is_same || !now.is_empty() && now != args {
                return SignalOutcome::Changed;
            }
            match kill(Pid::from_raw(pid), signal) {
                Ok(()) => SignalOutcome::Reached,
                Err(Errno::ESRCH) => SignalOutcome::Ended,
                Err(errno) => SignalOutcome::Failed(errno.into()),
            }
        };
        Ok(held.into_iter().map(send).collect())
    }

    fn wait(&self, held: &[&ProcessHandle], limit: Duration) -> io::Result<Vec<bool>> {
        let held = held.iter().map(|held| seen(held)).collect::<io::Result<Vec<_>>>()?;
        let deadline = Instant::now() + limit;
        if held.is_empty() {
            return Ok(Vec::new());
        }
        loop {
            let table = Table::read(ProcSource::Ps)?;
            let ended: Vec<bool> =
                held.iter().map(|(pid, stat, _)| has_ended(&table, *pid, stat)).collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || ended.iter().all(|ended| *ended) {
                return Ok(ended);
            }
            thread::sleep(left.min(PAUSE));
        }
    }
}

/// Whether a process is dead, reaped, or its pid another's.
fn has_ended(table: &Table, pid: i32, before: &ProcessStat) -> bool {
    table.get(pid).is_none_or(|now| now.is_dead() || !now.may_be(before))
}

fn seen(held: &ProcessHandle) -> io::Result<(i32, &ProcessStat, &[Vec<u8>])> {
    match held {
        ProcessHandle::Seen { pid, stat, args } => Ok((*pid, stat, args)),
        ProcessHandle::Pidfd(_) => Err(not_ours()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell that becomes `sleep` when its input ends.
    fn shell() -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read -r word; exec sleep 60"]).stdin(Stdio::piped());
        shell.spawn().unwrap()
    }

    fn hold(child: &Child) -> ProcessHandle {
        let pid = child.id() as i32;
        Recheck.hold(&[pid]).unwrap().remove(0).unwrap().unwrap()
    }

    fn until(child: &Child, word: &str) {
        let word = word.as_bytes();
        let pid = child.id() as i32;
        for _ in 0..200 {
            let table = Table::read(ProcSource::Ps).unwrap();
            if table.source.args(pid).first().is_some_and(|first| first == word) {
                return;
            }
            thread::sleep(PAUSE);
        }
        panic!("{pid} has not become {word:?}");
    }

    #[test]
    fn another_program_is_not_signalled_and_the_same_is() {
        let mut child = shell();
        until(&child, "sh");
        let before = hold(&child);
        drop(child.stdin.take());
        until(&child, "sleep");
        let sent = Recheck.signal(&[&before], Signal::SIGTERM).unwrap();
        assert!(matches!(sent[..], [SignalOutcome::Changed]), "{sent:?}");
        assert_eq!(Recheck.wait(&[&before], Duration::ZERO).unwrap(), [false]);
        assert!(child.try_wait().unwrap().is_none());

        let now = hold(&child);
        let sent = Recheck.signal(&[&now], Signal::SIGTERM).unwrap();
        assert!(matches!(sent[..], [SignalOutcome::Reached]), "{sent:?}");
        // It is not reaped yet, and has ended all the same.
        assert_eq!(Recheck.wait(&[&now], Duration::from_secs(10)).unwrap(), [true]);
        child.wait().unwrap();
        let sent = Recheck.signal(&[&before, &now], Signal::SIGKILL).unwrap();
        assert!(matches!(sent[..], [SignalOutcome::Ended, SignalOutcome::Ended]), "{sent:?}");
    }

    #[test]
    fn what_is_no_process_to_act_on() {
        let holdings = Recheck.hold(&[-1, 0, 1, i32::MAX]).unwrap();
        assert!(holdings[..3].iter().all(Result::is_err), "{holdings:?}");
        assert!(matches!(holdings[3], Ok(None)), "{holdings:?}");
    }
}
