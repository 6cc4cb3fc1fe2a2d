//! The journal of a write: what a crash in the middle of it needs.
//!
//! `<registry>.prune-journal` is a line of JSON with the lengths and digests of the old
//! and the new content, then the two. It appears whole, by a rename, and it is judged only
//! under the exclusive lock: seen without the lock, it may be that of a live write.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use super::write_state::{WriteState, judge};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::lock::{HALF_WRITTEN, Lock, RegistryError};
use super::write::beside;

/// First word of the line that a journal begins with.
const FORMAT: &str = "agentprune journal 1";

#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    old_bytes: usize,
    old_sha256: String,
    new_bytes: usize,
    new_sha256: String,
}

/// What was done about an interrupted write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// It had not begun: the registry is as it was before.
    NotBegun,
    /// It could not be completed, for lack of room perhaps: the registry is again as it
    /// was before.
    TakenBack,
    /// It was completed.
    Completed,
    /// Somebody has written the registry since; that was kept.
    KeptLater,
    /// The registry was torn; the old content is back, the torn bytes are in this file.
    Restored(PathBuf),
}

/// The path of a registry's journal.
pub fn journal_of(registry: &Path) -> PathBuf {
    beside(registry, "prune-journal")
}

/// Writes the journal.
///
/// # Errors
/// When it cannot be written to disk whole; then it is not there.
pub(super) fn begin(registry: &Path, old: &[u8], new: &[u8]) -> io::Result<()> {
    let head = Head {
        format: FORMAT.to_owned(),
        old_bytes: old.len(),
        old_sha256: digest(old),
        new_bytes: new.len(),
        new_sha256: digest(new),
    };
    let mut line = serde_json::to_vec(&head)?;
    line.push(b'\n');
    super::write::create(registry, &journal_of(registry), &[&line, old, new])
}

/// Removes the journal: the write is over.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn end(registry: &Path) -> io::Result<()> {
    fs::remove_file(journal_of(registry))?;
    super::write::sync_folder(registry)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The old and the new content.
fn read(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let line = bytes.iter().position(|&byte| byte == b'\n').ok_or("it has no first line")?;
    let head: Head = serde_json::from_slice(&bytes[..line]).map_err(|error| error.to_string())?;
    let contents = &bytes[line + 1..];
    if head.format != FORMAT || contents.len() != head.old_bytes + head.new_bytes {
        return Err("it is not of a format that is known".to_owned());
    }
    let (old, new) = contents.split_at(head.old_bytes);
    if digest(old) != head.old_sha256 || digest(new) != head.new_sha256 {
        return Err("its contents do not have the digests that it says".to_owned());
    }
    Ok((old, new))
}

impl Lock {
    /// Puts right what an interrupted write has left. None if there is no journal. To be
    /// called on an exclusive lock, before anything else.
    ///
    /// # Errors
    /// [`RegistryError`] when the journal or the registry cannot be read or written; then
    /// both are as they were.
    pub fn recover(&self, now: Timestamp) -> Result<Option<Recovered>, RegistryError> {
        super::write::sweep(&self.path);
        let journal = journal_of(&self.path);
        let failed = |error: io::Error| RegistryError::new(&self.path, error);
        if !journal.try_exists().map_err(failed)? {
            return Ok(None);
        }
        let bytes = fs::read(&journal).map_err(|error| RegistryError::new(&journal, error))?;
        let (old, new) = read(&bytes).map_err(|reason| RegistryError::new(&journal, reason))?;
        let mut judgement = judge(&self.bytes().map_err(failed)?, old, new);
        if judgement == WriteState::Torn {
            // Perhaps somebody is writing without the lock, at this moment.
            thread::sleep(HALF_WRITTEN);
            judgement = judge(&self.bytes().map_err(failed)?, old, new);
        }
        let recovered = match judgement {
            WriteState::Old => Recovered::NotBegun,
            WriteState::Later => Recovered::KeptLater,
            WriteState::Mixed => {
                if self.overwrite(new).is_ok() {
                    Recovered::Completed
                } else {
                    self.overwrite(old).map_err(failed)?;
                    Recovered::TakenBack
                }
            }
            WriteState::Torn => {
                let torn = beside(&self.path, &format!("torn-{}", super::write::stamp(now)));
                let bytes = self.bytes().map_err(failed)?;
                super::write::create(&self.path, &torn, &[&bytes]).map_err(failed)?;
                self.overwrite(old).map_err(failed)?;
                Recovered::Restored(torn)
            }
        };
        end(&self.path).map_err(failed)?;
        Ok(Some(recovered))
    }
}
