//! Looking at all tmux servers of a user, or at those that were named.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use model::claude::{base_name, script};
use model::record::{Namespace, ProcSource, Servers, Session, UnaskedServer, WhyUnasked};
use nix::sys::signal::kill as send;
use nix::unistd::Pid;

use super::client::{Answer, ENDING, Tmux};
use crate::process::process_source::Owner;
use crate::process::process_table::Table;
use crate::user;

/// How long one call of tmux may take.
pub const TMUX_LIMIT: Duration = Duration::from_secs(5);

/// Which servers to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Every server of this user.
    All,
    /// The servers on these sockets; that none answers there is trouble.
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

/// What was seen of tmux.
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
    /// What could not be asked: if there is anything, the scan is not complete.
    pub trouble: Vec<String>,
    /// What a person may want to know.
    pub notes: Vec<String>,
    /// The process table, read after tmux was asked.
    pub table: Table,
}

/// The socket that `tmux -L NAME` means.
pub fn socket_of_label(label: &str) -> PathBuf {
    let folder = env::var_os("TMUX_TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    folder.join(format!("tmux-{}", nix::unistd::getuid())).join(label)
}

/// Scans at tmux servers, giving each call `limit`, and in the process table that `source`
/// shows at what runs in their panes.
///
/// # Errors
/// When the process table cannot be read; everything else is in [`Scan::trouble`].
pub fn scan(choice: &Choice, limit: Duration, source: ProcSource) -> io::Result<Scan> {
    let mut search = Search::new(choice, limit);
    match choice {
        Choice::Named(sockets) | Choice::Known { sockets, .. } => {
            sockets.iter().for_each(|socket| search.ask(socket))
        }
        Choice::All => likely_sockets().iter().for_each(|socket| search.ask(socket)),
    }
    // The table is read after the lists, so that what the panes run is not older.
    let mut table = Table::read(source)?;
    if search.follow_processes(&table) {
        table = Table::read(source)?;
    }
    Ok(search.finish(table))
}

/// Ends a session, if it is still the one that was seen, with the same panes, and nobody is
/// attached. Whether it went shows in the next scan.
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
    /// Servers that answered, with their sockets.
    servers: BTreeMap<i32, (PathBuf, u32)>,
    sessions: Vec<Session>,
    trouble: Vec<String>,
    notes: Vec<String>,
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
            sessions: Vec::new(),
            trouble: Vec::new(),
            notes: Vec::new(),
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
        let uid =
            fs::metadata(socket).map_or_else(|_| nix::unistd::geteuid().as_raw(), |m| m.uid());
        match tmux.list(socket, uid, self.limit) {
            Answer::Listed { server_pid, sessions } => {
                if self.servers.insert(server_pid, (socket.to_owned(), uid)).is_none() {
                    self.sessions.extend(sessions);
                }
            }
            Answer::NoServer if named => {
                self.trouble.push(format!("no tmux server answers on {}", socket.display()));
            }
            // One may come to listen there.
            Answer::NoServer => drop(self.asked.remove(socket)),
            Answer::Unreachable(reason) => {
                self.failed.insert(socket.to_owned());
                self.trouble.push(reason);
            }
        }
    }

    /// Asks the servers that show in the process table but have not answered yet. Returns
    /// whether there were any.
    fn follow_processes(&mut self, table: &Table) -> bool {
        let mut missing: Vec<i32> = table.tmux_servers().into_iter().collect();
        missing.sort_unstable();
        missing.retain(|pid| !self.servers.contains_key(pid) && self.is_wanted(*pid, table));
        if missing.is_empty() {
            return false;
        }
        for pid in missing {
            self.follow(pid, table);
        }
        true
    }

    /// Asks a server on the sockets it listens on. One that starts has none yet, one that
    /// ends has none any more, so it is given some time for either.
    fn follow(&mut self, pid: i32, table: &Table) {
        if self.tmux.is_none() {
            self.trouble.push(format!("tmux server {pid} runs, but {}", not_installed()));
            return;
        }
        let deadline = Instant::now() + ENDING;
        while table.is_still_tmux_server(pid) {
            let sockets = table.source.listening_sockets(pid);
            sockets.iter().for_each(|socket| self.ask(socket));
            let failed = sockets.iter().any(|socket| self.failed.contains(socket));
            if failed || self.servers.contains_key(&pid) {
                return;
            }
            if Instant::now() >= deadline {
                self.trouble.push(unreached(pid, &sockets));
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether a server must be asked: one that was known before, or any of this user in
    /// this pid namespace.
    fn is_wanted(&mut self, pid: i32, table: &Table) -> bool {
        match self.choice {
            Choice::Named(_) => return false,
            Choice::Known { server_pids, .. } => return server_pids.contains(&pid),
            Choice::All => {}
        }
        // One whose owner cannot be told may be ours; one that has ended shows later.
        why_unasked(table.source.owner(pid)).is_none()
    }

    fn finish(mut self, table: Table) -> Scan {
        fill_running(&mut self.sessions, &table);
        Scan {
            sessions: self.sessions,
            uid: user::uid(),
            unasked: unasked(&table),
            servers: self.choice.servers(),
            sockets: self.servers.values().map(|(s, _)| s.to_string_lossy().into_owned()).collect(),
            server_pids: self.servers.keys().copied().collect(),
            trouble: self.trouble,
            notes: self.notes,
            table,
        }
    }
}

/// Why a server with this owner is not asked. One whose owner cannot be told may be ours.
fn why_unasked(owner: Owner) -> Option<WhyUnasked> {
    if owner.uid.is_some_and(|uid| uid != user::uid()) {
        return Some(WhyUnasked::OtherUser);
    }
    (owner.namespace == Some(Namespace::Foreign)).then_some(WhyUnasked::OtherNamespace)
}

fn unasked(table: &Table) -> Vec<UnaskedServer> {
    let mut pids: Vec<i32> = table.tmux_servers().into_iter().collect();
    pids.sort_unstable();
    let unasked = pids.into_iter().filter_map(|pid| {
        let owner = table.source.owner(pid);
        Some(UnaskedServer {
            pid,
            uid: owner.uid,
            groups: table.source.groups(pid),
            why: why_unasked(owner)?,
            mounts: table.source.mounts(pid),
        })
    });
    unasked.collect()
}

fn unreached(pid: i32, sockets: &[PathBuf]) -> String {
    match sockets.iter().find(|socket| !socket.exists()) {
        Some(socket) => format!(
            "tmux server {pid} lives, but its socket {} is gone: `kill -USR1 {pid}` makes it anew",
            socket.display()
        ),
        None => format!("tmux server {pid} lives, but no socket leads to it"),
    }
}

fn not_installed() -> String {
    "the program tmux was not found: put its folder into PATH".to_owned()
}

/// The sockets in the folders where tmux puts them, and the one of the server in which
/// this runs.
fn likely_sockets() -> Vec<PathBuf> {
    let mut bases: BTreeSet<PathBuf> = BTreeSet::from([PathBuf::from("/tmp")]);
    bases.extend(env::var_os("TMUX_TMPDIR").map(PathBuf::from));
    let folders = bases.iter().map(|base| base.join(format!("tmux-{}", user::uid())));
    let sockets = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut sockets: Vec<PathBuf> = sockets
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
        .map(|entry| entry.path())
        .collect();
    sockets.extend(current_socket());
    sockets.sort();
    sockets
}

/// The socket in `TMUX` (`socket,server pid,session number`) while its server lives.
fn current_socket() -> Option<PathBuf> {
    let value = env::var("TMUX").ok()?;
    let (rest, _) = value.rsplit_once(',')?;
    let (socket, server) = rest.rsplit_once(',')?;
    let server = server.parse().ok().filter(|pid| *pid > 1).map(Pid::from_raw)?;
    // That it may not be signalled says that it is there.
    let is_alive = !matches!(send(server, None), Err(nix::errno::Errno::ESRCH));
    is_alive.then(|| PathBuf::from(socket))
}

/// Puts into each pane the names of what runs under it: its process, all that descends
/// from that, and all on its terminal. tmux calls a pane dead when nobody has its terminal
/// open any more: its process may live on, the terminal may be somebody else's by now.
fn fill_running(sessions: &mut [Session], table: &Table) {
    let children = table.children();
    let mut by_tty: HashMap<&str, Vec<i32>> = HashMap::new();
    for (pid, stat) in table.iter() {
        if let Some(tty) = &stat.tty {
            by_tty.entry(tty).or_default().push(pid);
        }
    }
    for pane in sessions.iter_mut().flat_map(|session| &mut session.panes) {
        let on_tty = by_tty.get(pane.tty.as_str()).filter(|_| !pane.dead);
        let mut todo: Vec<i32> = on_tty.into_iter().flatten().copied().collect();
        todo.push(pane.pid);
        let mut seen: HashSet<i32> = HashSet::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        while let Some(pid) = todo.pop() {
            if seen.insert(pid)
                && let Some(stat) = table.get(pid)
            {
                todo.extend(children.get(&pid).into_iter().flatten());
                if !stat.is_dead() {
                    names.extend(names_of(pid, &stat.name, table));
                }
            }
        }
        pane.running = names.into_iter().collect();
    }
}

/// Every name that a process goes by: the kernel's, that of its executable, or where that
/// does not show, of its first argument, and that of the script it runs, so that a shell at
/// work is told from a shell that waits.
fn names_of(pid: i32, name: &str, table: &Table) -> impl Iterator<Item = String> {
    let exe = table.source.exe(pid);
    let exe = exe.as_deref().map(|exe| base_name(exe.strip_suffix(" (deleted)").unwrap_or(exe)));
    let shows_exe = table.source.kind() == ProcSource::Proc;
    let may_be_shell = exe.unwrap_or(name).ends_with("sh");
    let args = match shows_exe && !may_be_shell {
        true => Vec::new(),
        false => table.source.args(pid),
    };
    let exe = match exe {
        Some(exe) => Some(exe.to_owned()),
        None if shows_exe => None,
        // A login shell's begins with `-`.
        None => args.first().map(|first| {
            let first = String::from_utf8_lossy(first);
            base_name(first.strip_prefix('-').unwrap_or(&first)).to_owned()
        }),
    };
    let is_shell = exe.as_deref().unwrap_or(name).ends_with("sh");
    let words: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
    let script = is_shell.then(|| script(&words)).flatten();
    let script = script.map(|script| base_name(&script).to_owned());
    [Some(name.to_owned()), exe, script].into_iter().flatten()
}
