//! Finding Claude in the process table, what Claude has left, and what holds each process.

use std::collections::{HashMap, HashSet};
use std::io;

use model::claude::{Appearance, NameRule, is_daemon};
use model::parse::tmux::cut;
use model::record::{Process, Role, TmuxOrigin};
use nix::unistd::{Uid, User};

use super::holding::{Tree, hold, left_behind};
use super::process_table::Table;
use super::stat::ProcessStat;
use crate::platform::Services;

/// How many bytes of arguments a record holds unless asked in full.
const ARGS_LEN: usize = 256;

/// A process, and what shows whether it is Claude.
struct Found<'t> {
    pid: i32,
    stat: &'t ProcessStat,
    args: Vec<Vec<u8>>,
    exe: Option<String>,
}

/// Lists the processes of `table` that have one of these roles, in the order of their pids.
/// `rule`: which are Claude; `full`: with all arguments. Fields `scan` are left empty.
///
/// # Errors
/// When the service manager cannot be asked which processes are its own.
pub fn list(
    table: &Table,
    rule: &NameRule,
    roles: &[Role],
    full: bool,
) -> io::Result<Vec<Process>> {
    let found = table.iter().filter(|(_, stat)| !stat.is_kernel).map(Found::new(table));
    let mut found: Vec<Found<'_>> =
        found.filter(|found| found.appears(|appearance| rule.matches(appearance))).collect();
    let mut parents: HashMap<i32, u32> = HashMap::new();
    for found in found.iter().filter(|found| !found.stat.is_dead()) {
        *parents.entry(found.stat.ppid).or_default() += 1;
    }
    let claude: HashSet<i32> = found.iter().map(|found| found.pid).collect();
    let left = match roles.iter().any(|role| *role != Role::Claude) {
        true => left_behind(table, &claude),
        false => Vec::new(),
    };
    let members = left.iter().flat_map(|tree| &tree.members);
    let members = members.filter_map(|pid| Some((*pid, table.get(*pid)?)));
    found.extend(members.map(Found::new(table)));
    let mut processes = describe(table, found, &claude, &left, full)?;
    for process in &mut processes {
        process.claude_children = parents.get(&process.pid).copied().unwrap_or(0);
    }
    processes.retain(|process| roles.contains(&process.role));
    Ok(processes)
}

/// Describes the processes that have these pids in the table, Claude or not, in the same
/// way; but it does not say which of them and of their children are Claude.
///
/// # Errors
/// Those of [`list`].
pub fn of(table: &Table, pids: &[i32]) -> io::Result<Vec<Process>> {
    let processes = pids.iter().filter_map(|pid| Some((*pid, table.get(*pid)?)));
    describe(table, processes.map(Found::new(table)).collect(), &HashSet::new(), &[], false)
}

fn describe(
    table: &Table,
    mut found: Vec<Found<'_>>,
    claude: &HashSet<i32>,
    left: &[Tree],
    full: bool,
) -> io::Result<Vec<Process>> {
    let servers: HashSet<i32> =
        left.iter().flat_map(|tree| tree.chain.iter().map(|(pid, _)| *pid)).collect();
    let role = |pid: i32| match claude.contains(&pid) {
        true => Role::Claude,
        false if servers.contains(&pid) => Role::Server,
        false => Role::Child,
    };
    let services = Services::ask()?;
    let pids: Vec<i32> = found.iter().map(|found| found.pid).collect();
    let tmux_servers = table.tmux_servers_of(&pids).into_iter();
    let tmux_servers = tmux_servers.map(|pid| (pid, services.of(pid)));
    let context = ProcessContext {
        table,
        own_line: table.own_line(),
        tmux_servers: tmux_servers.collect(),
        services,
    };
    found.sort_by_key(|found| found.pid);
    let mut users = HashMap::new();
    let mut processes: Vec<Process> = found
        .into_iter()
        .filter_map(|found| {
            let mut process = context.describe(&found, role(found.pid), full)?;
            let user = || User::from_uid(Uid::from_raw(process.uid)).ok().flatten().map(|u| u.name);
            process.user = users.entry(process.uid).or_insert_with(user).clone();
            process.exe = found.exe;
            Some(process)
        })
        .collect();
    hold(table, claude, left, &mut processes);
    for above in processes.iter_mut().flat_map(|process| &mut process.above) {
        above.tmux = context.origin(above.pid);
    }
    Ok(processes)
}

impl<'t> Found<'t> {
    fn new(table: &'t Table) -> impl Fn((i32, &'t ProcessStat)) -> Found<'t> {
        |(pid, stat)| Found { pid, stat, args: table.source.args(pid), exe: table.source.exe(pid) }
    }

    fn appears<T>(&self, judge: impl FnOnce(Appearance<'_>) -> T) -> T {
        let args: Vec<&[u8]> = self.args.iter().map(Vec::as_slice).collect();
        judge(Appearance { exe: self.exe.as_deref(), comm: &self.stat.name, args: &args })
    }
}

struct ProcessContext<'t> {
    table: &'t Table,
    own_line: HashSet<i32>,
    /// The living servers, each with the service that holds it.
    tmux_servers: HashMap<i32, Option<String>>,
    services: Services,
}

impl ProcessContext<'_> {
    /// All that can be said of a process by itself. None when it has ended.
    fn describe(&self, found: &Found<'_>, role: Role, full: bool) -> Option<Process> {
        let &Found { pid, stat, .. } = found;
        let source = &self.table.source;
        let parent = self.table.get(stat.ppid);
        let owner = source.owner(pid);
        let tmux = self.origin(pid);
        Some(Process {
            scan: String::new(),
            role,
            source: source.kind(),
            pid,
            ppid: stat.ppid,
            parent_name: parent.map(|parent| parent.name.clone()),
            ancestors: self.table.ancestors(pid),
            pgid: stat.pgid,
            sid: stat.sid,
            uid: owner.uid?,
            user: None,
            tty: stat.tty.clone(),
            name: stat.name.clone(),
            exe: None,
            args: shown(&found.args, full),
            start_time: stat.start.to_string(),
            started: stat.started,
            rss_bytes: stat.rss_bytes,
            cpu_seconds: stat.cpu_seconds,
            state: stat.state.to_string(),
            orphaned: false,
            is_self: self.own_line.contains(&pid),
            daemon: found.appears(is_daemon),
            claude_children: 0,
            service: self.service(pid, tmux.as_ref()),
            tmux,
            namespace: owner.namespace,
            stdout: source.output(pid),
            holders: Vec::new(),
            unread: Vec::new(),
            examined: false,
            above: Vec::new(),
            cwd: None,
            claude: None,
            session_file: None,
            server: None,
        })
    }

    /// The server that its environment names, else the one among its ancestors. A server that
    /// has ended does not count.
    fn origin(&self, pid: i32) -> Option<TmuxOrigin> {
        let named = self.table.source.origin(pid);
        if let Some((server_pid, pane)) =
            named.filter(|(pid, _)| self.tmux_servers.contains_key(pid))
        {
            return Some(TmuxOrigin { server_pid, pane });
        }
        let mut ancestors = self.table.ancestors(pid).into_iter();
        let server_pid = ancestors.find(|pid| self.tmux_servers.contains_key(pid))?;
        Some(TmuxOrigin { server_pid, pane: None })
    }

    /// The service unit that holds a process. The unit in which its tmux server runs
    /// holds the server, not what was started in it.
    fn service(&self, pid: i32, tmux: Option<&TmuxOrigin>) -> Option<String> {
        let own = self.services.of(pid)?;
        let of_server = tmux.and_then(|tmux| self.tmux_servers.get(&tmux.server_pid)?.as_ref());
        (of_server != Some(&own)).then_some(own)
    }
}

fn shown(args: &[Vec<u8>], full: bool) -> Vec<String> {
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
