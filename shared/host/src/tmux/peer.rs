//! Who listens on a socket, according to the kernel.
//!
//! A server can say anything about itself. The kernel says which process listens, and as which
//! user (`SO_PEERCRED`, unix(7)), before anything is exchanged.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::directory::check_parent;
use crate::user;

/// A process of this user that listens on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The process.
    pub pid: i32,
    /// Device and inode of the socket.
    file: (u64, u64),
}

/// The file of a socket. Its path may lead elsewhere at any moment; this is that file.
#[derive(Debug)]
pub struct SocketFile {
    /// By which this process and its children reach it.
    pub path: PathBuf,
    metadata: std::fs::Metadata,
    /// Its children have the descriptor too: it opens nothing, it only names the file.
    #[cfg(target_os = "linux")]
    _handle: std::fs::File,
}

impl SocketFile {
    #[cfg(target_os = "linux")]
    fn at(path: &Path) -> io::Result<SocketFile> {
        use nix::fcntl::{OFlag, open};

        let handle = open(path, OFlag::O_PATH, nix::sys::stat::Mode::empty())?;
        let handle = std::fs::File::from(handle);
        let path = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        Ok(SocketFile { path, metadata: handle.metadata()?, _handle: handle })
    }

    #[cfg(not(target_os = "linux"))]
    fn at(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile { path: path.to_owned(), metadata: std::fs::metadata(path)? })
    }
}

/// Why a socket has no usable peer.
#[derive(Debug)]
pub enum NoPeer {
    /// Nobody listens there.
    Nobody,
    /// It could not be asked, or must not be; why.
    Trouble(String),
}

/// Finds out who listens on a socket, and which file that is.
///
/// # Errors
/// [`NoPeer`], also when the socket, its directory or the process that listens is another
/// user's.
pub fn peer(path: &Path) -> Result<(Peer, SocketFile), NoPeer> {
    let trouble = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => NoPeer::Nobody,
        _ => NoPeer::Trouble(error.to_string()),
    };
    let socket = SocketFile::at(path).map_err(trouble)?;
    let metadata = &socket.metadata;
    if !metadata.file_type().is_socket() {
        return Err(NoPeer::Trouble("it is not a socket".to_owned()));
    }
    is_own("the socket", metadata.uid())?;
    check_parent(path).map_err(trouble)?;
    let (uid, pid) = credentials(&socket.path).map_err(|errno| trouble(errno.into()))?;
    is_own("the process that listens", uid)?;
    if pid <= 0 {
        let reason = "the process that listens is in another pid namespace";
        return Err(NoPeer::Trouble(reason.to_owned()));
    }
    Ok((Peer { pid, file: (metadata.dev(), metadata.ino()) }, socket))
}

fn is_own(what: &str, uid: u32) -> Result<(), NoPeer> {
    let own = user::uid();
    match uid == own {
        true => Ok(()),
        false => Err(NoPeer::Trouble(format!(
            "{what} belongs to uid {uid}, this run is for uid {own}; as root, use --user {uid}"
        ))),
    }
}

/// Uid and pid of the process that listens on a socket. It does not wait: a server whose
/// queue is full is an error (`EAGAIN`).
fn credentials(path: &Path) -> nix::Result<(u32, i32)> {
    let address = UnixAddr::new(path)?;
    let connection = connection()?;
    connect(connection.as_raw_fd(), &address)?;
    peer_of(&connection)
}

#[cfg(target_os = "linux")]
fn connection() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::Stream, flags, None)
}

#[cfg(target_os = "linux")]
fn peer_of(connection: &OwnedFd) -> nix::Result<(u32, i32)> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let peer = getsockopt(connection, PeerCredentials)?;
    Ok((peer.uid(), peer.pid()))
}

#[cfg(not(target_os = "linux"))]
fn connection() -> nix::Result<OwnedFd> {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    let connection = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?;
    fcntl(&connection, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    fcntl(&connection, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(connection)
}

#[cfg(not(target_os = "linux"))]
fn peer_of(connection: &OwnedFd) -> nix::Result<(u32, i32)> {
    use nix::sys::socket::{getsockopt, sockopt::LocalPeerCred, sockopt::LocalPeerPid};
    let uid = getsockopt(connection, LocalPeerCred)?.uid();
    Ok((uid, getsockopt(connection, LocalPeerPid)?))
}
