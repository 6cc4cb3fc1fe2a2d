//! Which processes others can come to, or have come to, over a socket.

use std::fs;
use std::io;
use std::ops::RangeInclusive;

use model::parse::fdinfo::{Target, target};
use model::parse::proc::{InternetSocket, internet_sockets};

use super::sockets::Sockets;
use crate::process::proc::file::{link, path};

/// Protocols on whose sockets nobody is waited for.
const CONNECTIONLESS: [&str; 4] = ["NETLINK", "PACKET", "RAW", "PING"];

/// Whether a process listens on a socket, waits for datagrams on one that has an address, or has
/// a connection that somebody has made to it. None where that could not be found out.
pub fn listens(pid: i32, sockets: &mut Sockets) -> Option<bool> {
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
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
            "UDP" | "UDPv6" => udp.push(inode),
            connectionless if CONNECTIONLESS.contains(&connectionless) => {}
            _ => return None,
        }
    }
    Some(has_come_by_tcp(pid, &tcp)? || waits_for_datagrams(pid, &udp)?)
}

/// Whether one of these sockets listens, or is connected and the other end has come to it.
fn has_come_by_tcp(pid: i32, inodes: &[u64]) -> Option<bool> {
    /// `TCP_ESTABLISHED`.
    const ESTABLISHED: u8 = 1;
    /// `TCP_LISTEN`.
    const LISTEN: u8 = 10;
    if inodes.is_empty() {
        return Some(false);
    }
    let all = table(pid, "tcp")?;
    let ports_of_clients = ports_of_clients()?;
    let is_served =
        |port: u16| all.iter().any(|socket| socket.state == LISTEN && socket.port == port);
    let is_here = |one: &InternetSocket| {
        all.iter().any(|other| {
            other.state == ESTABLISHED
                && (other.port, other.peer_port) == (one.peer_port, one.port)
                && other.inode != one.inode
        })
    };
    let has_come = |one: &InternetSocket| {
        // Its own port was chosen, not given by the kernel; or the other end is a program on this
        // machine at whose port nobody is served.
        !ports_of_clients.contains(&one.port)
            || is_served(one.port)
            || is_here(one) && !is_served(one.peer_port)
    };
    let mut own = all.iter().filter(|socket| inodes.contains(&socket.inode));
    Some(own.any(|socket| match socket.state {
        LISTEN => true,
        ESTABLISHED => has_come(socket),
        _ => false,
    }))
}

/// Whether one of these sockets has an address and no peer: anybody may send to it.
fn waits_for_datagrams(pid: i32, inodes: &[u64]) -> Option<bool> {
    /// `TCP_CLOSE`, here of one that is not connected.
    const UNCONNECTED: u8 = 7;
    if inodes.is_empty() {
        return Some(false);
    }
    let all = table(pid, "udp")?;
    let mut own = all.iter().filter(|socket| inodes.contains(&socket.inode));
    Some(own.any(|socket| socket.state == UNCONNECTED))
}

/// The sockets of this protocol, and of it over IPv6, in the network namespace of the process.
fn table(pid: i32, protocol: &str) -> Option<Vec<InternetSocket>> {
    let mut sockets = Vec::new();
    for file in [format!("net/{protocol}"), format!("net/{protocol}6")] {
        match fs::read_to_string(path(pid, &file)) {
            Ok(text) => sockets.extend(internet_sockets(&text)),
            // This kernel has no IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.ends_with('6') => {}
            Err(_) => return None,
        }
    }
    Some(sockets)
}

/// The ports that the kernel gives to those who connect.
fn ports_of_clients() -> Option<RangeInclusive<u16>> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ports = text.split_ascii_whitespace().map(|port| port.parse().ok());
    Some(ports.next()??..=ports.next()??)
}
