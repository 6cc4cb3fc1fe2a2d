//! The standard input and output of a process, as far as they can be those of an MCP server:
//! Claude makes a pair of unix sockets for each.

use std::io;

use model::parse::fdinfo::{Target, target};

use super::everyone::Everyone;
use super::file_key::FileKey;
use super::open_files::access;
use super::other_end::{is_read, is_written};
use super::own_tree::OwnTree;
use super::sockets::{Pair, Sockets};
use crate::process::proc::file::link;

/// Standard input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// One of a pair of unix stream sockets, this one.
    Socket(u64, Pair),
    /// A pipe without a name.
    Pipe(FileKey),
    /// Anything else, or closed.
    Other,
}

/// Standard input and output.
pub type Stdio = [Stream; 2];

/// Reads both.
pub fn stdio(pid: i32, sockets: &mut Sockets) -> Stdio {
    [0, 1].map(|fd| {
        let Ok(link) = link(pid, &format!("fd/{fd}")) else { return Stream::Other };
        match target(&link) {
            Target::Socket(inode) => match sockets.pair(inode) {
                Some(pair) => Stream::Socket(inode, pair),
                None => Stream::Other,
            },
            Target::Pipe(inode) => Stream::Pipe(FileKey::Pipe(inode)),
            Target::Pidfd | Target::Path(_) | Target::Other => Stream::Other,
        }
    })
}

/// Whether both are sockets of pairs.
pub fn are_sockets(stdio: &Stdio) -> bool {
    stdio.iter().all(|stream| matches!(stream, Stream::Socket(..)))
}

/// Whether a process with `stdio` may be of the chain of one with `above`: each is a pipe, or a
/// socket that the one above has too. One with pipes is not if its errors go to a file: so a
/// server starts a job whose output it reads.
pub fn is_passed_on(pid: i32, stdio: &Stdio, above: &Stdio) -> bool {
    let has = |inode: u64| {
        above.iter().any(|stream| matches!(stream, Stream::Socket(other, _) if *other == inode))
    };
    let is_same = |stream: &Stream| matches!(stream, Stream::Socket(inode, _) if has(*inode));
    if !stdio.iter().all(is_same) && has_file_of_errors(pid) {
        return false;
    }
    stdio.iter().all(|stream| match stream {
        Stream::Socket(inode, pair) => has(*inode) || matches!(pair, Pair::With(_)),
        Stream::Pipe(_) => true,
        Stream::Other => false,
    })
}

/// Whether standard error is a file with a name, or that could not be found out.
fn has_file_of_errors(pid: i32) -> bool {
    match link(pid, "fd/2") {
        Ok(link) => matches!(target(&link), Target::Path(path) if path != "/dev/null"),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Whether nobody outside the tree has the other ends. None where that could not be found out.
/// `is_top`: only sockets whose other ends are gone count.
pub fn is_abandoned(
    pid: i32,
    stdio: &Stdio,
    is_top: bool,
    tree: &OwnTree<'_, '_>,
    everyone: &Everyone,
) -> Option<bool> {
    let mut is_known = true;
    for (fd, stream) in (0..).zip(stdio) {
        let is_abandoned = match stream {
            Stream::Socket(_, Pair::Gone) => Some(true),
            Stream::Socket(_, Pair::Unknown) => None,
            Stream::Socket(..) | Stream::Pipe(_) | Stream::Other if is_top => Some(false),
            Stream::Socket(_, Pair::With(peer)) => {
                let users = everyone.users(FileKey::Socket(*peer));
                (!users.is_empty()).then(|| users.iter().all(|user| tree.has(user.pid)))
            }
            Stream::Pipe(key) => pipe(pid, fd, *key, tree, everyone),
            Stream::Other => Some(false),
        };
        match is_abandoned {
            Some(true) => {}
            Some(false) => return Some(false),
            None => is_known = false,
        }
    }
    is_known.then_some(true)
}

fn pipe(
    pid: i32,
    fd: i32,
    key: FileKey,
    tree: &OwnTree<'_, '_>,
    everyone: &Everyone,
) -> Option<bool> {
    let (reads, writes) = access(pid, fd).unwrap_or((true, true));
    let users = everyone.users(key);
    let others = users.iter().filter(|user| reads && user.writes || writes && user.reads);
    if others.clone().any(|user| !tree.has(user.pid)) {
        return Some(false);
    }
    let is_seen = others.count() > 0;
    let is_gone = || {
        let read = !writes || is_read(pid, fd) == Some(false);
        read && (!reads || is_written(pid, fd, key) == Some(false))
    };
    (is_seen || is_gone()).then_some(true)
}
