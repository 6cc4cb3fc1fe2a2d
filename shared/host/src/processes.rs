//! Looking for Claude in the process table, and for what holds each one.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use model::claude::{Appearance, NameRule, is_daemon};
use model::proc_text::{self, Stat};
use model::record::{Namespace, Process, Stdout, TmuxOrigin};
use model::tmux_text::cut;
use nix::unistd::{Uid, User};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::table::{Table, path};

/// How many bytes of arguments a record holds unless asked in full.
const ARGS_LEN: usize = 256;

/// Processes that take in others whose parent is gone, besides pid 1. The kernel shows
/// nowhere that a process asked for this (`PR_SET_CHILD_SUBREAPER`), so they are known
/// by name: service managers, and the init programs of containers.
const REAPERS: [&str; 12] = [
    "systemd",
    "init",
    "tini",
    "dumb-init",
    "docker-init",
    "catatonit",
    "s6-svscan",
    "runsvdir",
    "conmon",
    "containerd-shim",
    "launchd",
    "openrc-init",
];

/// Lists the processes of `table` that are Claude by `rule`, in the order of their pids.
/// `full`: with all arguments. Fields `look` are left empty.
pub fn claude(table: &Table, rule: &NameRule, full: bool) -> Vec<Process> {
    let surroundings =
        Surroundings { table, own_line: table.own_line(), tmux_servers: table.tmux_servers() };
    let mut found: Vec<(i32, &Stat, Vec<u8>, Option<String>)> = table
        .iter()
        .filter(|(_, stat)| !stat.kernel_thread)
        .filter_map(|(pid, stat)| {
            let exe =
                fs::read_link(path(pid, "exe")).ok().map(|exe| exe.to_string_lossy().into_owned());
            let cmdline = fs::read(path(pid, "cmdline")).unwrap_or_default();
            let args = proc_text::cmdline(&cmdline);
            rule.matches(Appearance { exe: exe.as_deref(), comm: &stat.comm, args: &args })
                .then_some((pid, stat, cmdline, exe))
        })
        .collect();
    found.sort_by_key(|(pid, ..)| *pid);
    let mut parents: HashMap<i32, u32> = HashMap::new();
    for (_, stat, ..) in found.iter().filter(|(_, stat, ..)| !stat.is_dead()) {
        *parents.entry(stat.ppid).or_default() += 1;
    }
    let mut outputs = Vec::new();
    let mut users = HashMap::new();
    let mut processes: Vec<Process> = found
        .into_iter()
        .filter_map(|(pid, stat, cmdline, exe)| {
            let args = proc_text::cmdline(&cmdline);
            let appearance = Appearance { exe: exe.as_deref(), comm: &stat.comm, args: &args };
            let mut process = surroundings.describe(pid, stat, appearance, full)?;
            let user = || User::from_uid(Uid::from_raw(process.uid)).ok().flatten().map(|u| u.name);
            process.user = users.entry(process.uid).or_insert_with(user).clone();
            process.exe = exe;
            process.claude_children = parents.get(&pid).copied().unwrap_or(0);
            outputs.push(output(pid));
            Some(process)
        })
        .collect();
    settle_outputs(table, &mut processes, outputs);
    processes
}

struct Surroundings<'t> {
    table: &'t Table,
    own_line: HashSet<i32>,
    tmux_servers: HashSet<i32>,
}

impl Surroundings<'_> {
    /// All that can be said of a process by itself. None when it has ended.
    fn describe(
        &self,
        pid: i32,
        stat: &Stat,
        appearance: Appearance<'_>,
        full: bool,
    ) -> Option<Process> {
        let status = fs::read(path(pid, "status")).ok()?;
        let (uid, depth) = proc_text::status(&String::from_utf8_lossy(&status));
        let parent = self.table.get(stat.ppid);
        let tmux = self.origin(pid);
        Some(Process {
            look: String::new(),
            pid,
            ppid: stat.ppid,
            parent_name: parent.map(|parent| parent.comm.clone()),
            ancestors: self.table.ancestors(pid),
            pgid: stat.pgid,
            sid: stat.sid,
            uid: uid?,
            user: None,
            tty: proc_text::tty_name(stat.tty_nr),
            name: stat.comm.clone(),
            exe: None,
            args: shown(appearance.args, full),
            start_time: stat.start_ticks.to_string(),
            started: self.table.started(stat),
            rss_bytes: self.table.rss_bytes(stat),
            cpu_seconds: self.table.cpu_seconds(stat),
            state: stat.state.to_string(),
            orphaned: parent.is_some_and(|parent| self.is_orphan(stat, parent)),
            is_self: self.own_line.contains(&pid),
            daemon: is_daemon(appearance),
            claude_children: 0,
            service: self.service(pid, tmux.as_ref()),
            tmux,
            namespace: depth
                .map(|depth| if depth == 1 { Namespace::Own } else { Namespace::Foreign }),
            stdout: None,
            stdout_reader: None,
        })
    }

    /// `TMUX` is `socket,server pid,session number`; `TMUX_PANE` is `%3`. A server that has
    /// ended means nothing any more.
    fn origin(&self, pid: i32) -> Option<TmuxOrigin> {
        let environ = fs::read(path(pid, "environ")).unwrap_or_default();
        let text = |name| proc_text::environ(&environ, name).map(String::from_utf8_lossy);
        let named = text("TMUX").and_then(|tmux| tmux.rsplit(',').nth(1)?.parse().ok());
        match named.filter(|server| self.tmux_servers.contains(server)) {
            Some(server_pid) => {
                let pane = text("TMUX_PANE").map(|pane| pane.into_owned());
                Some(TmuxOrigin { server_pid, pane })
            }
            None => {
                let mut ancestors = self.table.ancestors(pid).into_iter();
                let server_pid = ancestors.find(|pid| self.tmux_servers.contains(pid))?;
                Some(TmuxOrigin { server_pid, pane: None })
            }
        }
    }

    /// Taken in by a reaper or a tmux server. A process in the reaper's own session was
    /// started by it, as the command of a container is.
    fn is_orphan(&self, stat: &Stat, parent: &Stat) -> bool {
        let reaped = stat.ppid == 1
            || REAPERS.contains(&parent.comm.as_str())
            || self.tmux_servers.contains(&stat.ppid);
        reaped && stat.sid != parent.sid
    }

    /// The service unit that holds a process. The unit in which its tmux server runs
    /// holds the server, not what was started in it.
    fn service(&self, pid: i32, tmux: Option<&TmuxOrigin>) -> Option<String> {
        let own = unit(pid)?;
        let of_server = tmux.and_then(|tmux| unit(tmux.server_pid));
        (of_server.as_ref() != Some(&own)).then_some(own)
    }
}

fn unit(pid: i32) -> Option<String> {
    let text = fs::read_to_string(path(pid, "cgroup")).ok()?;
    proc_text::service_unit(proc_text::cgroup_path(&text)?).map(str::to_owned)
}

fn shown(args: &[&[u8]], full: bool) -> Vec<String> {
    let mut left = if full { usize::MAX } else { ARGS_LEN };
    let mut shown = Vec::new();
    for arg in args {
        if left == 0 {
            break;
        }
        let text = String::from_utf8_lossy(arg);
        let text = cut(&text, left);
        left = left.saturating_sub(text.len().max(1));
        shown.push(text.to_owned());
    }
    shown
}

/// Standard output as far as the process alone shows it.
enum Output {
    Known(Option<Stdout>),
    /// A pipe with this link that somebody reads.
    Pipe(String),
}

fn output(pid: i32) -> Output {
    let fd = path(pid, "fd/1");
    let link = match fs::read_link(&fd) {
        Ok(link) => link.to_string_lossy().into_owned(),
        // The folder could be read, there is no such descriptor: it is closed.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && fs::read_dir(path(pid, "fd")).is_ok() =>
        {
            return Output::Known(Some(Stdout::Other));
        }
        Err(_) => return Output::Known(None),
    };
    let gone = link.ends_with(" (deleted)");
    if link == "/dev/null" {
        return Output::Known(Some(Stdout::Null));
    }
    if link.starts_with("/dev/pts/") || link.starts_with("/dev/tty") || link == "/dev/console" {
        return Output::Known(Some(if gone { Stdout::Other } else { Stdout::Tty }));
    }
    let Ok(metadata) = fs::metadata(&fd) else { return Output::Known(None) };
    let kind = metadata.file_type();
    if kind.is_fifo() {
        return match is_read(&fd) {
            Some(false) => Output::Known(Some(Stdout::Pipe)),
            _ => Output::Pipe(link),
        };
    }
    Output::Known(Some(if kind.is_file() {
        Stdout::File
    } else if kind.is_socket() {
        Stdout::Socket
    } else {
        Stdout::Other
    }))
}

/// Whether anybody has the other end of a pipe open. Opened for writing, a pipe without
/// readers polls as an error; a FIFO without readers cannot be opened (pipe(7), fifo(7)).
fn is_read(fd: &std::path::Path) -> Option<bool> {
    let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let pipe = match OpenOptions::new().write(true).custom_flags(nonblocking).open(fd) {
        Ok(pipe) => pipe,
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENXIO as i32) => {
            return Some(false);
        }
        Err(_) => return None,
    };
    let no_time = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::from_borrowed_fd(File::as_fd(&pipe), PollFlags::OUT)];
    poll(&mut fds, Some(&no_time)).ok()?;
    Some(!fds[0].revents().contains(PollFlags::ERR))
}

/// Finds who reads the pipes that are read. All processes are searched once, and only
/// if there is such a pipe.
fn settle_outputs(table: &Table, processes: &mut [Process], outputs: Vec<Output>) {
    let wanted: HashSet<&str> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Pipe(link) => Some(link.as_str()),
            Output::Known(_) => None,
        })
        .collect();
    let readers = if wanted.is_empty() { HashMap::new() } else { readers(table, &wanted) };
    for (process, output) in processes.iter_mut().zip(&outputs) {
        match output {
            Output::Known(stdout) => process.stdout = *stdout,
            Output::Pipe(link) => {
                let others = readers.get(link.as_str()).into_iter().flatten();
                process.stdout_reader = others.copied().filter(|pid| *pid != process.pid).min();
                process.stdout = process.stdout_reader.map(|_| Stdout::Pipe);
            }
        }
    }
}

/// Who has which of these pipes open for reading, as far as this user may see: the
/// permission bits of a link in `/proc/PID/fd` tell how the file was opened.
fn readers<'w>(table: &Table, wanted: &HashSet<&'w str>) -> HashMap<&'w str, Vec<i32>> {
    const OPEN_FOR_READING: u32 = 0o400;
    let mut readers: HashMap<&str, Vec<i32>> = HashMap::new();
    for (pid, _) in table.iter() {
        for entry in fs::read_dir(path(pid, "fd")).into_iter().flatten().flatten() {
            let Ok(link) = fs::read_link(entry.path()) else { continue };
            let Some(link) = link.to_str().and_then(|link| wanted.get(link)) else { continue };
            if entry.metadata().is_ok_and(|link| link.mode() & OPEN_FOR_READING != 0) {
                readers.entry(link).or_default().push(pid);
            }
        }
    }
    readers
}
