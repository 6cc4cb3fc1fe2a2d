//! The workspace of a database, and files in it, opened without leaving it.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::geteuid;

/// The directory that the database stands in, as `registry/state.sqlite3`.
#[derive(Debug)]
pub struct Workspace {
    /// Absolute path, symbolic links resolved.
    pub path: PathBuf,
    directory: OwnedFd,
}

impl Workspace {
    /// The workspace of the database at this resolved path.
    ///
    /// # Errors
    /// When the directory cannot be opened.
    pub fn of(database: &Path) -> io::Result<Workspace> {
        let directory = database.parent().unwrap_or(Path::new("/"));
        let path = match directory.file_name().is_some_and(|name| name == "registry") {
            true => directory.parent().unwrap_or(directory),
            false => directory,
        };
        let flags = (OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits();
        let directory = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        Ok(Workspace { path: path.to_owned(), directory: directory.into() })
    }

    /// Opens a regular file of ours. No symbolic link is followed on the way, and a FIFO
    /// does not make this wait.
    ///
    /// # Errors
    /// Also when the path leads out of the workspace, or to anything else.
    pub fn open(&self, relative: &Path, flags: OFlag) -> io::Result<(File, Metadata)> {
        let (name, directory) = self.directory_of(relative)?;
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let mode = Mode::from_bits_truncate(0o666);
        let opened = openat(&directory, name, flags | OFlag::O_CLOEXEC, mode);
        let file: File = opened.map_err(named)?.into();
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if metadata.uid() != geteuid().as_raw() {
            return Err(io::Error::other(format!("it belongs to uid {}", metadata.uid())));
        }
        Ok((file, metadata))
    }

    /// Makes the directory that a file would stand in, if that one's own is there.
    ///
    /// # Errors
    /// When it is not there afterwards.
    pub fn make_directory_of(&self, relative: &Path) -> io::Result<()> {
        let directory = relative.parent().unwrap_or(Path::new(""));
        let (name, parent) = self.directory_of(directory)?;
        match mkdirat(&parent, name, Mode::from_bits_truncate(0o777)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The last name of a path, and the directory that it stands in.
    ///
    /// # Errors
    /// When there is no such directory, or the path leads out of the workspace.
    pub fn directory_of<'p>(&self, relative: &'p Path) -> io::Result<(&'p OsStr, OwnedFd)> {
        let mut names = Vec::new();
        for component in relative.components() {
            let Component::Normal(name) = component else { return Err(outside()) };
            names.push(name);
        }
        let name = names.pop().ok_or_else(outside)?;
        let mut directory = self.directory.try_clone()?;
        for name in names {
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let next = openat(directory.as_fd(), name, flags, Mode::empty());
            directory = next.map_err(named)?;
        }
        Ok((name, directory))
    }

    /// The path below the workspace that this absolute path means, if it is inside.
    pub fn relative(&self, path: &Path) -> Option<PathBuf> {
        let inside = |path: &Path| path.strip_prefix(&self.path).map(Path::to_owned).ok();
        // The orchestrator may spell the workspace through a link.
        inside(path).or_else(|| {
            let directory = path.parent()?.canonicalize().ok()?;
            inside(&directory.join(path.file_name()?))
        })
    }
}

fn outside() -> io::Error {
    io::Error::other("outside the workspace")
}

fn named(errno: Errno) -> io::Error {
    match errno {
        Errno::ELOOP => io::Error::other("a symbolic link"),
        errno => errno.into(),
    }
}
