//! What the kernel says of a registry file.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use model::parse;
use model::record::RegistryFile;

/// Who may write an open file and where it can be seen. `path` is where it was opened,
/// absolute and without symbolic links.
///
/// # Errors
/// When the file cannot be asked.
pub(crate) fn registry_file(file: &File, path: &Path) -> io::Result<RegistryFile> {
    let metadata = file.metadata()?;
    let (device, device_path) = place(file, path).unzip();
    Ok(RegistryFile {
        owner_uid: metadata.uid(),
        gid: metadata.gid(),
        mode: metadata.mode() & 0o7777,
        device,
        device_path,
    })
}

/// The device of the file system and the path on it, by the mount through which the file was
/// opened: on btrfs, stat(2) gives other device numbers than the mounts.
fn place(file: &File, path: &Path) -> Option<(String, String)> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    parse::proc::place(&String::from_utf8_lossy(&mounts), id, path.to_str()?)
}
