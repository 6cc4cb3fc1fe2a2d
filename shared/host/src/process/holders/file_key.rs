//! What tells open files apart, whatever path leads to them.

use model::parse::fdinfo::{Target, target};
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, makedev, statx};
use std::os::fd::AsFd;

/// An open file that several processes may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKey {
    /// A pipe without a name, by its inode.
    Pipe(u64),
    /// A socket, by its inode.
    Socket(u64),
    /// A file or FIFO, by device and inode.
    Inode(u64, u64),
}

impl FileKey {
    /// That of a file that has or had a path.
    pub fn of(stat: &Status) -> FileKey {
        FileKey::Inode(stat.device, stat.inode)
    }

    /// That of a link which says it. None for a path, which does not.
    pub fn in_link(link: &str) -> Option<FileKey> {
        match target(link) {
            Target::Pipe(inode) => Some(FileKey::Pipe(inode)),
            Target::Socket(inode) => Some(FileKey::Socket(inode)),
            Target::Pidfd | Target::Path(_) | Target::Other => None,
        }
    }
}

/// What the kernel knows of a file without asking who serves its file system, who may never
/// answer (statx(2), `AT_STATX_DONT_SYNC`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The device it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// What it is.
    pub kind: FileType,
    /// How many names it has.
    pub names: u32,
    /// Which device it is, major and minor number, if it is one.
    pub special: (u32, u32),
}

/// Asks for the status of a file, following a link as those in `/proc/PID/fd`.
pub fn status(directory: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<Status> {
    let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::NLINK;
    let statx: Statx = statx(directory, path, AtFlags::STATX_DONT_SYNC, wanted)?;
    Ok(Status {
        device: makedev(statx.stx_dev_major, statx.stx_dev_minor),
        inode: statx.stx_ino,
        kind: FileType::from_raw_mode(statx.stx_mode.into()),
        names: statx.stx_nlink,
        special: (statx.stx_rdev_major, statx.stx_rdev_minor),
    })
}
