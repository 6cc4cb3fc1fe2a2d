//! The journal of a write: what a crash in the middle of it needs.
//!
//! `<registry>.prune-journal` is a line of JSON with the lengths and digests of the old
//! and the new content, then the two. It appears whole, by a rename, and it is judged only
//! under the exclusive lock: seen without the lock, it may be that of a live write.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::beside::create;
use crate::place::Place;

/// First word of the line that a journal begins with.
const FORMAT: &str = "agentprune journal 1";
const ENDING: &str = "prune-journal";
/// The line that a journal begins with is shorter.
const MAX_HEAD: u64 = 1024;

#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    old_bytes: usize,
    old_sha256: String,
    new_bytes: usize,
    new_sha256: String,
}

/// The path of a registry's journal, for people.
pub(super) fn path(registry: &Place) -> PathBuf {
    registry.path_of(&registry.beside(ENDING))
}

/// Whether there is a journal, or something else of its name.
///
/// # Errors
/// When that cannot be found out.
pub(super) fn is_there(registry: &Place) -> io::Result<bool> {
    registry.directory.stat(&registry.beside(ENDING)).map(|found| found.is_some())
}

/// Writes the journal.
///
/// # Errors
/// When it cannot be written to disk whole; then it is not there.
pub(super) fn begin(registry: &Place, file: &File, old: &[u8], new: &[u8]) -> io::Result<()> {
    let head = Head {
        format: FORMAT.to_owned(),
        old_bytes: old.len(),
        old_sha256: digest(old),
        new_bytes: new.len(),
        new_sha256: digest(new),
    };
    let mut line = serde_json::to_vec(&head)?;
    line.push(b'\n');
    create(registry, file, &registry.beside(ENDING), &[&line, old, new])
}

/// Removes the journal: the write is over.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn end(registry: &Place) -> io::Result<()> {
    registry.directory.remove(&registry.beside(ENDING))?;
    registry.directory.sync()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of the journal; None if there is none. `max_size`: that of a registry.
///
/// # Errors
/// When it cannot be read, is no regular file of `owner`, or larger than the journal of such
/// a registry can be.
pub(super) fn bytes(registry: &Place, owner: u32, max_size: u64) -> io::Result<Option<Vec<u8>>> {
    if !is_there(registry)? {
        return Ok(None);
    }
    let file = registry.directory.open_file(&registry.beside(ENDING), false)?;
    let metadata = file.metadata()?;
    if metadata.uid() != owner {
        let reason = format!("it belongs to uid {}, not to the registry's owner", metadata.uid());
        return Err(io::Error::other(reason));
    }
    let limit = max_size.saturating_mul(2).saturating_add(MAX_HEAD);
    if metadata.len() > limit {
        let reason = format!("{} bytes are more than a journal can have", metadata.len());
        return Err(io::Error::other(reason));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The old and the new content.
pub(super) fn contents(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let line = bytes.iter().position(|&byte| byte == b'\n').ok_or("its first line is missing")?;
    let head: Head = serde_json::from_slice(&bytes[..line]).map_err(|error| error.to_string())?;
    let contents = &bytes[line + 1..];
    let length = head.old_bytes.checked_add(head.new_bytes);
    if head.format != FORMAT || length != Some(contents.len()) {
        return Err("its format is unknown".to_owned());
    }
    let (old, new) = contents.split_at(head.old_bytes);
    if digest(old) != head.old_sha256 || digest(new) != head.new_sha256 {
        return Err("its contents do not match its digests".to_owned());
    }
    Ok((old, new))
}
