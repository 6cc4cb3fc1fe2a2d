//! Telling a tmux server from other processes.
//!
//! tmux names its process `PROGRAM: server (SOCKET)` with prctl(2), where `PROGRAM` is how it
//! was called, and cuts that at the last space that fits into 15 bytes (`setproctitle` in
//! compat/setproctitle.c). So `tmux` is `tmux: server`, but `tmux-3.4` is `tmux-3.4:` as a
//! server and as a client: only a server listens.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use model::claude::base_name;
use model::parse;

use super::file::{link, path};

/// How many bytes the kernel keeps of a name (`TASK_COMM_LEN` without the NUL).
const NAME_LEN: usize = 15;

/// Whether a living process of this short name is a tmux server.
pub fn is_tmux_server(pid: i32, name: &str) -> bool {
    if name == "tmux: server" {
        return true;
    }
    let is_titled = name.ends_with(": server");
    let is_cut_title = name.ends_with(':');
    // A name that fills the 15 bytes has no room for a title.
    let has_executable = || {
        if name.len() < NAME_LEN && !name.starts_with("tmux") {
            return false;
        }
        let exe = link(pid, "exe").unwrap_or_default();
        base_name(exe.strip_suffix(" (deleted)").unwrap_or(&exe)).starts_with("tmux")
    };
    if !is_titled && !is_cut_title && !has_executable() {
        return false;
    }
    match listening_sockets(pid) {
        Some(sockets) => !sockets.is_empty(),
        // Only the name of another user's process is known.
        None => is_titled || is_cut_title && name.starts_with("tmux"),
    }
}

/// The servers that these environments name in `TMUX` (`socket,server
/// pid,session number`): processes that listen on that very socket.
pub fn named(environs: impl Iterator<Item = Rc<[u8]>>) -> HashSet<i32> {
    let mut named: HashSet<(i32, PathBuf)> = HashSet::new();
    for environ in environs {
        let Some(value) = parse::proc::environ(&environ, "TMUX") else { continue };
        let value = String::from_utf8_lossy(value);
        let mut parts = value.rsplitn(3, ',').skip(1);
        let server_pid = parts.next().and_then(|pid| pid.parse().ok());
        named.extend(server_pid.zip(parts.next().map(PathBuf::from)));
    }
    let listens = |(pid, socket): &(i32, PathBuf)| {
        listening_sockets(*pid).is_some_and(|sockets| sockets.contains(socket))
    };
    named.into_iter().filter(listens).map(|(pid, _)| pid).collect()
}

/// The paths of the sockets on which a process listens, as it has bound them. None where its
/// files cannot be read.
pub fn listening_sockets(pid: i32) -> Option<Vec<PathBuf>> {
    let links = fs::read_dir(path(pid, "fd")).ok()?.flatten();
    let inodes = links.filter_map(|entry| {
        let link = fs::read_link(entry.path()).ok()?;
        parse::proc::link_inode(&link.to_string_lossy(), "socket")
    });
    let inodes: HashSet<u64> = inodes.collect();
    if inodes.is_empty() {
        return Some(Vec::new());
    }
    // Those of its own network namespace.
    let listening = fs::read(path(pid, "net/unix")).ok()?;
    let listening = String::from_utf8_lossy(&listening);
    let listening = parse::proc::listening_sockets(&listening).into_iter();
    let its = listening.filter(|(inode, _)| inodes.contains(inode));
    Some(its.map(|(_, path)| PathBuf::from(path)).collect())
}
