//! Running a program for its output, but not for longer than it may take.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How much is read at a time: what a pipe holds.
const CHUNK: usize = 1 << 16;

/// How often a program that has closed its streams is looked at without a pause: it is
/// about to end.
const AT_ONCE: usize = 100;

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

/// Waits until one of the streams has something or has ended, and tells which.
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
