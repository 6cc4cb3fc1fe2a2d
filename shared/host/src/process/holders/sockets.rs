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

/// The other end of a unix stream socket that was made as one of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// It is gone.
    Gone,
    /// It is the socket with this inode.
    With(u64),
    /// The kernel does not know the socket here: it may be in another network namespace.
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
    is_stream: bool,
    is_datagram: bool,
    state: u8,
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

    /// The other end of the socket with this inode, if it is a stream without a name that is or
    /// was connected to one without a name. One that has connected to a service looks like one of
    /// a pair once the service is gone.
    pub fn pair(&mut self, inode: u64) -> Option<Pair> {
        /// `TCP_ESTABLISHED`, which stays when the other end is gone.
        const ESTABLISHED: u8 = 1;
        let Some(end) = self.end(inode) else { return Some(Pair::Unknown) };
        if !end.is_stream || end.has_name || end.state != ESTABLISHED {
            return None;
        }
        match end.peer {
            None | Some(0) => Some(Pair::Gone),
            Some(peer) => {
                let is_named = self.end(peer).is_some_and(|end| end.has_name);
                (!is_named).then_some(Pair::With(peer))
            }
        }
    }

    /// Whether a unix socket listens, or waits for datagrams at a name. None when there is no
    /// such unix socket here.
    pub fn listens(&mut self, inode: u64) -> Option<bool> {
        /// `TCP_LISTEN`.
        const LISTEN: u8 = 10;
        let end = self.end(inode)?;
        let has_peer = !matches!(end.peer, None | Some(0));
        Some(end.state == LISTEN || end.is_datagram && end.has_name && !has_peer)
    }

    /// The protocol of a socket, as `TCPv6` or `UNIX-STREAM`.
    pub fn protocol(pid: i32, fd: i32) -> Option<String> {
        let mut name = [0_u8; 64];
        let file = path(pid, &format!("fd/{fd}"));
        let length = rustix::fs::getxattr(file, "system.sockprotoname", &mut name).ok()?;
        let name = name[..length].split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Whether a socket may be a unix socket.
    pub fn may_be_unix(pid: i32, fd: i32) -> bool {
        Self::protocol(pid, fd).is_none_or(|protocol| protocol.starts_with("UNIX"))
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
        /// `SOCK_STREAM`.
        const STREAM: u8 = 1;
        /// `SOCK_DGRAM`.
        const DATAGRAM: u8 = 2;
        End {
            is_stream: response.header.kind == STREAM,
            is_datagram: response.header.kind == DATAGRAM,
            state: response.header.state,
            has_name: response.nlas.iter().any(|nla| matches!(nla, Nla::Name(_))),
            peer,
        }
    }
}
