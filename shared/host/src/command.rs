//! Running a program for its output, but not for longer than it may take.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

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
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let result = collect(&mut child, &stdout, &stderr, deadline);
    if result.is_err() {
        // It is our own child, not yet waited for: the pid is still its own.
        let _ = child.kill();
        let _ = child.wait();
    }
    result
}

/// Reads a stream to its end in a thread of its own, so that neither stream waits for
/// the other. A thread whose stream never ends is left behind.
fn drain(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stream.map_or(Ok(0), |mut stream| stream.read_to_end(&mut bytes));
        // Nobody listens any more when the time was up.
        let _ = sender.send(read.map(|_| bytes));
    });
    receiver
}

fn collect(
    child: &mut Child,
    stdout: &mpsc::Receiver<io::Result<Vec<u8>>>,
    stderr: &mpsc::Receiver<io::Result<Vec<u8>>>,
    deadline: Instant,
) -> io::Result<Printed> {
    let text = |receiver: &mpsc::Receiver<io::Result<Vec<u8>>>| {
        let left = deadline.saturating_duration_since(Instant::now());
        let bytes = receiver.recv_timeout(left).map_err(|_| timed_out())??;
        Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (stdout, stderr) = (text(stdout)?, text(stderr)?);
    // Both streams are closed: it is about to end.
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Printed { success: status.success(), stdout, stderr });
        }
        if Instant::now() >= deadline {
            return Err(timed_out());
        }
        thread::sleep(Duration::from_micros(100));
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}
