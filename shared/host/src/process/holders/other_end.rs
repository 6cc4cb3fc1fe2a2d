//! Whether anybody has the other end of a pipe, also somebody who cannot be seen.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};

use super::file_key::FileKey;
use crate::process::proc::file::path;

/// Whether anybody has a pipe open for reading, which this process has as `fd` for writing.
/// None where that cannot be asked. Opened for writing, a pipe without readers polls as an
/// error; a FIFO without readers cannot be opened (pipe(7), fifo(7)).
pub fn is_read(pid: i32, fd: i32) -> Option<bool> {
    let pipe = match open(pid, fd, OpenOptions::new().write(true)) {
        Ok(pipe) => pipe,
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => return Some(false),
        Err(_) => return None,
    };
    Some(!events(&pipe, PollFlags::OUT)?.contains(PollFlags::ERR))
}

/// Whether anybody has a pipe open for writing, which this process has as `fd` for reading.
/// A pipe without a name that nobody writes to is hung up. A FIFO is that only for those who
/// saw a writer go: it is asked for a copy of what is in it, which takes nothing out
/// (tee(2)). None where that cannot be asked, or the FIFO is not empty.
pub fn is_written(pid: i32, fd: i32, key: FileKey) -> Option<bool> {
    let pipe = open(pid, fd, OpenOptions::new().read(true)).ok()?;
    if matches!(key, FileKey::Pipe(_)) {
        return Some(!events(&pipe, PollFlags::IN)?.contains(PollFlags::HUP));
    }
    let (_reader, writer) = pipe_with(PipeFlags::CLOEXEC).ok()?;
    match tee(&pipe, &writer, 1, SpliceFlags::NONBLOCK) {
        Ok(0) => Some(false),
        Ok(_) => None,
        Err(rustix::io::Errno::AGAIN) => Some(true),
        Err(_) => None,
    }
}

fn open(pid: i32, fd: i32, options: &mut OpenOptions) -> std::io::Result<File> {
    options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path(pid, &format!("fd/{fd}")))
}

fn events(pipe: &File, wanted: PollFlags) -> Option<PollFlags> {
    let no_time = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(pipe, wanted)];
    poll(&mut fds, Some(&no_time)).ok()?;
    Some(fds[0].revents())
}
