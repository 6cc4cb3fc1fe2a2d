//! Where a registry is: a name in a directory that is held open.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;
use nix::unistd::geteuid;

use crate::access::Access;
use crate::directory::{Directory, identity};
use crate::error::RegistryError;

/// A file by its directory and its name there. All that is done to it and beside it goes
/// through the directory, so that no path is resolved a second time.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    name: OsString,
    pub directory: Directory,
}

impl Place {
    /// The place of this path.
    ///
    /// # Errors
    /// [`RegistryError`] when its directory cannot be opened.
    pub fn of(path: &Path, access: Access) -> Result<Place, RegistryError> {
        let resolved = match access.follow_links {
            true => fs::canonicalize(path).map_err(|error| RegistryError::new(path, error))?,
            false => path.to_owned(),
        };
        let (Some(parent), Some(name)) = (resolved.parent(), resolved.file_name()) else {
            return Err(RegistryError::new(path, "not a regular file"));
        };
        let directory =
            Directory::open(parent).map_err(|error| RegistryError::new(&resolved, error))?;
        Ok(Place { name: name.to_owned(), path: resolved, directory })
    }

    /// Its absolute path, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of a file beside it: `<registry>.<ending>`.
    pub fn beside(&self, ending: &str) -> OsString {
        let mut name = self.name.clone();
        name.push(".");
        name.push(ending);
        name
    }

    /// The path of a file beside it.
    pub fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// Opens the file, for reading and, if `update`, for writing.
    ///
    /// # Errors
    /// [`RegistryError`] when it is not a regular file, or may not be opened. A file of another
    /// owner than the user of this run is not opened for writing.
    pub fn open(&self, update: bool) -> Result<File, RegistryError> {
        let error = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied if update => " (an edit needs write permission)",
                _ => "",
            };
            RegistryError::new(&self.path, format!("{error}{hint}"))
        };
        let file = self.directory.open_file(&self.name, update).map_err(error)?;
        let owner = fstat(&file).map_err(|errno| error(errno.into()))?.st_uid;
        let user = geteuid().as_raw();
        if update && owner != user {
            let reason =
                format!("it belongs to uid {owner}, this runs as uid {user}: run as its owner");
            return Err(RegistryError::refused(&self.path, reason));
        }
        Ok(file)
    }

    /// Whether the path leads to this open file, now.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn leads_to(&self, file: &File) -> io::Result<bool> {
        let named = self.directory.stat(&self.name)?;
        if named.map(|stat| identity(&stat)) != Some(identity(&fstat(file)?)) {
            return Ok(false);
        }
        // The directory, too, may have been moved and another put in its place.
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        let is_gone = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        };
        match Directory::open(parent) {
            Ok(directory) => Ok(directory.identity()? == self.directory.identity()?),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
