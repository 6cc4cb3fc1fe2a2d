//! Asking one tmux server, through the `tmux` program, for ids, numbers and names.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use model::parse::{
    self,
    tmux::{FORMAT, Refusal},
};
use model::record::Session;

use super::peer::{NoPeer, Peer, SocketFile, peer};
use crate::command::{self, Printed, printed};
use crate::user;

/// How long to wait for a server that is exiting.
pub const ENDING: Duration = Duration::from_millis(500);

/// The result of asking a server. "There is none" and "it could not be asked" are different
/// values, and neither is ever turned into the other.
#[derive(Debug)]
pub enum Answer {
    /// The server and its sessions.
    Listed {
        /// Its process, according to the kernel.
        peer: Peer,
        /// Its sessions; there may be none.
        sessions: Vec<Session>,
    },
    /// It must not be asked.
    NotAsked {
        /// Its process.
        server_pid: i32,
    },
    /// Nobody listens on the socket.
    NoServer,
    /// It could not be asked; why.
    Unreachable(String),
}

/// The tmux program.
#[derive(Clone, Debug)]
pub struct Tmux {
    program: PathBuf,
}

impl Tmux {
    /// Finds the program.
    pub fn find() -> Option<Tmux> {
        command::find("tmux").map(|program| Tmux { program })
    }

    /// Lists the sessions and panes of the server on `socket`, if it `may_be_asked`. A server
    /// that is exiting gets time to do so.
    pub fn list(
        &self,
        socket: &Path,
        limit: Duration,
        may_be_asked: impl Fn(&Peer) -> bool,
    ) -> Answer {
        let deadline = Instant::now() + ENDING;
        loop {
            let (before, file) = match peer(socket) {
                Ok(found) => found,
                Err(NoPeer::Nobody) => return Answer::NoServer,
                Err(NoPeer::Trouble(reason)) => {
                    return Answer::Unreachable(trouble(socket, &reason));
                }
            };
            if !may_be_asked(&before) {
                return Answer::NotAsked { server_pid: before.pid };
            }
            match self.list_once(socket, &file, limit) {
                Said::Sessions { server_pids, sessions } => match peer(socket) {
                    // tmux connects by itself: this was the same server before and after.
                    Ok((after, _)) if after == before => {
                        return listed(socket, before, &server_pids, sessions);
                    }
                    Err(NoPeer::Trouble(reason)) => {
                        return Answer::Unreachable(trouble(socket, &reason));
                    }
                    Ok(_) | Err(NoPeer::Nobody) => {}
                },
                Said::Trouble(reason) => return Answer::Unreachable(trouble(socket, &reason)),
                Said::Ended => {}
            }
            if Instant::now() >= deadline {
                let reason = "it exits or is replaced whenever it is asked";
                return Answer::Unreachable(trouble(socket, &reason));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn list_once(&self, socket: &Path, file: &SocketFile, limit: Duration) -> Said {
        let panes = match self.ask(file, limit, &["list-panes", "-a", "-F", FORMAT]) {
            Ok(panes) => panes,
            Err(error) => return Said::Trouble(error.to_string()),
        };
        if !panes.success {
            return match parse::tmux::refusal(&panes.stderr) {
                Refusal::NoServer => self.without_sessions(file, limit),
                Refusal::HungUp => Said::Ended,
                Refusal::Trouble(text) => Said::Trouble(text),
            };
        }
        match parse::tmux::sessions(&panes.stdout, &socket.to_string_lossy(), user::uid()) {
            Ok(sessions) if sessions.is_empty() => self.without_sessions(file, limit),
            Ok(sessions) => {
                let server_pids = sessions.iter().map(|session| session.server_pid).collect();
                Said::Sessions { server_pids, sessions }
            }
            Err(reason) => Said::Trouble(reason),
        }
    }

    /// A server may live without a session (`exit-empty off`): it still answers to this.
    fn without_sessions(&self, file: &SocketFile, limit: Duration) -> Said {
        let answer = match self.ask(file, limit, &["display-message", "-p", "#{pid}"]) {
            Ok(answer) => answer,
            Err(error) => return Said::Trouble(error.to_string()),
        };
        match (answer.success, answer.stdout.trim().parse()) {
            (true, Ok(server_pid)) => {
                Said::Sessions { server_pids: vec![server_pid], sessions: Vec::new() }
            }
            (true, Err(_)) => Said::Trouble("no process id from tmux".to_owned()),
            (false, _) => match parse::tmux::refusal(&answer.stderr) {
                Refusal::NoServer | Refusal::HungUp => Said::Ended,
                Refusal::Trouble(text) => Said::Trouble(text),
            },
        }
    }

    /// Ends a session in one command of the server: the server compares the session's identity
    /// and state and ends it in one step. If the target is gone, the comparison is false.
    ///
    /// # Errors
    /// When the server could not be asked, or another listens on the socket now.
    pub fn kill_session(&self, session: &Session, limit: Duration) -> io::Result<()> {
        let Session { id, server_pid, .. } = session;
        let created = session.created.as_second();
        let windows = session.windows;
        // A pane that was respawned has the same id and another process.
        let panes: String =
            session.panes.iter().map(|pane| format!("{}={} ", pane.id, pane.pid)).collect();
        let condition = [
            format!("#{{==:#{{pid}},{server_pid}}}"),
            format!("#{{==:#{{session_id}},{id}}}"),
            format!("#{{==:#{{session_created}},{created}}}"),
            format!("#{{==:#{{session_windows}},{windows}}}"),
            format!("#{{==:#{{W:#{{P:#{{pane_id}}=#{{pane_pid}} }}}},{panes}}}"),
            "#{==:#{session_attached},0}".to_owned(),
        ]
        .into_iter()
        .reduce(|all, next| format!("#{{&&:{all},{next}}}"))
        .unwrap_or_default();
        let file = match peer(Path::new(&session.socket)) {
            Ok((peer, file)) if peer.pid == *server_pid => file,
            // The session has gone with its server.
            Ok(_) | Err(NoPeer::Nobody) => return Ok(()),
            Err(NoPeer::Trouble(reason)) => return Err(io::Error::other(reason)),
        };
        let target = format!("{id}:");
        let kill = format!("kill-session -t '{id}'");
        let answer =
            self.ask(&file, limit, &["if-shell", "-F", "-t", &target, &condition, &kill])?;
        match parse::tmux::refusal(&answer.stderr) {
            _ if answer.success => Ok(()),
            Refusal::NoServer | Refusal::HungUp => Ok(()),
            Refusal::Trouble(reason) => Err(io::Error::other(reason)),
        }
    }

    /// Asks the server that was found on this file. Whoever can change a directory of the
    /// socket's path could otherwise put another server there, which the client would obey.
    ///
    /// `-u`: without it, in a C locale, tmux writes `_` for what is not ASCII.
    fn ask(&self, file: &SocketFile, limit: Duration, arguments: &[&str]) -> io::Result<Printed> {
        let mut command = command::command(&self.program);
        printed(command.arg("-u").arg("-S").arg(&file.path).args(arguments), limit)
    }
}

/// What a server said when it was asked once.
enum Said {
    /// Its sessions, and what it says of its process, each time it does.
    Sessions {
        server_pids: Vec<i32>,
        sessions: Vec<Session>,
    },
    Ended,
    Trouble(String),
}

/// Compares what a server says of its process with what the kernel says.
fn listed(socket: &Path, peer: Peer, server_pids: &[i32], sessions: Vec<Session>) -> Answer {
    match server_pids.iter().find(|pid| **pid != peer.pid) {
        None => Answer::Listed { peer, sessions },
        Some(said) => {
            let reason = format!("it says that it is process {said}, but it is {}", peer.pid);
            Answer::Unreachable(trouble(socket, &reason))
        }
    }
}

fn trouble(socket: &Path, reason: &dyn std::fmt::Display) -> String {
    format!("tmux server on {}: {reason}", socket.display())
}
