//! The files beside a registry: its journal, old contents, and files that are being made.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

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
        .tempfile_in(directory_of(registry))?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().set_permissions(metadata.permissions())?;
    // Only root can give a file away; anybody else keeps what is theirs.
    let _ = std::os::unix::fs::fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid()));
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_directory(registry)
}

/// Removes what a write that was killed has left of files that never appeared. Whoever
/// has the exclusive lock is alone in making them.
pub(super) fn sweep(registry: &Path) {
    for path in siblings(registry, "prune-tmp-").unwrap_or_default() {
        let _ = fs::remove_file(path);
    }
}

pub(super) fn siblings(registry: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let prefix = beside(registry, ending);
    let is_sibling = |path: &PathBuf| {
        path.as_os_str().as_encoded_bytes().starts_with(prefix.as_os_str().as_encoded_bytes())
    };
    Ok(fs::read_dir(directory_of(registry))?
        .flatten()
        .map(|e| e.path())
        .filter(is_sibling)
        .collect())
}

fn directory_of(registry: &Path) -> &Path {
    registry.parent().unwrap_or(Path::new("/"))
}

/// Waits until the names in the registry's directory are on disk.
pub(super) fn sync_directory(registry: &Path) -> io::Result<()> {
    File::open(directory_of(registry))?.sync_all()
}
