//! The open files of one process, as far as they can hold it.

use std::fs;
use std::io;

use model::parse::fdinfo::{self, Target, target};
use model::record::How;
use rustix::fs::{CWD, FileType};

use super::file_key::{FileKey, Status, status};
use super::sockets::{Connection, Sockets};
use crate::process::proc::file::{link, path};

/// One open file that may hold its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenFile {
    /// Fd 0, 1 or 2 is a terminal or a device whose name exists.
    Device(How, String),
    /// Fd 0, 1 or 2 is a pipe or FIFO.
    Pipe {
        /// Which.
        key: FileKey,
        /// The fd.
        fd: i32,
        /// It is open for reading.
        reads: bool,
        /// It is open for writing.
        writes: bool,
    },
    /// The other end of a socket counts, and is this one.
    Peer(FileKey),
    /// Fd 1 or 2, or 0 written to, is a regular file with a name.
    Log(String),
    /// The same without a name.
    Unnamed(FileKey),
    /// What could not be found out.
    Unread(How),
}

/// What fd 0–2 can be, all of it unknown where they cannot be read.
const OF_STREAMS: [How; 6] =
    [How::Terminal, How::Device, How::Reader, How::Writer, How::Peer, How::Log];

/// Reads them. `is_own`: whether a path is in one of Claude's own directories, which hold nothing.
pub fn open_files(pid: i32, sockets: &mut Sockets, is_own: &dyn Fn(&str) -> bool) -> Vec<OpenFile> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(path(pid, "fd")) else {
        return OF_STREAMS.map(OpenFile::Unread).into();
    };
    for entry in entries {
        let fd = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let Some(fd) = fd else {
            files.extend(OF_STREAMS.map(OpenFile::Unread));
            continue;
        };
        match link(pid, &format!("fd/{fd}")) {
            Ok(link) if fd > 2 => files.extend(other(pid, fd, &link, sockets)),
            Ok(link) => stream(pid, fd, &link, sockets, is_own, &mut files),
            // Closed since the directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => files.extend(OF_STREAMS.map(OpenFile::Unread)),
        }
    }
    files
}

/// Whether fd 0, 1 and 2 are a terminal that has been destroyed.
pub fn is_terminal_gone(pid: i32) -> bool {
    (0..3).all(|fd| {
        let stat = stat_of(pid, fd);
        let link = link(pid, &format!("fd/{fd}"));
        stat.is_ok_and(|stat| is_terminal(&stat))
            && link.is_ok_and(|link| link.ends_with(" (deleted)"))
    })
}

/// A file above fd 2: only a connection counts.
fn other(pid: i32, fd: i32, link: &str, sockets: &mut Sockets) -> Option<OpenFile> {
    let Target::Socket(inode) = target(link) else { return None };
    match sockets.connection(inode) {
        Connection::None | Connection::Out(_) => None,
        Connection::In(peer) => Some(OpenFile::Peer(FileKey::Socket(peer))),
        Connection::Unknown => Sockets::may_be_unix(pid, fd).then_some(OpenFile::Unread(How::Peer)),
    }
}

fn stream(
    pid: i32,
    fd: i32,
    link: &str,
    sockets: &mut Sockets,
    is_own: &dyn Fn(&str) -> bool,
    files: &mut Vec<OpenFile>,
) {
    match target(link) {
        Target::Socket(inode) => files.extend(match sockets.connection(inode) {
            Connection::None => None,
            Connection::In(peer) | Connection::Out(peer) => {
                Some(OpenFile::Peer(FileKey::Socket(peer)))
            }
            Connection::Unknown => Some(OpenFile::Unread(How::Peer)),
        }),
        Target::Pipe(inode) => files.push(pipe(pid, fd, FileKey::Pipe(inode))),
        Target::Path(link) => match stat_of(pid, fd) {
            Ok(stat) => files.extend(named(pid, fd, link, &stat, is_own)),
            Err(_) => files.extend(OF_STREAMS.map(OpenFile::Unread)),
        },
        // No program has these there; whatever it is, it was not understood.
        Target::Pidfd | Target::Other => files.push(OpenFile::Unread(How::Device)),
    }
}

fn named(
    pid: i32,
    fd: i32,
    link: &str,
    stat: &Status,
    is_own: &dyn Fn(&str) -> bool,
) -> Option<OpenFile> {
    let is_gone = stat.names == 0 || link.ends_with(" (deleted)");
    let writes = || access(pid, fd).is_none_or(|(_, writes)| writes);
    match stat.kind {
        FileType::Fifo => Some(pipe(pid, fd, FileKey::of(stat))),
        FileType::CharacterDevice | FileType::BlockDevice if is_gone || is_void(stat) => None,
        FileType::CharacterDevice if is_terminal(stat) => {
            Some(OpenFile::Device(How::Terminal, link.trim_start_matches("/dev/").to_owned()))
        }
        FileType::CharacterDevice | FileType::BlockDevice => {
            Some(OpenFile::Device(How::Device, link.to_owned()))
        }
        FileType::RegularFile if is_own(link) || !writes() => None,
        // The mark in the link alone may be part of a name.
        FileType::RegularFile if stat.names == 0 => Some(OpenFile::Unnamed(FileKey::of(stat))),
        FileType::RegularFile => Some(OpenFile::Log(link.to_owned())),
        FileType::Directory => None,
        _ => Some(OpenFile::Unread(How::Device)),
    }
}

fn pipe(pid: i32, fd: i32, key: FileKey) -> OpenFile {
    // In which direction is not known: in both.
    let (reads, writes) = access(pid, fd).unwrap_or((true, true));
    OpenFile::Pipe { key, fd, reads, writes }
}

fn stat_of(pid: i32, fd: i32) -> rustix::io::Result<Status> {
    status(CWD, path(pid, &format!("fd/{fd}")))
}

/// For reading, for writing.
pub fn access(pid: i32, fd: i32) -> Option<(bool, bool)> {
    let mut buffer = Vec::new();
    let text = crate::process::proc::file::read(pid, &format!("fdinfo/{fd}"), &mut buffer).ok()?;
    fdinfo::access(&String::from_utf8_lossy(text))
}

/// The device that swallows everything, those that end at once, those of random bytes
/// (mem(4), null(4), full(4), random(4)).
fn is_void(stat: &Status) -> bool {
    stat.kind == FileType::CharacterDevice && matches!(stat.special, (1, 3 | 5 | 7 | 8 | 9))
}

/// Pseudo-terminals, consoles and serial lines, `/dev/tty` and `/dev/console`
/// (the kernel's admin-guide/devices.txt).
fn is_terminal(stat: &Status) -> bool {
    let is_character = stat.kind == FileType::CharacterDevice;
    is_character && matches!(stat.special, (136..=143 | 4, _) | (5, 0 | 1))
}
