//! Asking one tmux server, through the `tmux` program, for ids, numbers and names.

use std::collections::BTreeSet;
use std::env;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use model::parse::{
    self,
    tmux::{FORMAT, Refusal},
};
use model::record::Session;

use crate::command::{Printed, printed};

/// Where tmux is looked for besides `PATH`, which cron keeps short.
const FURTHER_FOLDERS: [&str; 4] = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin"];

/// How long a server that ends is given for it.
pub const ENDING: Duration = Duration::from_millis(500);

/// What asking a server came to. "There is none" and "it could not be asked" are
/// different values, and nothing turns one into the other.
#[derive(Debug)]
pub enum Answer {
    /// The server and its sessions.
    Listed {
        /// Its process.
        server_pid: i32,
        /// Its sessions; there may be none.
        sessions: Vec<Session>,
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
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path)
            .chain(FURTHER_FOLDERS.iter().map(PathBuf::from))
            .map(|folder| folder.join("tmux"))
            .find(|program| is_executable(program))
            .map(|program| Tmux { program })
    }

    /// Lists the sessions and panes of the server on `socket`, which runs as `uid`. One that
    /// is about to end is given the time for it.
    pub fn list(&self, socket: &Path, uid: u32, limit: Duration) -> Answer {
        let deadline = Instant::now() + ENDING;
        loop {
            match self.list_once(socket, uid, limit) {
                Some(answer) => return answer,
                None if Instant::now() >= deadline => {
                    let reason = "it ends whenever it is asked";
                    return Answer::Unreachable(trouble(socket, &reason));
                }
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// None when the server ended while it was asked.
    fn list_once(&self, socket: &Path, uid: u32, limit: Duration) -> Option<Answer> {
        let panes = match self.ask(socket, limit, &["list-panes", "-a", "-F", FORMAT]) {
            Ok(panes) => panes,
            Err(error) => return Some(Answer::Unreachable(trouble(socket, &error))),
        };
        if !panes.success {
            return match parse::tmux::refusal(&panes.stderr) {
                Refusal::NoServer => self.without_sessions(socket, limit),
                Refusal::HungUp => None,
                Refusal::Trouble(text) => Some(Answer::Unreachable(trouble(socket, &text))),
            };
        }
        match parse::tmux::sessions(&panes.stdout, &socket.to_string_lossy(), uid) {
            Ok(sessions) => {
                let servers: BTreeSet<i32> = sessions.iter().map(|s| s.server_pid).collect();
                match servers.first() {
                    Some(&server_pid) => Some(Answer::Listed { server_pid, sessions }),
                    None => self.without_sessions(socket, limit),
                }
            }
            Err(reason) => Some(Answer::Unreachable(trouble(socket, &reason))),
        }
    }

    /// A server may live without a session (`exit-empty off`): it still answers to this.
    fn without_sessions(&self, socket: &Path, limit: Duration) -> Option<Answer> {
        let answer = match self.ask(socket, limit, &["display-message", "-p", "#{pid}"]) {
            Ok(answer) => answer,
            Err(error) => return Some(Answer::Unreachable(trouble(socket, &error))),
        };
        Some(match (answer.success, answer.stdout.trim().parse()) {
            (true, Ok(server_pid)) => Answer::Listed { server_pid, sessions: Vec::new() },
            (true, Err(_)) => Answer::Unreachable(trouble(socket, &"no process id from tmux")),
            (false, _) => match parse::tmux::refusal(&answer.stderr) {
                Refusal::NoServer => Answer::NoServer,
                Refusal::HungUp => return None,
                Refusal::Trouble(text) => Answer::Unreachable(trouble(socket, &text)),
            },
        })
    }

    /// Ends a session in one command of the server: it compares the session's identity
    /// and state and ends it without letting anybody in between. A target that is gone
    /// makes the comparison false.
    ///
    /// # Errors
    /// When the server could not be asked.
    pub fn kill_session(&self, session: &Session, limit: Duration) -> io::Result<()> {
        let Session { id, server_pid, .. } = session;
        let created = session.created.as_second();
        let windows = session.windows;
        let panes: String = session.panes.iter().map(|pane| pane.id.as_str()).collect();
        let condition = [
            format!("#{{==:#{{pid}},{server_pid}}}"),
            format!("#{{==:#{{session_id}},{id}}}"),
            format!("#{{==:#{{session_created}},{created}}}"),
            format!("#{{==:#{{session_windows}},{windows}}}"),
            format!("#{{==:#{{W:#{{P:#{{pane_id}}}}}},{panes}}}"),
            "#{==:#{session_attached},0}".to_owned(),
        ]
        .into_iter()
        .reduce(|all, next| format!("#{{&&:{all},{next}}}"))
        .unwrap_or_default();
        let socket = Path::new(&session.socket);
        let target = format!("{id}:");
        let kill = format!("kill-session -t '{id}'");
        let answer =
            self.ask(socket, limit, &["if-shell", "-F", "-t", &target, &condition, &kill])?;
        match parse::tmux::refusal(&answer.stderr) {
            _ if answer.success => Ok(()),
            // The session has gone with its server.
            Refusal::NoServer | Refusal::HungUp => Ok(()),
            Refusal::Trouble(reason) => Err(io::Error::other(reason)),
        }
    }

    /// `-u`: without it, in a C locale, tmux writes `_` for what is not ASCII.
    fn ask(&self, socket: &Path, limit: Duration, arguments: &[&str]) -> io::Result<Printed> {
        let mut command = Command::new(&self.program);
        command.arg("-u").arg("-S").arg(socket).args(arguments).env_remove("TMUX");
        printed(&mut command, limit)
    }
}

fn trouble(socket: &Path, reason: &dyn std::fmt::Display) -> String {
    format!("tmux server on {}: {reason}", socket.display())
}

fn is_executable(program: &Path) -> bool {
    program.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
