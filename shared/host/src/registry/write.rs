//! Writing a registry in place, under its lock.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::lock::{Lock, RegistryError};

/// Whether the old content is kept beside the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As `<registry>.bak-<UTC time>`, and of such files this many.
    Backups(usize),
    /// No entry went, so nothing is kept.
    Nothing,
}

/// What an edit left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// The old content.
    pub backup: Option<PathBuf>,
}

impl Lock {
    /// Replaces the content `old` by `new`, in the same file. While it is written, the
    /// file is never shorter than it was: a reader without a lock sees the new text with
    /// white space behind it.
    ///
    /// # Errors
    /// [`RegistryError`] when the file does not hold `old` any more, because somebody
    /// wrote without the lock; then nothing is written. Or when writing fails.
    pub fn replace(
        &self,
        old: &str,
        new: &str,
        kept: Kept,
        now: Timestamp,
    ) -> Result<Written, RegistryError> {
        let failed = |error: io::Error| RegistryError::new(&self.path, error);
        let backup = match kept {
            Kept::Backups(count) if count > 0 => {
                Some(self.back_up(old, count, now).map_err(failed)?)
            }
            _ => None,
        };
        if self.bytes().map_err(failed)? != old.as_bytes() {
            let reason =
                "somebody wrote to it without taking its lock; nothing was changed, try again";
            return Err(RegistryError::new(&self.path, reason));
        }
        let mut padded = new.as_bytes().to_vec();
        padded.resize(new.len().max(old.len()), b' ');
        self.file.write_all_at(&padded, 0).map_err(failed)?;
        self.file.set_len(new.len() as u64).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        if self.bytes().map_err(failed)? != new.as_bytes() {
            let reason = "reads back other than it was written: somebody wrote to it without taking its lock";
            return Err(RegistryError::new(&self.path, reason));
        }
        Ok(Written { backup })
    }

    /// Writes the old content beside the registry, with its mode and owner, and removes
    /// the oldest of such files.
    fn back_up(&self, old: &str, count: usize, now: Timestamp) -> io::Result<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let prefix =
            format!("{}.bak-", self.path.file_name().unwrap_or_default().to_string_lossy());
        let backup = folder.join(format!("{prefix}{}", now.strftime("%Y%m%dT%H%M%S.%6fZ")));
        let metadata = self.file.metadata()?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(old.as_bytes())?;
        file.as_file().set_permissions(metadata.permissions())?;
        // Only root can give a file away; anybody else keeps what is theirs.
        let _ =
            std::os::unix::fs::fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid()));
        file.as_file().sync_all()?;
        file.persist(&backup).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()?;
        let mut backups: Vec<PathBuf> = fs::read_dir(folder)?
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .map(|entry| entry.path())
            .collect();
        backups.sort();
        for old in backups.iter().rev().skip(count) {
            fs::remove_file(old)?;
        }
        Ok(backup)
    }
}
