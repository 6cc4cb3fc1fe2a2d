//! Unix sockets and who is at their other end, asked of the kernel by sock_diag(7).

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::unix::nlas::Nla;
use netlink_packet_sock_diag::unix::{ShowFlags, StateFlags, UnixRequest, UnixResponse};
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recvfrom, sendto, socket_with, sockopt};

use crate::process::proc::file::path;

/// What a socket is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Nothing, or what is gone.
    None,
    /// The socket with this inode; it came to a name of ours, or the two were made as a pair.
    In(u64),
    /// The socket with this inode, to whose name we went.
    Out(u64),
    /// The kernel does not know such a unix socket here: it may be of another kind, or in
    /// another network namespace.
    Unknown,
}

/// A socket of sock_diag, opened when it is first needed.
#[derive(Debug, Default)]
pub struct Sockets {
    asked: HashMap<u64, Option<End>>,
    netlink: Option<OwnedFd>,
}

/// One unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    has_name: bool,
    /// Inode of its peer; 0: it is gone.
    peer: Option<u64>,
}

impl Sockets {
    /// What the socket with this inode is connected to.
    pub fn connection(&mut self, inode: u64) -> Connection {
        let Some(end) = self.end(inode) else { return Connection::Unknown };
        match end.peer {
            None | Some(0) => Connection::None,
            Some(peer) if end.has_name => Connection::In(peer),
            // A peer that cannot be seen may have no name.
            Some(peer) => match self.end(peer).is_some_and(|end| end.has_name) {
                true => Connection::Out(peer),
                false => Connection::In(peer),
            },
        }
    }

    /// Whether a socket may be a unix socket, by the attribute with the name of its protocol.
    pub fn may_be_unix(pid: i32, fd: i32) -> bool {
        let mut name = [0_u8; 64];
        let file = path(pid, &format!("fd/{fd}"));
        match rustix::fs::getxattr(file, "system.sockprotoname", &mut name) {
            Ok(length) => name[..length].starts_with(b"UNIX"),
            Err(_) => true,
        }
    }

    /// None when there is no such unix socket here, or it could not be asked.
    fn end(&mut self, inode: u64) -> Option<End> {
        if let Some(end) = self.asked.get(&inode) {
            return *end;
        }
        let end = self.ask(inode).ok().flatten();
        self.asked.insert(inode, end);
        end
    }

    fn ask(&mut self, inode: u64) -> io::Result<Option<End>> {
        let Ok(inode) = u32::try_from(inode) else { return Ok(None) };
        let netlink = match self.netlink.take() {
            Some(netlink) => netlink,
            None => open()?,
        };
        let answer = ask(&netlink, inode)?;
        // After an error it is opened anew, so that no late answer is taken for another.
        self.netlink = Some(netlink);
        Ok(answer)
    }
}

fn open() -> io::Result<OwnedFd> {
    /// The kernel answers at once; it is never waited for longer.
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

/// Asks for the one socket with this inode.
fn ask(netlink: &OwnedFd, inode: u32) -> io::Result<Option<End>> {
    const ANY: [u8; 8] = [0xff; 8];
    let request = SockDiagMessage::UnixRequest(UnixRequest {
        state_flags: StateFlags::from_bits_retain(u32::MAX),
        inode,
        show_flags: ShowFlags::NAME | ShowFlags::PEER,
        cookie: ANY,
    });
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let mut message = NetlinkMessage::new(header, request.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(netlink, &bytes, SendFlags::empty(), &kernel)?;
    let mut answer = [0_u8; 4096];
    let (length, _, from) = recvfrom(netlink, &mut answer, RecvFlags::empty())?;
    let from = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
    if from != Some(kernel) {
        return Err(io::Error::other("an answer that is not the kernel's"));
    }
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&answer[..length]);
    match answer.map_err(io::Error::other)?.payload {
        NetlinkPayload::InnerMessage(SockDiagMessage::UnixResponse(response))
            if response.header.inode == inode =>
        {
            Ok(Some(End::of(&response)))
        }
        NetlinkPayload::Error(error) => match error.to_io() {
            error if error.kind() == io::ErrorKind::NotFound => Ok(None),
            error => Err(error),
        },
        _ => Err(io::Error::other("an answer to something else")),
    }
}

impl End {
    fn of(response: &UnixResponse) -> End {
        let peer = response.nlas.iter().find_map(|nla| match nla {
            Nla::Peer(inode) => Some(u64::from(*inode)),
            _ => None,
        });
        End { has_name: response.nlas.iter().any(|nla| matches!(nla, Nla::Name(_))), peer }
    }
}
