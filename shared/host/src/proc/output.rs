//! Where the standard output of processes leads, and who reads it.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use model::record::Stdout;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::path;
use crate::source::Rows;

/// The outputs of these processes. Who reads a pipe is searched among all processes, once,
/// and only if somebody does.
pub fn outputs(pids: &[i32], all: &Rows) -> Vec<(Option<Stdout>, Option<i32>)> {
    let outputs: Vec<Output> = pids.iter().map(|pid| output(*pid)).collect();
    let wanted: HashSet<&str> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Pipe(link) => Some(link.as_str()),
            Output::Known(_) => None,
        })
        .collect();
    let readers = if wanted.is_empty() { HashMap::new() } else { readers(all, &wanted) };
    let settled = |(pid, output): (&i32, &Output)| match output {
        Output::Known(stdout) => (*stdout, None),
        Output::Pipe(link) => {
            let others = readers.get(link.as_str()).into_iter().flatten();
            let reader = others.copied().filter(|other| other != pid).min();
            (reader.map(|_| Stdout::Pipe), reader)
        }
    };
    pids.iter().zip(&outputs).map(settled).collect()
}

/// Standard output as far as the process alone shows it.
enum Output {
    Known(Option<Stdout>),
    /// A pipe with this link that somebody reads.
    Pipe(String),
}

fn output(pid: i32) -> Output {
    let fd = path(pid, "fd/1");
    let link = match fs::read_link(&fd) {
        Ok(link) => link.to_string_lossy().into_owned(),
        // The folder could be read, there is no such descriptor: it is closed.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && fs::read_dir(path(pid, "fd")).is_ok() =>
        {
            return Output::Known(Some(Stdout::Other));
        }
        Err(_) => return Output::Known(None),
    };
    let gone = link.ends_with(" (deleted)");
    if link == "/dev/null" {
        return Output::Known(Some(Stdout::Null));
    }
    if link.starts_with("/dev/pts/") || link.starts_with("/dev/tty") || link == "/dev/console" {
        return Output::Known(Some(if gone { Stdout::Other } else { Stdout::Tty }));
    }
    let Ok(metadata) = fs::metadata(&fd) else { return Output::Known(None) };
    let kind = metadata.file_type();
    if kind.is_fifo() {
        return match is_read(&fd) {
            Some(false) => Output::Known(Some(Stdout::Pipe)),
            _ => Output::Pipe(link),
        };
    }
    Output::Known(Some(if kind.is_file() {
        Stdout::File
    } else if kind.is_socket() {
        Stdout::Socket
    } else {
        Stdout::Other
    }))
}

/// Whether anybody has the other end of a pipe open. Opened for writing, a pipe without
/// readers polls as an error; a FIFO without readers cannot be opened (pipe(7), fifo(7)).
fn is_read(fd: &std::path::Path) -> Option<bool> {
    let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let pipe = match OpenOptions::new().write(true).custom_flags(nonblocking).open(fd) {
        Ok(pipe) => pipe,
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENXIO as i32) => {
            return Some(false);
        }
        Err(_) => return None,
    };
    let no_time = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::from_borrowed_fd(File::as_fd(&pipe), PollFlags::OUT)];
    poll(&mut fds, Some(&no_time)).ok()?;
    Some(!fds[0].revents().contains(PollFlags::ERR))
}

/// Who has which of these pipes open for reading, as far as this user may see: the
/// permission bits of a link in `/proc/PID/fd` tell how the file was opened.
fn readers<'w>(all: &Rows, wanted: &HashSet<&'w str>) -> HashMap<&'w str, Vec<i32>> {
    const OPEN_FOR_READING: u32 = 0o400;
    let mut readers: HashMap<&str, Vec<i32>> = HashMap::new();
    for pid in all.keys() {
        for entry in fs::read_dir(path(*pid, "fd")).into_iter().flatten().flatten() {
            let Ok(link) = fs::read_link(entry.path()) else { continue };
            let Some(link) = link.to_str().and_then(|link| wanted.get(link)) else { continue };
            if entry.metadata().is_ok_and(|link| link.mode() & OPEN_FOR_READING != 0) {
                readers.entry(link).or_default().push(*pid);
            }
        }
    }
    readers
}
