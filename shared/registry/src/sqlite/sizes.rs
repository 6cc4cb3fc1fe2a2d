//! The sizes of many progress files, which stand in few directories.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat};
use nix::unistd::geteuid;

use super::progress::ProgressFile;
use super::workspace::Workspace;

/// Looks files up, and keeps the directory of the last one open.
#[derive(Debug)]
pub struct Sizes<'w> {
    workspace: &'w Workspace,
    /// Where the last one stands.
    parent: Option<PathBuf>,
    /// None where that directory is not there.
    directory: Option<OwnedFd>,
}

impl<'w> Sizes<'w> {
    /// Of files of this workspace.
    pub fn new(workspace: &'w Workspace) -> Sizes<'w> {
        Sizes { workspace, parent: None, directory: None }
    }

    /// The size of a file in bytes; 0 where there is none.
    ///
    /// # Errors
    /// When it is not a regular file of ours, or cannot be looked at.
    pub fn of(&mut self, file: &ProgressFile<'_>) -> io::Result<u64> {
        let relative = file.relative();
        let parent = relative.parent().unwrap_or(Path::new(""));
        if self.parent.as_deref() != Some(parent) {
            self.directory = match self.workspace.directory_of(relative) {
                Ok((_, directory)) => Some(directory),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            self.parent = Some(parent.to_owned());
        }
        let (Some(directory), Some(name)) = (&self.directory, relative.file_name()) else {
            return Ok(0);
        };
        match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => Ok(0),
            Err(errno) => Err(errno.into()),
            Ok(stat) => {
                let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
                match kind == SFlag::S_IFREG && stat.st_uid == geteuid().as_raw() {
                    true => Ok(stat.st_size.unsigned_abs()),
                    false => Err(io::Error::other("not a regular file of this user")),
                }
            }
        }
    }
}
