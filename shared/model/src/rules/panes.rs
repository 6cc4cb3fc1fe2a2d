//! The panes of tmux: which process is in which session, and where it was started.

use foldhash::{HashMap, HashSet};

use crate::record::{Process, Session, TmuxOrigin};

/// The panes of all sessions that were seen, ready to be asked about processes.
#[derive(Debug)]
pub struct Panes<'s> {
    by_pid: HashMap<i32, Vec<&'s Session>>,
    by_tty: HashMap<&'s str, Vec<&'s Session>>,
    by_id: HashMap<(i32, &'s str), Vec<&'s Session>>,
    servers: HashSet<i32>,
}

impl<'s> Panes<'s> {
    /// Collects the panes. `servers`: the servers that answered.
    pub fn new(
        sessions: impl IntoIterator<Item = &'s Session>,
        servers: HashSet<i32>,
    ) -> Panes<'s> {
        let mut panes = Panes {
            by_pid: HashMap::default(),
            by_tty: HashMap::default(),
            by_id: HashMap::default(),
            servers,
        };
        for session in sessions {
            for pane in &session.panes {
                panes.by_pid.entry(pane.pid).or_default().push(session);
                // tmux calls a pane dead once nobody has its terminal open: its process
                // may live on (`nohup claude -p … >/dev/null`), the terminal may be
                // somebody else's by now.
                if pane.dead {
                    continue;
                }
                panes.by_tty.entry(&pane.tty).or_default().push(session);
                panes.by_id.entry((session.server_pid, &pane.id)).or_default().push(session);
            }
        }
        panes
    }

    /// The sessions a process is in: those with a pane whose process is it or an ancestor
    /// of it, or whose terminal is its own or that of one above it that only waits for it.
    pub fn sessions_of(&self, process: &Process) -> impl Iterator<Item = &'s Session> {
        let by_pid = std::iter::once(&process.pid)
            .chain(&process.ancestors)
            .filter_map(|pid| self.by_pid.get(pid));
        let ttys = process.tty.iter().chain(process.above.iter().flat_map(|above| &above.tty));
        let by_tty = ttys.filter_map(|tty| self.by_tty.get(tty.as_str()));
        by_pid.chain(by_tty).flatten().copied()
    }

    /// The sessions of the living panes that a process was started from, or one above it that
    /// only waits for it, whether it is still in it or not. A window that is linked belongs to
    /// several sessions.
    fn started_in<'p>(
        &'p self,
        process: &'p Process,
    ) -> impl Iterator<Item = (&'p str, &'s Session)> + use<'p, 's> {
        origins(process).flat_map(|origin| {
            let pane = origin.pane.as_deref();
            let sessions = pane.and_then(|pane| self.by_id.get(&(origin.server_pid, pane)));
            sessions.into_iter().flatten().map(move |session| (pane.unwrap_or_default(), *session))
        })
    }

    /// The living pane that a process was started from.
    pub(super) fn origin(&self, process: &Process) -> Option<String> {
        let (pane, session) = self.started_in(process).next()?;
        Some(format!("started from {pane} of {}, detached", session.name))
    }

    /// A sentence, if a process belongs to a living server that was not asked: it may be in
    /// a pane of that server.
    pub(super) fn unasked(&self, process: &Process) -> Option<String> {
        let mut servers = origins(process).map(|origin| origin.server_pid);
        let server_pid = servers.find(|server_pid| !self.servers.contains(server_pid))?;
        Some(format!("it belongs to tmux server {server_pid}, which was not asked"))
    }
}

/// Where a process was started, and those above it that only wait for it.
fn origins(process: &Process) -> impl Iterator<Item = &TmuxOrigin> {
    process.tmux.iter().chain(process.above.iter().flat_map(|above| &above.tmux))
}

/// Processes of leaked servers, each with its start.
pub type LeakedServers<'p> = HashSet<(i32, &'p str)>;

/// The sessions, by server and id, in whose panes a living Claude is or was started: one that
/// has left its pane is held by it.
pub fn with_claude<'s>(
    panes: &Panes<'s>,
    processes: impl IntoIterator<Item = &'s Process>,
) -> HashSet<(i32, &'s str)> {
    processes
        .into_iter()
        .filter(|process| process.is_claude() && !process.is_defunct())
        .flat_map(|process| {
            let started_in = panes.started_in(process).map(|(_, session)| session);
            panes.sessions_of(process).chain(started_in)
        })
        .map(|session| (session.server_pid, session.id.as_str()))
        .collect()
}
