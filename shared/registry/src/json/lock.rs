//! Locking a registry file and reading what is in it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use model::record::RegistryFile;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::journal;
use super::layout::Layout;
use crate::error::RegistryError;
use crate::place::Place;
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
    /// Absolute path, without symbolic links.
    pub path: PathBuf,
    /// Who may write the file, and where it can be seen.
    pub facts: RegistryFile,
    /// Its text.
    pub text: String,
    /// Where its parts are.
    pub layout: Layout,
}

/// Reads a registry under a shared lock and gives the lock back before it returns. A
/// corrupt text is read again for a second.
///
/// # Errors
/// [`RegistryError`] when the file is not a regular one, cannot be read or locked, is larger
/// than `max_size`, or is still corrupt.
pub(super) fn read(
    place: &Rc<Place>,
    max_size: u64,
    wait: &mut WaitBudget,
) -> Result<FileContent, RegistryError> {
    let deadline = Instant::now() + HALF_WRITTEN;
    loop {
        let lock = Lock::take(place, FlockArg::LockSharedNonblock, max_size, wait)?;
        let text = lock.text();
        let (path, facts) = (place.path().to_owned(), lock.facts.clone());
        // A live write would have the lock: this journal is that of a dead one, and a
        // mixture of two registries may well parse.
        if journal::is_there(place).map_err(|error| lock.error(error))? {
            let reason = format!(
                "an interrupted write left a journal; run: agentprune --recover '{}'",
                path.display()
            );
            return Err(lock.error(reason));
        }
        drop(lock);
        match text.and_then(|text| whole(place, text)) {
            Ok((text, layout)) => return Ok(FileContent { path, facts, text, layout }),
            Err(error) if Instant::now() >= deadline || !wait.pause() => return Err(error),
            Err(_) => {}
        }
    }
}

/// A registry file, open and locked until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    /// Where it is.
    pub place: Rc<Place>,
    /// Who may write it, and where it can be seen.
    pub facts: RegistryFile,
    /// How many bytes of a file are read at most.
    pub max_size: u64,
    /// The file itself.
    pub file: Flock<File>,
}

impl Lock {
    /// Takes the exclusive lock, for an edit.
    ///
    /// # Errors
    /// [`RegistryError`] when the file is not a regular one of the user of this run, may not be
    /// written, or stays locked until `wait` is used up.
    pub fn exclusive(
        place: &Rc<Place>,
        max_size: u64,
        wait: &mut WaitBudget,
    ) -> Result<Lock, RegistryError> {
        Lock::take(place, FlockArg::LockExclusiveNonblock, max_size, wait)
    }

    fn take(
        place: &Rc<Place>,
        mode: FlockArg,
        max_size: u64,
        wait: &mut WaitBudget,
    ) -> Result<Lock, RegistryError> {
        let before = wait.left();
        let error = |reason: &dyn std::fmt::Display| RegistryError::new(place.path(), reason);
        let update = matches!(mode, FlockArg::LockExclusiveNonblock);
        let mut file = place.open(update)?;
        loop {
            file = match Flock::lock(file, mode) {
                Ok(file) => {
                    if place.leads_to(&file).map_err(|e| error(&e))? {
                        let facts = registry_file(&file, place.path()).map_err(|e| error(&e))?;
                        return Ok(Lock { place: place.clone(), facts, max_size, file });
                    }
                    // Another file was put in its place while this one was being locked.
                    if !wait.pause() {
                        return Err(error(&"another file was put in its place; try again"));
                    }
                    place.open(update)?
                }
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => {
                    if !wait.pause() {
                        return Err(error(&locked(before)));
                    }
                    file
                }
                Err((_, errno)) => return Err(error(&io::Error::from(errno))),
            };
        }
    }

    /// The error of this registry.
    pub fn error(&self, reason: impl std::fmt::Display) -> RegistryError {
        RegistryError::new(self.place.path(), reason)
    }

    /// Reads the whole text.
    ///
    /// # Errors
    /// [`RegistryError`] when it cannot be read or is not UTF-8.
    pub fn text(&self) -> Result<String, RegistryError> {
        let bytes = self.bytes().map_err(|error| self.error(error))?;
        String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = &error.as_bytes()[..valid];
            let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
            let column =
                valid - before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1) + 1;
            self.error(format!("line {line}, column {column}: not UTF-8"))
        })
    }

    /// Reads the whole text and finds its parts. A corrupt one is given a second: another
    /// program may be writing without the lock.
    ///
    /// # Errors
    /// [`RegistryError`] when it cannot be read, is not UTF-8, or is still corrupt.
    pub fn whole_text(&self, wait: &mut WaitBudget) -> Result<(String, Layout), RegistryError> {
        let deadline = Instant::now() + HALF_WRITTEN;
        loop {
            let text = self.text().and_then(|text| whole(&self.place, text));
            if text.is_ok() || Instant::now() >= deadline || !wait.pause() {
                return text;
            }
        }
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// When they cannot be read, or are more than allowed.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut file: &File = &self.file;
        file.rewind()?;
        let size = file.metadata()?.len();
        let mut bytes = Vec::new();
        if size <= self.max_size {
            bytes.reserve_exact(size as usize + 1);
            // It may grow.
            file.take(self.max_size.saturating_add(1)).read_to_end(&mut bytes)?;
        }
        let size = size.max(bytes.len() as u64);
        if size > self.max_size {
            let limit = self.max_size;
            let reason = format!("{size} bytes, more than --max-size allows ({limit})");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
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
fn whole(place: &Place, text: String) -> Result<(String, Layout), RegistryError> {
    match Layout::of(&text) {
        Ok(layout) => Ok((text, layout)),
        Err(corrupt) => Err(RegistryError::new(place.path(), corrupt)),
    }
}
