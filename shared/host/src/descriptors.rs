//! The open files that this process was started with, which its children must not get.

use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::sync::OnceLock;

const LIST: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

static INHERITED: OnceLock<Vec<RawFd>> = OnceLock::new();

/// Notes which descriptors beyond 0, 1 and 2 are open now. What this process opens later is
/// closed on exec anyway.
///
/// # Errors
/// When they cannot be listed.
pub(crate) fn note_inherited() -> io::Result<()> {
    let listed: Vec<RawFd> = fs::read_dir(LIST)?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    // The directory itself was among them, and its number is free again: the next file that
    // this process opens gets it.
    let is_open = |fd: &RawFd| *fd > 2 && fs::symlink_metadata(format!("{LIST}/{fd}")).is_ok();
    // They are noted once, at the start.
    let _ = INHERITED.set(listed.into_iter().filter(is_open).collect());
    Ok(())
}

/// The descriptors that [`note_inherited`] found.
pub(crate) fn inherited() -> &'static [RawFd] {
    INHERITED.get().map(Vec::as_slice).unwrap_or_default()
}
