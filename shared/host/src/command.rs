//! Running a program for its output, but not for longer than it may take.
//!
//! A child gets only what it needs: a bare environment, `/` as its working directory, no input,
//! and no open file but its own output; tmux also a handle that names the socket's file.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::descriptors;
use crate::environment;

/// Where programs are looked for besides `PATH`, which cron keeps short.
const FURTHER_DIRECTORIES: [&str; 4] = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin"];

/// How much is read at a time: what a pipe holds.
const CHUNK: usize = 1 << 16;

/// The longest output of a program, in bytes.
const LONGEST: usize = 1 << 28;

/// How often a program that has closed its streams is asked without a pause whether it has
/// ended: it is about to.
const AT_ONCE: usize = 100;

/// Finds a program on `PATH`, else where programs usually are. An empty or relative component
/// of `PATH` is skipped: it means another program in every directory.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = environment::var("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .chain(FURTHER_DIRECTORIES.map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| is_executable(program))
}

fn is_executable(program: &Path) -> bool {
    program.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// A command whose child gets only what it needs. After `--user`, the child is also in a
/// session of its own: the user can trace it, and a process with root's terminal could be made
/// to type there (`TIOCSTI`, ioctl_tty(2)).
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment::of_children()).current_dir("/");
    let own_session = environment::is_reduced();
    let inherited = descriptors::inherited();
    if own_session || !inherited.is_empty() {
        let before_exec = move || {
            if own_session {
                nix::unistd::setsid()?;
                end_with_parent()?;
            }
            for fd in inherited {
                // It may have been closed since.
                let _ = nix::unistd::close(*fd);
            }
            Ok(())
        };
        // SAFETY: std has no safe call for setsid(2) in a child. Between fork and exec, the
        // closure calls setsid, prctl and close, which are async-signal-safe; it allocates
        // nothing and touches no data but the list that was made at the start. The files it
        // closes are those this process was started with, which no value here owns.
        #[allow(unsafe_code, reason = "see above")]
        unsafe {
            command.pre_exec(before_exec);
        }
    }
    command
}

/// Ctrl-C at the terminal no longer reaches a child in another session.
fn end_with_parent() -> nix::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    Ok(())
}

/// What a program printed, and whether it ended with 0.
#[derive(Debug)]
pub struct Printed {
    /// True for exit status 0.
    pub success: bool,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

/// Runs a command with empty input and collects its output.
///
/// # Errors
/// When it cannot be started, or has not ended after `limit`: then it is killed, and the
/// kind is [`io::ErrorKind::TimedOut`].
pub fn printed(command: &mut Command, limit: Duration) -> io::Result<Printed> {
    let deadline = Instant::now() + limit;
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let result = collect(&mut child, deadline);
    if result.is_err() {
        // It is our own child, not yet waited for: the pid is still its own.
        let _ = child.kill();
        let _ = child.wait();
    }
    result
}

/// A stream of the program, as far as it has been read.
struct Stream {
    /// None once it has ended.
    from: Option<File>,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(from: Option<impl Into<OwnedFd>>) -> Stream {
        Stream { from: from.map(|from| File::from(from.into())), bytes: Vec::new() }
    }

    /// Reads what is there. To be called when something is, or the end.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<()> {
        let Some(from) = &mut self.from else { return Ok(()) };
        match from.read(chunk) {
            Ok(0) => self.from = None,
            // A tmux server of a hostile user has endless sessions.
            Ok(read) if self.bytes.len() + read > LONGEST => {
                return Err(io::Error::other("its output is too long"));
            }
            Ok(read) => self.bytes.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn text(self) -> String {
        String::from_utf8(self.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

fn collect(child: &mut Child, deadline: Instant) -> io::Result<Printed> {
    let mut streams = [Stream::new(child.stdout.take()), Stream::new(child.stderr.take())];
    let mut chunk = vec![0; CHUNK];
    while streams.iter().any(|stream| stream.from.is_some()) {
        let is_ready = ready(&streams, deadline)?;
        for (stream, is_ready) in streams.iter_mut().zip(is_ready) {
            if is_ready {
                stream.read(&mut chunk)?;
            }
        }
    }
    let [stdout, stderr] = streams.map(Stream::text);
    for round in 0.. {
        if let Some(status) = child.try_wait()? {
            return Ok(Printed { success: status.success(), stdout, stderr });
        }
        if Instant::now() >= deadline {
            break;
        }
        match round < AT_ONCE {
            true => thread::yield_now(),
            false => thread::sleep(Duration::from_micros(100)),
        }
    }
    Err(timed_out())
}

/// Waits until one of the streams has something or has ended; returns which.
fn ready(streams: &[Stream; 2], deadline: Instant) -> io::Result<[bool; 2]> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(timed_out());
    }
    let left = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    };
    let open = streams.iter().filter_map(|stream| stream.from.as_ref());
    let mut fds: Vec<PollFd<'_>> = open.map(|file| PollFd::new(file, PollFlags::IN)).collect();
    match poll(&mut fds, Some(&left)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut events = fds.iter().map(|fd| !fd.revents().is_empty());
    let mut is_ready = |stream: &Stream| stream.from.is_some() && events.next() == Some(true);
    Ok([is_ready(&streams[0]), is_ready(&streams[1])])
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}
