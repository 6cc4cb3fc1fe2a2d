//! Where the standard output of processes leads, and who reads it.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use model::record::Stdout;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::file::{link, path};
use crate::process::stat::ProcessMap;

/// The outputs of these processes. Who reads a pipe is searched where it usually is, and for
/// pipes that somebody reads and nobody was found for, once among all processes.
pub fn outputs(pids: &[i32], all: &ProcessMap) -> Vec<(Option<Stdout>, Option<i32>)> {
    let mut outputs: Vec<Output> = pids.iter().map(|pid| output(*pid)).collect();
    let near = readers_near(pids, all, &pipes(&outputs));
    let reader = |pid: i32, link: &str, readers: &Readers| {
        readers.get(link)?.iter().copied().filter(|reader| *reader != pid).min()
    };
    for (pid, output) in pids.iter().zip(&mut outputs) {
        let Output::Pipe(link) = output else { continue };
        if let Some(reader) = reader(*pid, link, &near) {
            *output = Output::Known(Some(Stdout::Pipe), Some(reader));
        } else if is_read(&path(*pid, "fd/1")) == Some(false) {
            *output = Output::Known(Some(Stdout::Pipe), None);
        }
    }
    let wanted = pipes(&outputs);
    let anywhere = if wanted.is_empty() { HashMap::new() } else { readers(all, &wanted) };
    let settled = |(pid, output): (&i32, &Output)| match output {
        Output::Known(stdout, reader) => (*stdout, *reader),
        Output::Pipe(link) => {
            let reader = reader(*pid, link, &anywhere);
            (reader.map(|_| Stdout::Pipe), reader)
        }
    };
    pids.iter().zip(&outputs).map(settled).collect()
}

/// Standard output, as far as it is known, and who reads it.
enum Output {
    Known(Option<Stdout>, Option<i32>),
    /// A pipe with this link. Whether somebody reads it is not known yet.
    Pipe(String),
}

/// Who reads which pipe, by the link that leads to that.
type Readers = HashMap<String, Vec<i32>>;

/// The pipes of which it is not known who reads them.
fn pipes(outputs: &[Output]) -> HashSet<String> {
    let pipe = |output: &Output| match output {
        Output::Pipe(link) => Some(link.clone()),
        Output::Known(..) => None,
    };
    outputs.iter().filter_map(pipe).collect()
}

fn output(pid: i32) -> Output {
    let known = |stdout| Output::Known(stdout, None);
    let link = match link(pid, "fd/1") {
        Ok(link) => link,
        // The directory could be read and lacks this descriptor: it is closed.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && fs::read_dir(path(pid, "fd")).is_ok() =>
        {
            return known(Some(Stdout::Other));
        }
        Err(_) => return known(None),
    };
    let gone = link.ends_with(" (deleted)");
    if link == "/dev/null" {
        return known(Some(Stdout::Null));
    }
    if link.starts_with("/dev/pts/") || link.starts_with("/dev/tty") || link == "/dev/console" {
        return known(Some(if gone { Stdout::Other } else { Stdout::Tty }));
    }
    // A path would begin with a slash.
    if link.starts_with("pipe:") {
        return Output::Pipe(link);
    }
    let Ok(metadata) = fs::metadata(path(pid, "fd/1")) else { return known(None) };
    let kind = metadata.file_type();
    if kind.is_fifo() {
        return Output::Pipe(link);
    }
    known(Some(if kind.is_file() {
        Stdout::File
    } else if kind.is_socket() {
        Stdout::Socket
    } else {
        Stdout::Other
    }))
}

/// Whether anybody has the other end of a pipe open. Opened for writing, a pipe without
/// readers polls as an error; a FIFO without readers cannot be opened (pipe(7), fifo(7)).
fn is_read(fd: &Path) -> Option<bool> {
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

/// Who reads these pipes as standard input, among the processes of the same groups: the
/// members of a shell's pipeline form one.
fn readers_near(pids: &[i32], all: &ProcessMap, wanted: &HashSet<String>) -> Readers {
    let mut readers = Readers::new();
    if wanted.is_empty() {
        return readers;
    }
    let groups: HashSet<i32> = pids.iter().filter_map(|pid| Some(all.get(pid)?.pgid)).collect();
    for (pid, _) in all.iter().filter(|(_, stat)| groups.contains(&stat.pgid)) {
        let Ok(link) = link(*pid, "fd/0") else { continue };
        if wanted.contains(&link) && is_open_for_reading(&path(*pid, "fd/0")) {
            readers.entry(link).or_default().push(*pid);
        }
    }
    readers
}

/// Who has which of these pipes open for reading, as far as this user may see.
fn readers(all: &ProcessMap, wanted: &HashSet<String>) -> Readers {
    let mut readers = Readers::new();
    for pid in all.keys() {
        for entry in fs::read_dir(path(*pid, "fd")).into_iter().flatten().flatten() {
            let Ok(link) = fs::read_link(entry.path()) else { continue };
            let Some(link) = link.to_str().and_then(|link| wanted.get(link)) else { continue };
            if is_open_for_reading(&entry.path()) {
                readers.entry(link.clone()).or_default().push(*pid);
            }
        }
    }
    readers
}

/// The permission bits of a link in `/proc/PID/fd` tell how the file was opened.
fn is_open_for_reading(fd: &Path) -> bool {
    const OPEN_FOR_READING: u32 = 0o400;
    fs::symlink_metadata(fd).is_ok_and(|link| link.mode() & OPEN_FOR_READING != 0)
}
