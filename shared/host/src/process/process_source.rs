//! Where the process table is read: `/proc`, or the program `ps`.
//!
//! What every system shows is a [`ProcessStat`]. What only `/proc` shows is asked of the
//! [`Source`]; what a source cannot show is unknown, never "none".

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use model::record::{Mounts, Namespace, ProcSource, Stdout};

use super::stat::ProcessStat;

/// Whose a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The effective uid. None when the process has ended.
    pub uid: Option<u32>,
    /// The pid namespace.
    pub namespace: Option<Namespace>,
}

/// One reading of the process table, to be asked for more about the processes in it.
pub trait Source: fmt::Debug {
    /// Which source it is.
    fn kind(&self) -> ProcSource;

    /// Whether a living process shows by itself that it is a tmux server.
    fn is_tmux_server(&self, pid: i32, stat: &ProcessStat) -> bool;

    /// The servers that `TMUX` in the environment of these processes names, as far as they
    /// are this user's processes, and the servers listen on the socket that it names.
    fn named_tmux_servers(&self, _pids: &[i32]) -> HashSet<i32> {
        HashSet::new()
    }

    /// A process as it is now; `None` when it no longer exists.
    ///
    /// # Errors
    /// When the source cannot be asked.
    fn now(&self, pid: i32) -> io::Result<Option<ProcessStat>>;

    /// Its user and its pid namespace.
    fn owner(&self, pid: i32) -> Owner;

    /// The arguments, the name first.
    fn args(&self, pid: i32) -> Vec<Vec<u8>>;

    /// The path of the executable.
    fn exe(&self, _pid: i32) -> Option<String> {
        None
    }

    /// The environment that it was started with, entries with a NUL between; read once.
    fn environ(&self, _pid: i32) -> Option<Rc<[u8]>> {
        None
    }

    /// The tmux server and the pane that the environment names.
    fn origin(&self, _pid: i32) -> Option<(i32, Option<String>)> {
        None
    }

    /// Where its standard output leads.
    fn output(&self, _pid: i32) -> Option<Stdout> {
        None
    }

    /// Its effective and supplementary groups.
    fn groups(&self, _pid: i32) -> Option<Vec<u32>> {
        None
    }

    /// What it has mounted.
    fn mounts(&self, _pid: i32) -> Option<Mounts> {
        None
    }

    /// Whether a shell, as it was seen, waits for a command at a prompt on this terminal.
    /// `None` where that cannot be found out.
    fn is_at_prompt(&self, _pid: i32, _seen: &ProcessStat, _tty: &str) -> Option<bool> {
        None
    }

    /// The sockets on which a process listens, as far as they have a path.
    fn listening_sockets(&self, _pid: i32) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// The default source.
pub const USUAL: ProcSource = if cfg!(all(feature = "proc", target_os = "linux")) {
    ProcSource::Proc
} else {
    ProcSource::Ps
};

/// The error for `--proc-source proc` in a build without `/proc`.
#[cfg(not(all(feature = "proc", target_os = "linux")))]
pub(crate) fn no_proc() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this build cannot read /proc; use --proc-source ps")
}
