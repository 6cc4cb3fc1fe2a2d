//! Standard output, written by a separate thread, so that reporting never waits for a reader.
//!
//! The thread blocks all signals: a signal that is held back while a registry is written must
//! not be delivered through it.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::sys::signal::{SigSet, SigmaskHow};

/// Takes what is to be written. Each `write` is written as a whole and gets one receipt.
#[derive(Debug)]
pub struct Queue(Sender<Vec<u8>>);

/// Whether each part was written, in order. The first error is the last receipt: nothing is
/// written after it.
pub type Receipts = Receiver<io::Result<()>>;

/// Starts the thread.
///
/// # Errors
/// When the system cannot start a thread.
pub fn stdout() -> io::Result<(Queue, Receipts)> {
    let (queue, parts) = channel::<Vec<u8>>();
    let (sender, receipts) = channel();
    let write = move || {
        for part in parts {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&part).and_then(|()| stdout.flush());
            let is_last = written.is_err();
            if sender.send(written).is_err() || is_last {
                break;
            }
        }
    };
    // A thread inherits the signal mask of the thread that starts it.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let started = thread::Builder::new().name("stdout".to_owned()).spawn(write);
    before.thread_set_mask()?;
    started.map(|_| (Queue(queue), receipts))
}

impl Write for Queue {
    /// Never fails: the receipt says whether the part was written.
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(part.to_vec());
        Ok(part.len())
    }

    /// An empty part gets a receipt too, such as a table without rows and headings.
    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        self.write(part).map(drop)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
