//! Opening a registry, locking it and reading what is in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::record::RegistryFile;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::journal::journal_of;
use super::layout::Layout;
use crate::error::RegistryError;
use crate::registry_file::registry_file;
use crate::wait::WaitBudget;

/// How long a text that is not whole JSON is given to become so: some writers take no
/// lock and empty the file first.
pub(super) const HALF_WRITTEN: Duration = Duration::from_secs(1);
/// How often a lock, or a half-written file, is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(20);

/// What a registry held at one moment.
#[derive(Debug)]
pub(super) struct FileContent {
    /// Absolute path, symbolic links resolved.
    pub path: PathBuf,
    /// Who may write the file, and where it can be seen.
    pub facts: RegistryFile,
    /// Its text.
    pub text: String,
    /// What stands where in it.
    pub layout: Layout,
}

/// Reads a registry under a shared lock and gives the lock back before it returns. A
/// corrupt text is read again for a second.
///
/// # Errors
/// [`RegistryError`] when the file is not a regular one, cannot be read or locked, or is
/// still corrupt.
pub(super) fn read(path: &Path, wait: &mut WaitBudget) -> Result<FileContent, RegistryError> {
    let deadline = Instant::now() + HALF_WRITTEN;
    loop {
        let lock = Lock::take(path, FlockArg::LockSharedNonblock, wait)?;
        let text = lock.text();
        let (path, facts) = (lock.path.clone(), lock.facts.clone());
        // A live write would have the lock: this journal is that of a dead one, and a
        // mixture of two registries may well parse.
        let interrupted = journal_of(&path).try_exists();
        if interrupted.map_err(|error| RegistryError::new(&path, error))? {
            let reason = format!(
                "an interrupted write left a journal; run: agentprune --recover '{}'",
                path.display()
            );
            return Err(RegistryError::new(&path, reason));
        }
        drop(lock);
        match text.and_then(|text| whole(&path, text)) {
            Ok((text, layout)) => return Ok(FileContent { path, facts, text, layout }),
            Err(error) if Instant::now() >= deadline || !wait.pause() => return Err(error),
            Err(_) => {}
        }
    }
}

/// A registry file, open and locked until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    /// Absolute path, symbolic links resolved.
    pub path: PathBuf,
    /// Who may write it, and where it can be seen.
    pub facts: RegistryFile,
    pub(super) file: Flock<File>,
}

impl Lock {
    /// Takes the exclusive lock, for an edit.
    ///
    /// # Errors
    /// [`RegistryError`] when the file is not a regular one, may not be written, or is
    /// locked by somebody until `wait` is used up.
    pub fn exclusive(path: &Path, wait: &mut WaitBudget) -> Result<Lock, RegistryError> {
        Lock::take(path, FlockArg::LockExclusiveNonblock, wait)
    }

    fn take(path: &Path, mode: FlockArg, wait: &mut WaitBudget) -> Result<Lock, RegistryError> {
        let before = wait.left();
        let resolved = fs::canonicalize(path).map_err(|error| RegistryError::new(path, error))?;
        let mut file = open(&resolved, mode)?;
        loop {
            file = match Flock::lock(file, mode) {
                Ok(file) => {
                    let metadata = file.metadata().map_err(|e| RegistryError::new(&resolved, e))?;
                    if is_same_file(&resolved, &metadata) {
                        let facts = registry_file(&file, &resolved)
                            .map_err(|e| RegistryError::new(&resolved, e))?;
                        return Ok(Lock { facts, path: resolved, file });
                    }
                    // Somebody put another file in its place while this one was locked.
                    open(&resolved, mode)?
                }
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => {
                    if !wait.pause() {
                        return Err(RegistryError::new(&resolved, locked(before)));
                    }
                    file
                }
                Err((_, errno)) => {
                    return Err(RegistryError::new(&resolved, io::Error::from(errno)));
                }
            };
        }
    }

    /// Reads the whole text.
    ///
    /// # Errors
    /// [`RegistryError`] when it cannot be read or is not UTF-8.
    pub fn text(&self) -> Result<String, RegistryError> {
        let bytes = self.bytes().map_err(|error| RegistryError::new(&self.path, error))?;
        String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = &error.as_bytes()[..valid];
            let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
            let column =
                valid - before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1) + 1;
            RegistryError::new(&self.path, format!("line {line}, column {column}: not UTF-8"))
        })
    }

    /// Reads the whole text and what stands where in it. A corrupt one is given a second:
    /// somebody may be writing without the lock.
    ///
    /// # Errors
    /// [`RegistryError`] when it cannot be read, is not UTF-8, or is still corrupt.
    pub fn whole_text(&self, wait: &mut WaitBudget) -> Result<(String, Layout), RegistryError> {
        let deadline = Instant::now() + HALF_WRITTEN;
        loop {
            let text = self.text().and_then(|text| whole(&self.path, text));
            if text.is_ok() || Instant::now() >= deadline || !wait.pause() {
                return text;
            }
        }
    }

    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut file: &File = &self.file;
        file.rewind()?;
        let mut bytes = Vec::with_capacity(file.metadata()?.len() as usize + 1);
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Why a file that others kept locked was given up, after waiting as long as this.
fn locked(waited: Duration) -> String {
    let seconds = waited.as_secs_f32();
    match waited.is_zero() {
        false => format!("locked by another process for {seconds} s; try again later"),
        true => "locked by another process, and other registries have used up the time to wait \
                 for locks; try again later"
            .to_owned(),
    }
}

/// A text with its layout, unless it is corrupt.
fn whole(path: &Path, text: String) -> Result<(String, Layout), RegistryError> {
    match Layout::of(&text) {
        Ok(layout) => Ok((text, layout)),
        Err(corrupt) => Err(RegistryError::new(path, corrupt)),
    }
}

/// Opens without waiting: a FIFO would wait for its other end.
fn open(path: &Path, mode: FlockArg) -> Result<File, RegistryError> {
    let update = matches!(mode, FlockArg::LockExclusiveNonblock);
    let error = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied if update => " (an edit needs write permission)",
            _ => "",
        };
        RegistryError::new(path, format!("{error}{hint}"))
    };
    let kind = fs::metadata(path).map_err(error)?.file_type();
    if !kind.is_file() {
        return Err(RegistryError::new(path, "not a regular file"));
    }
    OpenOptions::new()
        .read(true)
        .write(update)
        .custom_flags(OFlag::O_NONBLOCK.bits() | OFlag::O_NOCTTY.bits())
        .open(path)
        .map_err(error)
}

fn is_same_file(path: &Path, open: &fs::Metadata) -> bool {
    fs::metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (open.dev(), open.ino()))
}
