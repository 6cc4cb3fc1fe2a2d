//! What tells open files apart, whatever path leads to them.

use model::parse::fdinfo::{Target, target};
use rustix::fs::Stat;

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
    pub fn of(stat: &Stat) -> FileKey {
        FileKey::Inode(stat.st_dev, stat.st_ino)
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
