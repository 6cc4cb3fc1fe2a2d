//! Files by which a user instructs a run: only that user's own count.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use crate::user;

/// Reads a file of the user of this run; `None`: there is no such file. Never waits for a
/// writer, as at a FIFO.
///
/// # Errors
/// When it cannot be opened or read; when it is not a regular file, belongs to another user, is
/// larger than `limit` bytes, or is not UTF-8.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    let (own, owner) = (user::uid(), metadata.uid());
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if owner != own {
        let reason = format!("it belongs to uid {owner}, and this run is for uid {own}");
        return Err(io::Error::other(reason));
    }
    let mut text = String::new();
    file.take(limit.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    Ok(Some(text))
}
