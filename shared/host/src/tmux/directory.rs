//! The directories in which tmux puts its sockets.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::environment::var;
use crate::user;

/// Where tmux looks without `TMUX_TMPDIR` (`_PATH_TMP`).
const USUAL_BASE: &str = "/tmp";

/// The mode bits that tmux does not allow on its directory: all those for other users.
const FOR_OTHERS: u32 = 0o007;

/// Sockets on which a server of this user may listen.
#[derive(Debug, Default)]
pub struct LikelySockets {
    /// Their paths.
    pub sockets: Vec<PathBuf>,
    /// Directories that are not to be trusted or cannot be read.
    pub trouble: Vec<String>,
}

/// The socket that `tmux -L NAME` means.
pub fn socket_of_label(label: &str) -> PathBuf {
    let base = var("TMUX_TMPDIR").map_or_else(|| PathBuf::from(USUAL_BASE), PathBuf::from);
    base.join(own_name()).join(label)
}

/// The sockets in the directories where tmux puts them, and the one in `TMUX` (`socket,server
/// pid,session number`), if it is this user's: root may run this in another user's terminal.
pub fn likely_sockets() -> LikelySockets {
    let mut bases = BTreeSet::from([PathBuf::from(USUAL_BASE)]);
    bases.extend(var("TMUX_TMPDIR").map(PathBuf::from));
    let mut likely = LikelySockets::default();
    for directory in bases.into_iter().map(|base| base.join(own_name())) {
        match sockets_in(&directory) {
            Ok(sockets) => likely.sockets.extend(sockets),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => likely.trouble.push(format!("{}: {error}", directory.display())),
        }
    }
    let current = var("TMUX").and_then(|value| value.into_string().ok());
    let current = current.as_deref().and_then(|value| value.rsplitn(3, ',').nth(2));
    let is_own = |socket: &&str| fs::metadata(socket).is_ok_and(|m| m.uid() == user::uid());
    likely.sockets.extend(current.filter(is_own).map(PathBuf::from));
    likely.sockets.sort();
    likely
}

fn sockets_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    check(directory)?;
    let mut sockets = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type().is_ok_and(|kind| kind.is_socket()) {
            sockets.push(entry.path());
        }
    }
    Ok(sockets)
}

/// Checks the directory of a socket as tmux does (`make_label` in tmux.c), if it is one that
/// tmux makes.
///
/// # Errors
/// Those of [`check`].
pub fn check_parent(socket: &Path) -> io::Result<()> {
    match socket.parent() {
        Some(parent) if parent.file_name() == Some(OsStr::new(&own_name())) => check(parent),
        _ => Ok(()),
    }
}

/// Checks a directory as tmux does. Anybody can make one of this name in `/tmp` before its
/// user does.
///
/// # Errors
/// When it is not a real directory, is another user's, or is open to other users.
fn check(directory: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(directory)?;
    let why = if !metadata.is_dir() {
        "it is not a directory, so tmux uses no socket in it".to_owned()
    } else if metadata.uid() != user::uid() {
        format!("it belongs to uid {}, so tmux uses no socket in it", metadata.uid())
    } else if metadata.permissions().mode() & FOR_OTHERS != 0 {
        "it is open to other users, so tmux uses no socket in it; chmod 700 it".to_owned()
    } else {
        return Ok(());
    };
    Err(io::Error::other(why))
}

fn own_name() -> String {
    format!("tmux-{}", user::uid())
}
