//! One pass through the open files of all processes that may be read.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use model::parse::fdinfo;
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};

use super::file_key::{FileKey, status};
use super::open_files::access;
use super::survey::Survey;
use crate::process::proc::file;

/// What is looked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// These open files.
    pub files: HashSet<FileKey>,
    /// Handles on these processes.
    pub processes: HashSet<i32>,
    /// Some of the files are FIFOs, which go by any path.
    pub has_fifo: bool,
    /// Some of the files have no name any more.
    pub has_unnamed: bool,
}

/// A process that has a file open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The process.
    pub pid: i32,
    /// For reading, or in which direction is not known.
    pub reads: bool,
    /// For writing, or in which direction is not known.
    pub writes: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Everyone {
    files: HashMap<FileKey, Vec<User>>,
    watchers: HashMap<i32, Vec<i32>>,
}

impl Everyone {
    /// Goes through all living processes. Those of others are passed over.
    pub fn ask(wanted: &Wanted, survey: &Survey<'_>) -> Everyone {
        let mut everyone = Everyone::default();
        let living = survey.processes.iter().filter(|(_, stat)| !stat.is_dead() && !stat.is_kernel);
        for (pid, _) in living {
            everyone.read(*pid, wanted);
        }
        everyone
    }

    /// Who has a file open.
    pub fn users(&self, key: FileKey) -> &[User] {
        self.files.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Who has a handle on a process.
    pub fn watchers(&self, pid: i32) -> &[i32] {
        self.watchers.get(&pid).map_or(&[], Vec::as_slice)
    }

    fn read(&mut self, pid: i32, wanted: &Wanted) {
        const LONGEST: usize = 256;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(directory) = openat(CWD, file::path(pid, "fd"), flags, Mode::empty()) else {
            return;
        };
        let mut room = [MaybeUninit::<u8>::uninit(); 4096];
        let mut entries = RawDir::new(&directory, &mut room);
        let mut link = [0_u8; LONGEST];
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name();
            if name.to_bytes().starts_with(b".") {
                continue;
            }
            let Ok(length) = readlinkat_raw(directory.as_fd(), name, &mut link) else { continue };
            self.file(pid, &directory, name, &link[..length], wanted);
        }
    }

    fn file(&mut self, pid: i32, directory: &OwnedFd, name: &CStr, link: &[u8], wanted: &Wanted) {
        let fd = || name.to_str().ok()?.parse::<i32>().ok();
        let Some(key) = key(directory, name, link, wanted) else {
            if link == b"anon_inode:[pidfd]" || link.starts_with(b"pidfd:[") {
                self.pidfd(pid, fd(), wanted);
            }
            return;
        };
        if wanted.files.contains(&key) {
            let access = fd().and_then(|fd| access(pid, fd));
            let (reads, writes) = access.unwrap_or((true, true));
            self.files.entry(key).or_default().push(User { pid, reads, writes });
        }
    }

    fn pidfd(&mut self, pid: i32, fd: Option<i32>, wanted: &Wanted) {
        let Some(fd) = fd else { return };
        let mut buffer = Vec::new();
        let Ok(text) = file::read(pid, &format!("fdinfo/{fd}"), &mut buffer) else { return };
        let target = fdinfo::pidfd(&String::from_utf8_lossy(text));
        if let Some(target) = target.filter(|target| wanted.processes.contains(target)) {
            self.watchers.entry(target).or_default().push(pid);
        }
    }
}

/// Which file it is, if it may be wanted.
fn key(directory: &OwnedFd, name: &CStr, link: &[u8], wanted: &Wanted) -> Option<FileKey> {
    if !link.starts_with(b"/") {
        return FileKey::in_link(std::str::from_utf8(link).ok()?);
    }
    // A link that fills the room may have been cut before its mark.
    let is_unnamed = link.ends_with(b" (deleted)") || link.len() >= 256;
    let is_device = link == b"/dev/null" || link.starts_with(b"/dev/pts/");
    let is_possible = wanted.has_unnamed && is_unnamed || wanted.has_fifo && !is_device;
    is_possible.then(|| status(directory, name).ok()).flatten().map(|s| FileKey::of(&s))
}
