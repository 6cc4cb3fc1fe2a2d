//! Asking all tmux servers of this user, or those that were named.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use model::record::{ProcSource, Servers, Session, UnaskedServer};

use super::client::{Answer, ENDING, Tmux};
use super::directory::likely_sockets;
use super::peer::Peer;
use super::running::fill_running;
use super::unasked::{unasked, why_unasked};
use crate::process::hides_others;
use crate::process::process_table::{Table, owner_now};
use crate::user;

/// How long one call of tmux may take.
pub const TMUX_LIMIT: Duration = Duration::from_secs(5);

/// Which servers to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Every server of this user.
    All,
    /// The servers on these sockets; if none answers, that is trouble.
    Named(Vec<PathBuf>),
    /// The servers that answered before, to be asked again: they may have ended since.
    Known {
        /// Their sockets.
        sockets: Vec<PathBuf>,
        /// Their processes.
        server_pids: Vec<i32>,
    },
}

impl Choice {
    /// Whether these are all servers.
    pub fn servers(&self) -> Servers {
        match self {
            Choice::All => Servers::All,
            Choice::Named(_) | Choice::Known { .. } => Servers::Named,
        }
    }
}

/// What tmux servers said.
#[derive(Debug)]
pub struct Scan {
    /// The sessions, `scan` left empty.
    pub sessions: Vec<Session>,
    /// The user whose servers were asked.
    pub uid: u32,
    /// Whether that was all of them.
    pub servers: Servers,
    /// Their sockets, servers that are gone not counted.
    pub sockets: Vec<String>,
    /// The servers that answered.
    pub server_pids: Vec<i32>,
    /// Living servers of other users and other pid namespaces.
    pub unasked: Vec<UnaskedServer>,
    /// Whether there may be others, because processes of other users are hidden.
    pub hides_others: bool,
    /// What could not be asked: if there is anything, the scan is not complete.
    pub trouble: Vec<String>,
    /// The process table, read after tmux was asked.
    pub table: Table,
}

/// Lists the sessions of tmux servers, giving each call `limit`, and what runs in their panes
/// by the process table of `source`.
///
/// # Errors
/// When the process table cannot be read; everything else is in [`Scan::trouble`].
pub fn scan(choice: &Choice, limit: Duration, source: ProcSource) -> io::Result<Scan> {
    let mut search = Search::new(choice, limit);
    match choice {
        Choice::Named(sockets) | Choice::Known { sockets, .. } => {
            sockets.iter().for_each(|socket| search.ask(socket))
        }
        Choice::All => {
            let likely = likely_sockets();
            search.trouble.extend(likely.trouble);
            likely.sockets.iter().for_each(|socket| search.ask(socket));
        }
    }
    // The table is read after the lists, so that what the panes run is not older.
    let mut table = Table::read(source)?;
    if search.follow_processes(&table) {
        table = Table::read(source)?;
    }
    Ok(search.finish(table))
}

/// Ends a session, if it is still the one that was seen, with the same panes, and nobody is
/// attached. The next scan shows whether it has ended.
///
/// # Errors
/// When its server could not be asked.
pub fn kill(session: &Session) -> io::Result<()> {
    let tmux = Tmux::find().ok_or_else(|| io::Error::other(not_installed()))?;
    tmux.kill_session(session, TMUX_LIMIT)
}

struct Search<'c> {
    choice: &'c Choice,
    limit: Duration,
    tmux: Option<Tmux>,
    asked: BTreeSet<PathBuf>,
    /// Those of them where asking failed.
    failed: BTreeSet<PathBuf>,
    /// Servers that answered, by their process, with their sockets.
    servers: BTreeMap<i32, (PathBuf, Peer)>,
    /// Servers that a socket led to and that are not to be asked.
    not_asked: BTreeSet<i32>,
    sessions: Vec<Session>,
    trouble: Vec<String>,
}

impl<'c> Search<'c> {
    fn new(choice: &'c Choice, limit: Duration) -> Self {
        Search {
            choice,
            limit,
            tmux: Tmux::find(),
            asked: BTreeSet::new(),
            failed: BTreeSet::new(),
            servers: BTreeMap::new(),
            not_asked: BTreeSet::new(),
            sessions: Vec::new(),
            trouble: Vec::new(),
        }
    }

    fn ask(&mut self, socket: &Path) {
        if !self.asked.insert(socket.to_owned()) {
            return;
        }
        let named = matches!(self.choice, Choice::Named(_));
        let Some(tmux) = &self.tmux else {
            // Without the program, a server shows in the process table only.
            if named {
                self.trouble.push(not_installed());
            }
            return;
        };
        // A server in a container could abuse a client from outside of it.
        let may_be_asked = |peer: &Peer| why_unasked(owner_now(peer.pid)).is_none();
        match tmux.list(socket, self.limit, may_be_asked) {
            Answer::Listed { peer, sessions } => self.listed(socket, peer, sessions),
            Answer::NotAsked { server_pid } if named => {
                self.not_asked.insert(server_pid);
                self.trouble.push(format!(
                    "tmux server on {}: it runs in another pid namespace as process {server_pid}",
                    socket.display()
                ));
            }
            Answer::NotAsked { server_pid } => drop(self.not_asked.insert(server_pid)),
            Answer::NoServer if named => {
                self.trouble.push(format!("no tmux server answers on {}", socket.display()));
            }
            // A server may start to listen there.
            Answer::NoServer => drop(self.asked.remove(socket)),
            Answer::Unreachable(reason) => {
                self.failed.insert(socket.to_owned());
                self.trouble.push(reason);
            }
        }
    }

    /// Takes what a server said. Two paths may lead to one socket, as by a symbolic link; but
    /// a server has one socket.
    fn listed(&mut self, socket: &Path, peer: Peer, sessions: Vec<Session>) {
        match self.servers.get(&peer.pid) {
            None => {
                self.servers.insert(peer.pid, (socket.to_owned(), peer));
                self.sessions.extend(sessions);
            }
            Some((_, known)) if *known == peer => {}
            Some((other, _)) => {
                self.trouble.push(format!(
                    "tmux server {} listens on two sockets, {} and {}",
                    peer.pid,
                    other.display(),
                    socket.display()
                ));
            }
        }
    }

    /// Asks the servers that show in the process table but have not answered yet. Returns
    /// whether there were any.
    fn follow_processes(&mut self, table: &Table) -> bool {
        let mut missing = self.expected(table);
        missing.sort_unstable();
        missing.retain(|pid| !self.servers.contains_key(pid));
        if missing.is_empty() {
            return false;
        }
        for pid in missing {
            self.follow(pid, table);
        }
        true
    }

    /// Asks a server on the sockets it listens on. A server that is starting has none yet, and
    /// one that is exiting has none any more: both get some time.
    ///
    /// Any user can forge a line of the kernel's list of sockets, by a socket whose name holds a
    /// newline: once the server has answered, what else it seemed to listen on is nothing.
    fn follow(&mut self, pid: i32, table: &Table) {
        if self.tmux.is_none() {
            self.trouble.push(format!("tmux server {pid} runs, but {}", not_installed()));
            return;
        }
        let deadline = Instant::now() + ENDING;
        let trouble = self.trouble.len();
        while table.is_still_tmux_server(pid) {
            let mut sockets = table.source.listening_sockets(pid);
            // Without a link first: nobody but its owner can make such a path lead to it.
            sockets.sort_by_cached_key(|s| s.canonicalize().map_or(true, |real| real != *s));
            for socket in &sockets {
                self.ask(socket);
                if self.servers.contains_key(&pid) {
                    return self.trouble.truncate(trouble);
                }
            }
            if sockets.iter().any(|socket| self.failed.contains(socket)) {
                return;
            }
            if Instant::now() >= deadline {
                self.trouble.push(unreached(pid, &sockets));
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The servers that must have answered: those that were known before, or all of this
    /// user in this pid namespace.
    fn expected(&self, table: &Table) -> Vec<i32> {
        match self.choice {
            Choice::Named(_) => Vec::new(),
            Choice::Known { server_pids, .. } => {
                let is_there = |pid: &i32| table.get(*pid).is_some_and(|stat| !stat.is_dead());
                server_pids.iter().copied().filter(is_there).collect()
            }
            Choice::All => {
                let all: Vec<i32> = table.processes().keys().copied().collect();
                let servers = table.tmux_servers_of(&all).into_iter();
                let is_ours = |pid: &i32| why_unasked(table.source.owner(*pid)).is_none();
                servers.filter(is_ours).collect()
            }
        }
    }

    fn finish(mut self, table: Table) -> Scan {
        fill_running(&mut self.sessions, &table);
        Scan {
            sessions: self.sessions,
            uid: user::uid(),
            unasked: unasked(&table, self.not_asked),
            hides_others: hides_others(),
            servers: self.choice.servers(),
            sockets: self.servers.values().map(|(s, _)| s.to_string_lossy().into_owned()).collect(),
            server_pids: self.servers.keys().copied().collect(),
            trouble: self.trouble,
            table,
        }
    }
}

fn unreached(pid: i32, sockets: &[PathBuf]) -> String {
    match sockets.iter().find(|socket| !socket.exists()) {
        Some(socket) => format!(
            "tmux server {pid} runs, but its socket {} was removed; `kill -USR1 {pid}` makes the \
             server create it again",
            socket.display()
        ),
        None => format!("tmux server {pid} runs, but its socket was not found"),
    }
}

fn not_installed() -> String {
    "the program tmux was not found: add its directory to PATH".to_owned()
}
