//! Writing a registry in place, under its lock.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use jiff::Timestamp;
use model::registry::scan;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use super::journal;
use super::lock::{HALF_WRITTEN, Lock, RETRY, RegistryError};

/// How many bytes are compared, or padded, at a time.
const CHUNK: usize = 1 << 16;

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
    /// Replaces the content `old` by `new`, in the same file.
    ///
    /// First a journal is on disk, then the new content is written over the old, padded
    /// with spaces to its length, so that a reader without a lock never sees a short file;
    /// then the padding is cut off. Signals that would end the program wait until it is
    /// over.
    ///
    /// # Errors
    /// [`RegistryError`] when writing fails, or when somebody was seen to write without
    /// the lock: then their bytes stay, as long as they are a registry.
    pub fn replace(
        &self,
        old: &str,
        new: &str,
        kept: Kept,
        now: Timestamp,
    ) -> Result<Written, RegistryError> {
        let _waiting = SignalsWait::begin();
        let failed = |error: io::Error| {
            RegistryError::new(&self.path, format!("{error}; nothing was changed"))
        };
        let backup = match kept {
            Kept::Backups(count) if count > 0 => {
                Some(self.back_up(old, count, now).map_err(failed)?)
            }
            _ => None,
        };
        journal::begin(&self.path, old.as_bytes(), new.as_bytes()).map_err(failed)?;
        let written = self.write(old.as_bytes(), new.as_bytes());
        // While the file may be torn the journal must stay.
        if !matches!(written, Err(Interrupted::Torn(_))) {
            journal::end(&self.path).map_err(failed)?;
        }
        match written {
            Ok(()) => Ok(Written { backup }),
            Err(Interrupted::Foreign(what)) => Err(RegistryError::new(
                &self.path,
                format!("somebody wrote to it without taking its lock; {what}"),
            )),
            Err(Interrupted::Torn(error)) => Err(RegistryError::new(
                &self.path,
                format!("{error} in the middle of writing; the next run puts it right, or agentprune --recover"),
            )),
        }
    }

    fn write(&self, old: &[u8], new: &[u8]) -> Result<(), Interrupted> {
        if !self.holds(old, 0)? {
            return Err(Interrupted::Foreign("that was kept, nothing was changed"));
        }
        let padding = old.len().saturating_sub(new.len());
        self.file.write_all_at(new, 0)?;
        let spaces = [b' '; CHUNK];
        let mut at = new.len();
        while at < old.len() {
            let count = spaces.len().min(old.len() - at);
            self.file.write_all_at(&spaces[..count], at as u64)?;
            at += count;
        }
        if !self.holds(new, padding)? {
            return self.give_way(new);
        }
        self.file.set_len(new.len() as u64)?;
        self.file.sync_all()?;
        if self.holds(new, 0)? { Ok(()) } else { self.give_way(new) }
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
            if std::str::from_utf8(&bytes[..end]).is_ok_and(|text| scan(text, |_, _| ()).is_ok()) {
                if end < bytes.len() {
                    self.file.set_len(end as u64)?;
                }
                return Err(Interrupted::Foreign("that was kept"));
            }
            if Instant::now() >= deadline {
                self.overwrite(new)?;
                return Err(Interrupted::Foreign("what they wrote was not whole and is lost"));
            }
            thread::sleep(RETRY);
        }
    }

    /// Makes `content` the content, whatever was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn overwrite(&self, content: &[u8]) -> io::Result<()> {
        self.file.write_all_at(content, 0)?;
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

    /// Writes the old content beside the registry and removes the oldest of such files.
    fn back_up(&self, old: &str, count: usize, now: Timestamp) -> io::Result<PathBuf> {
        let backup = beside(&self.path, &format!("bak-{}", stamp(now)));
        create(&self.path, &backup, &[old.as_bytes()])?;
        let mut backups = siblings(&self.path, "bak-")?;
        backups.sort();
        for old in backups.iter().rev().skip(count) {
            fs::remove_file(old)?;
        }
        Ok(backup)
    }
}

/// Why a write did not come to its end.
enum Interrupted {
    /// Somebody wrote without the lock; what became of that.
    Foreign(&'static str),
    /// The file may be neither old nor new.
    Torn(io::Error),
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Self {
        Interrupted::Torn(error)
    }
}

/// A point in time as part of a file's name; such names sort by it.
pub(super) fn stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%S.%6fZ").to_string()
}

/// `<registry>.<ending>`
pub(super) fn beside(registry: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(registry);
    path.push(".");
    path.push(ending);
    PathBuf::from(path)
}

/// Makes a file beside the registry, with its mode and owner, so that it appears whole or
/// not at all and is on disk when this returns.
pub(super) fn create(registry: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let metadata = fs::metadata(registry)?;
    let prefix = beside(registry, "prune-tmp-");
    let mut file = tempfile::Builder::new()
        .prefix(prefix.file_name().unwrap_or_default())
        .tempfile_in(folder_of(registry))?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().set_permissions(metadata.permissions())?;
    // Only root can give a file away; anybody else keeps what is theirs.
    let _ = std::os::unix::fs::fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid()));
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(registry)
}

/// Removes what a write that was killed has left of files that never appeared. Whoever
/// has the exclusive lock is alone in making them.
pub(super) fn sweep(registry: &Path) {
    for path in siblings(registry, "prune-tmp-").unwrap_or_default() {
        let _ = fs::remove_file(path);
    }
}

fn siblings(registry: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let prefix = beside(registry, ending);
    let is_sibling = |path: &PathBuf| {
        path.as_os_str().as_encoded_bytes().starts_with(prefix.as_os_str().as_encoded_bytes())
    };
    Ok(fs::read_dir(folder_of(registry))?.flatten().map(|e| e.path()).filter(is_sibling).collect())
}

fn folder_of(registry: &Path) -> &Path {
    registry.parent().unwrap_or(Path::new("/"))
}

/// Waits until the names in the registry's folder are on disk.
pub(super) fn sync_folder(registry: &Path) -> io::Result<()> {
    File::open(folder_of(registry))?.sync_all()
}

/// Keeps the signals that end a program waiting, as long as it lives.
struct SignalsWait {
    before: Option<SigSet>,
}

impl SignalsWait {
    fn begin() -> SignalsWait {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
            signals.add(signal);
        }
        SignalsWait { before: signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok() }
    }
}

impl Drop for SignalsWait {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = before.thread_set_mask();
        }
    }
}
