//! Which processes listen on a socket: somebody may come to them by that.

use std::fs;
use std::io;

use model::parse::fdinfo::{Target, target};
use model::parse::proc::tcp_listeners;

use super::sockets::Sockets;
use crate::process::proc::file::{link, path};

/// Protocols on whose sockets nobody is waited for.
const CONNECTIONLESS: [&str; 6] = ["UDP", "UDPv6", "NETLINK", "PACKET", "RAW", "PING"];

/// Whether a process listens on a socket. None where that could not be found out.
pub fn listens(pid: i32, sockets: &mut Sockets) -> Option<bool> {
    let mut tcp = Vec::new();
    for entry in fs::read_dir(path(pid, "fd")).ok()? {
        let fd: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let link = match link(pid, &format!("fd/{fd}")) {
            Ok(link) => link,
            // Closed since the directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return None,
        };
        let Target::Socket(inode) = target(&link) else { continue };
        let protocol = Sockets::protocol(pid, fd)?;
        match protocol.as_str() {
            unix if unix.starts_with("UNIX") => {
                if sockets.listens(inode)? {
                    return Some(true);
                }
            }
            "TCP" | "TCPv6" => tcp.push(inode),
            connectionless if CONNECTIONLESS.contains(&connectionless) => {}
            _ => return None,
        }
    }
    if tcp.is_empty() {
        return Some(false);
    }
    // Those of its own network namespace.
    for file in ["net/tcp", "net/tcp6"] {
        let text = match fs::read_to_string(path(pid, file)) {
            Ok(text) => text,
            // This kernel has no IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file == "net/tcp6" => continue,
            Err(_) => return None,
        };
        if tcp_listeners(&text).any(|inode| tcp.contains(&inode)) {
            return Some(true);
        }
    }
    Some(false)
}
