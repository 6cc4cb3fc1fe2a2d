//! A directory by its handle: it stays the same directory even if its path is replaced.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Opens a directory only to reach what is in it, which needs no permission to list it.
#[cfg(target_os = "linux")]
const REACH: OFlag = OFlag::O_PATH;
#[cfg(not(target_os = "linux"))]
const REACH: OFlag = OFlag::O_RDONLY;

/// Neither follows a link nor waits: a FIFO would wait for its other end.
const SAFELY: OFlag =
    OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// A directory, by a handle.
#[derive(Debug)]
pub(crate) struct Directory {
    handle: OwnedFd,
}

impl Directory {
    /// Opens the directory at this absolute path, one component after the other.
    ///
    /// # Errors
    /// As open(2); also when a component is a symbolic link, or `..`.
    pub fn open(path: &Path) -> io::Result<Directory> {
        let flags = REACH | OFlag::O_DIRECTORY | SAFELY;
        if !path.is_absolute() {
            return Err(io::Error::other("not an absolute path"));
        }
        let mut handle = openat(AT_FDCWD, "/", flags, Mode::empty())?;
        for component in path.components() {
            handle = match component {
                Component::RootDir => continue,
                Component::Normal(name) => openat(&handle, name, flags, Mode::empty())
                    .map_err(|errno| not_entered(&handle, name, errno))?,
                _ => return Err(io::Error::other("a path with .. in it")),
            };
        }
        Ok(Directory { handle })
    }

    /// Opens a regular file in it, for reading and, if `update`, for writing.
    ///
    /// # Errors
    /// As open(2); also when it is not a regular file, such as a symbolic link.
    pub fn open_file(&self, name: &OsStr, update: bool) -> io::Result<File> {
        // A device may do something when it is opened.
        let before = self.stat(name)?.ok_or(Errno::ENOENT)?;
        if is_link(&before) {
            return Err(link());
        }
        must_be_regular(&before)?;
        let access = if update { OFlag::O_RDWR } else { OFlag::O_RDONLY };
        let file = openat(&self.handle, name, access | SAFELY, Mode::empty())
            .map_err(|errno| if errno == Errno::ELOOP { link() } else { errno.into() })?;
        must_be_regular(&fstat(&file)?)?;
        Ok(File::from(file))
    }

    /// Makes a file in it that only its owner can read; it must not be there yet.
    ///
    /// # Errors
    /// As open(2).
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | SAFELY;
        let file = openat(&self.handle, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        Ok(File::from(file))
    }

    /// What is there under a name, a symbolic link itself; None where there is nothing.
    ///
    /// # Errors
    /// As stat(2).
    pub fn stat(&self, name: &OsStr) -> io::Result<Option<FileStat>> {
        match fstatat(&self.handle, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The names in it.
    ///
    /// # Errors
    /// As open(2) and readdir(3).
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | SAFELY;
        let mut directory = Dir::openat(&self.handle, ".", flags, Mode::empty())?;
        let name = |entry: nix::Result<nix::dir::Entry>| {
            Ok(OsString::from_vec(entry?.file_name().to_bytes().to_vec()))
        };
        directory.iter().map(name).collect()
    }

    /// Renames a file in it, replacing what has the new name.
    ///
    /// # Errors
    /// As rename(2).
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.handle, from, &self.handle, to)?)
    }

    /// Removes a file from it.
    ///
    /// # Errors
    /// As unlink(2).
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Waits until its names are on disk.
    ///
    /// # Errors
    /// As fsync(2).
    pub fn sync(&self) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | SAFELY;
        File::from(openat(&self.handle, ".", flags, Mode::empty())?).sync_all()
    }

    /// Device and inode.
    ///
    /// # Errors
    /// As fstat(2).
    pub fn identity(&self) -> io::Result<Identity> {
        Ok(identity(&fstat(&self.handle)?))
    }
}

/// Device and inode, which identify a file.
pub(crate) type Identity = (u64, u64);

/// Device and inode of what was asked.
pub(crate) fn identity(stat: &FileStat) -> Identity {
    // Other systems than Linux have smaller types.
    #[allow(clippy::unnecessary_cast)]
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// Whether this is a regular file.
pub(crate) fn is_regular(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFREG
}

fn is_link(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFLNK
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn must_be_regular(stat: &FileStat) -> io::Result<()> {
    if is_regular(stat) { Ok(()) } else { Err(io::Error::other("not a regular file")) }
}

fn link() -> io::Error {
    let errno = io::Error::from(Errno::ELOOP);
    io::Error::new(errno.kind(), format!("{errno}: it is a symbolic link now; list it again"))
}

fn not_entered(parent: &OwnedFd, name: &OsStr, errno: Errno) -> io::Error {
    let stat = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW);
    if stat.is_ok_and(|stat| is_link(&stat)) {
        let name = String::from_utf8_lossy(name.as_bytes());
        let errno = io::Error::from(Errno::ELOOP);
        let reason = format!("{errno}: the directory {name} is a symbolic link now; list it again");
        return io::Error::new(errno.kind(), reason);
    }
    errno.into()
}
