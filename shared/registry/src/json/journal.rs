//! The journal of a write: what a crash in the middle of it needs.
//!
//! `<registry>.prune-journal` is a line of JSON with the lengths and digests of the old
//! and the new content, then the two. It appears whole, by a rename, and it is judged only
//! under the exclusive lock: seen without the lock, it may be that of a live write.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::beside::{beside, create, sync_directory};

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

/// The path of a registry's journal.
pub(super) fn journal_of(registry: &Path) -> PathBuf {
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
    create(registry, &journal_of(registry), &[&line, old, new])
}

/// Removes the journal: the write is over.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn end(registry: &Path) -> io::Result<()> {
    fs::remove_file(journal_of(registry))?;
    sync_directory(registry)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The old and the new content.
pub(super) fn read(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
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
