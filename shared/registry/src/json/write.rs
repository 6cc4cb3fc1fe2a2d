//! Writing a registry in place, under its lock.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use super::layout::Layout;
use jiff::Timestamp;

use super::beside::{backup_name, create, drop_backups};
use super::journal;
use super::lock::{HALF_WRITTEN, Lock, RETRY};
use crate::error::RegistryError;
use crate::signals::SignalsWait;

/// How many bytes are compared, or padded, at a time. A multiple of the block in which
/// [`super::write_state::judge`] looks for what an interruption has left.
const CHUNK: usize = 1 << 16;

/// Whether a backup of the old content is made beside the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As `<registry>.bak-<UTC time>`, and of such files this many.
    Backups(usize),
    /// No entry was removed, so no backup is kept.
    Nothing,
}

/// The files that an edit left beside the registry.
#[derive(Debug)]
pub struct Written {
    /// The backup of the old content.
    pub backup: Option<PathBuf>,
    /// Why the journal, or an older backup, could not be removed.
    pub left: Option<io::Error>,
}

impl Written {
    /// What went wrong after the write.
    pub fn notes(&self) -> Vec<String> {
        let note = |error| format!("written, but a file beside it could not be removed: {error}");
        self.left.iter().map(note).collect()
    }
}

impl Lock {
    /// Replaces the content `old` by `new`, in the same file.
    ///
    /// First a journal is on disk, then the new content is written over the old, padded
    /// with spaces to its length, so that a reader without a lock never sees a short file;
    /// then the padding is cut off. Signals that would end the program wait until it is
    /// over.
    ///
    /// # Errors
    /// [`RegistryError`] when writing fails, or when another program was seen to write without
    /// the lock: then its bytes stay, if they are a registry.
    pub fn replace(
        &self,
        old: &str,
        new: &str,
        kept: Kept,
        now: Timestamp,
    ) -> Result<Written, RegistryError> {
        // A text that is not a registry is never written, whatever went wrong before.
        Layout::of(new).map_err(|corrupt| {
            let reason = format!(
                "the new content would not be a registry, so it was not written: {corrupt}"
            );
            self.error(reason)
        })?;
        let _waiting = SignalsWait::begin();
        let (old, new) = (old.as_bytes(), new.as_bytes());
        let unchanged = |error: io::Error| self.error(format!("{error}; nothing was changed"));
        let (backup, keep) = match kept {
            Kept::Backups(count) if count > 0 => {
                (Some(self.back_up(old, now).map_err(unchanged)?), count)
            }
            _ => (None, 0),
        };
        let begun = journal::begin(&self.place, &self.file, old, new).map_err(Interrupted::Before);
        let written = begun.and_then(|()| self.write(old, new));
        let mut left = Ok(());
        // While the file may be torn the journal must stay.
        if !matches!(written, Err(Interrupted::Torn(_))) {
            left = journal::end(&self.place);
        }
        match &backup {
            Some(_) if written.is_ok() => {
                left = left.and(drop_backups(&self.place, self.facts.owner_uid, keep));
            }
            Some(backup) if !matches!(written, Err(Interrupted::Torn(_))) => {
                let _ = self.place.directory.remove(backup);
            }
            _ => {}
        }
        let reason = match written {
            Ok(()) => {
                let backup = backup.map(|name| self.place.path_of(&name));
                return Ok(Written { backup, left: left.err() });
            }
            Err(Interrupted::Before(error)) => return Err(unchanged(error)),
            Err(Interrupted::Foreign(what)) => {
                format!("another program wrote to it without taking its lock; {what}")
            }
            Err(Interrupted::Replaced) => {
                "another file was put in its place meanwhile; that file was left unchanged; \
                 list the registry again"
                    .to_owned()
            }
            Err(Interrupted::Torn(error)) => format!(
                "{error} in the middle of writing; \
                 the next run repairs it, or agentprune --recover"
            ),
        };
        Err(self.error(reason))
    }

    fn write(&self, old: &[u8], new: &[u8]) -> Result<(), Interrupted> {
        // The time too: comparing takes a while, and what was compared may change.
        let before = self.written_at().map_err(Interrupted::Before)?;
        let is_ours = self.holds(old, 0).map_err(Interrupted::Before)?;
        if !is_ours || self.written_at().map_err(Interrupted::Before)? != before {
            return Err(Interrupted::Foreign("its content was kept, nothing was changed"));
        }
        if !self.place.leads_to(&self.file).map_err(Interrupted::Before)? {
            return Err(Interrupted::Replaced);
        }
        match self.put(old, new) {
            // A program that replaces the file takes no lock: what was written is in a file
            // that no path leads to any more.
            Ok(true) => match self.place.leads_to(&self.file) {
                Ok(true) => Ok(()),
                _ => Err(Interrupted::Replaced),
            },
            Ok(false) => self.give_way(new),
            // A disk that has no room for a longer text has room for what was there.
            Err(error) => match self.overwrite(old) {
                Ok(()) => Err(Interrupted::Before(error)),
                Err(_) => Err(Interrupted::Torn(error)),
            },
        }
    }

    fn written_at(&self) -> io::Result<(i64, i64)> {
        self.file.metadata().map(|metadata| (metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Writes the new content over the old. Whether that is what the file held at each
    /// step.
    fn put(&self, old: &[u8], new: &[u8]) -> io::Result<bool> {
        self.write_padded(new, old.len())?;
        if !self.holds(new, old.len().saturating_sub(new.len()))? {
            return Ok(false);
        }
        self.file.set_len(new.len() as u64)?;
        self.file.sync_all()?;
        self.holds(new, 0)
    }

    /// Writes at the beginning of the file, with spaces behind up to `length`. Text and
    /// spaces of one block go in one call: what an interruption leaves is whole blocks.
    fn write_padded(&self, content: &[u8], length: usize) -> io::Result<()> {
        let mut at = content.len() - content.len() % CHUNK;
        self.file.write_all_at(&content[..at], 0)?;
        let mut chunk = content[at..].to_vec();
        let length = length.max(content.len());
        while at < length {
            chunk.resize(CHUNK.min(length - at), b' ');
            self.file.write_all_at(&chunk, at as u64)?;
            at += chunk.len();
            chunk.clear();
        }
        Ok(())
    }

    /// Somebody writes without the lock. They get a second to finish; if they leave a
    /// registry, it stays. If they do not, their writing and ours have hit each other, and
    /// ours is written again.
    fn give_way(&self, new: &[u8]) -> Result<(), Interrupted> {
        let deadline = Instant::now() + HALF_WRITTEN;
        loop {
            let bytes = self.bytes()?;
            // A file that was cut short and then made longer has zeros at its end.
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
            if std::str::from_utf8(&bytes[..end]).is_ok_and(|text| Layout::of(text).is_ok()) {
                if end < bytes.len() {
                    self.file.set_len(end as u64)?;
                }
                return Err(Interrupted::Foreign("its content was kept"));
            }
            if Instant::now() >= deadline {
                self.overwrite(new)?;
                return Err(Interrupted::Foreign("its content was not whole and is lost"));
            }
            thread::sleep(RETRY);
        }
    }

    /// Makes `content` the content, whatever was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn overwrite(&self, content: &[u8]) -> io::Result<()> {
        self.write_padded(content, self.file.metadata()?.len() as usize)?;
        self.file.set_len(content.len() as u64)?;
        self.file.sync_all()
    }

    /// Whether the file holds these bytes and then as many spaces.
    fn holds(&self, content: &[u8], spaces: usize) -> io::Result<bool> {
        let mut file: &File = &self.file;
        if file.metadata()?.len() != (content.len() + spaces) as u64 {
            return Ok(false);
        }
        file.rewind()?;
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(at == content.len() + spaces);
            }
            let (text, padding) =
                buffer[..count].split_at(count.min(content.len().saturating_sub(at)));
            let expected = content.get(at.min(content.len())..).unwrap_or_default();
            if !expected.starts_with(text) || padding.iter().any(|&byte| byte != b' ') {
                return Ok(false);
            }
            at += count;
        }
    }

    /// Writes the old content beside the registry. Returns its name.
    fn back_up(&self, old: &[u8], now: Timestamp) -> io::Result<OsString> {
        let backup = backup_name(&self.place, now);
        create(&self.place, &self.file, &backup, &[old])?;
        Ok(backup)
    }
}

/// Why a write did not come to its end.
enum Interrupted {
    /// It failed; the file has its old content.
    Before(io::Error),
    /// Another program wrote without the lock; what happened to its content.
    Foreign(&'static str),
    /// Another file was put in its place.
    Replaced,
    /// The file may be neither old nor new.
    Torn(io::Error),
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Self {
        Interrupted::Torn(error)
    }
}
