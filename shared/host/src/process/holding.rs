//! Completing what is known of processes by what holds them.

use std::collections::HashSet;

#[cfg(all(feature = "proc", target_os = "linux"))]
use model::record::Holding;
#[cfg(all(feature = "proc", target_os = "linux"))]
use model::record::Namespace;
use model::record::{Holder, How, ProcSource, Process};

#[cfg(all(feature = "proc", target_os = "linux"))]
pub use super::holders::Tree;
use super::process_table::Table;

/// What Claude has left, which nothing but `/proc` shows.
#[cfg(not(all(feature = "proc", target_os = "linux")))]
#[derive(Debug)]
pub struct Tree {
    /// Its processes.
    pub members: Vec<i32>,
    /// Those that are a server.
    pub chain: Vec<(i32, ())>,
}

/// Programs that take in orphans, besides process 1 and tmux servers, and are not the init of a
/// container. ps cannot show whether a process that another such program has is one that it
/// started.
const REAPERS_BY_PS: [&str; 2] = ["systemd", "launchd"];

/// Says of each of these processes whether it is an orphan, and what holds it. `claude`: the
/// processes that are Claude; `left`: the trees of what Claude has left.
pub fn hold(table: &Table, claude: &HashSet<i32>, left: &[Tree], processes: &mut [Process]) {
    match table.source.kind() {
        ProcSource::Ps => processes.iter_mut().for_each(|process| by_ps(table, process)),
        ProcSource::Proc => by_proc(table, claude, left, processes),
    }
}

/// ps shows parents, terminals and services. What it does not show is no way unread: by ps,
/// Claude's own words take its place.
fn by_ps(table: &Table, process: &mut Process) {
    process.orphaned = is_orphan_by_ps(table, process).unwrap_or(false);
    if !process.orphaned {
        process.holders.push(Holder {
            how: How::Parent,
            pid: Some(process.ppid),
            name: process.parent_name.clone(),
            what: None,
            of: None,
        });
    }
    let things = [(How::Terminal, &process.tty), (How::Service, &process.service)];
    let things = things.into_iter().filter_map(|(how, what)| Some((how, what.clone()?)));
    process.holders.extend(things.map(|(how, what)| Holder::thing(how, what)));
}

/// A process in the session of the program that has it was started by that, as the command of a
/// container is. None where the session is not known: it may have been.
fn is_orphan_by_ps(table: &Table, process: &Process) -> Option<bool> {
    let parent = table.get(process.ppid)?;
    let is_reaped = process.ppid == 1
        || REAPERS_BY_PS.contains(&parent.name.as_str())
        || table.tmux_servers().contains(&process.ppid);
    Some(is_reaped && process.sid? != parent.sid?)
}

#[cfg(all(feature = "proc", target_os = "linux"))]
fn by_proc(table: &Table, claude: &HashSet<i32>, left: &[Tree], processes: &mut [Process]) {
    use super::holders::{
        Asked, AskedTree, Directories, OfClaude, SessionFiles, holdings, is_orphan, of_claude,
    };

    let survey = survey(table, claude);
    // Those of other users are not judged.
    let own_uid = nix::unistd::geteuid().as_raw();
    let is_left: HashSet<i32> = left.iter().flat_map(|tree| tree.members.iter().copied()).collect();
    let (of_left, processes): (Vec<&mut Process>, Vec<&mut Process>) =
        processes.iter_mut().partition(|process| is_left.contains(&process.pid));
    let (mut own, others): (Vec<&mut Process>, Vec<&mut Process>) =
        processes.into_iter().partition(|process| process.uid == own_uid);
    for process in others {
        process.orphaned = is_orphan(process.pid, &survey);
    }
    let of: Vec<OfClaude> = own
        .iter()
        .map(|process| match table.get(process.pid) {
            Some(stat) => {
                let environ = table.source.environ(process.pid);
                of_claude(process.pid, stat, process.uid, environ.as_deref())
            }
            None => OfClaude::default(),
        })
        .collect();
    let asked: Vec<Asked<'_>> = own
        .iter()
        .zip(&of)
        .map(|(process, of_claude)| Asked {
            pid: process.pid,
            uid: process.uid,
            of_claude,
            tmux_server: tmux_server(process),
        })
        .collect();
    let directories: Vec<Directories> = left
        .iter()
        .map(|tree| {
            let environ = table.source.environ(tree.top);
            environ.map(|environ| Directories::of(&environ, own_uid)).unwrap_or_default()
        })
        .collect();
    let trees: Vec<AskedTree<'_>> = left
        .iter()
        .zip(&directories)
        .map(|(tree, directories)| {
            let top = of_left.iter().find(|process| process.pid == tree.top);
            AskedTree { tree, directories, tmux_server: top.and_then(|top| tmux_server(top)) }
        })
        .collect();
    let (found, mut found_left) = holdings(&asked, &trees, &survey);
    for ((process, found), of_claude) in own.iter_mut().zip(found).zip(of) {
        put(table, process, found);
        if !process.examined {
            in_namespace(process);
        }
        (process.cwd, process.claude) = (of_claude.cwd, of_claude.environment);
        process.session_file = of_claude.session_file;
    }
    let mut files = SessionFiles::new(own_uid, table.processes());
    for process in of_left {
        let Some((found, server)) = found_left.remove(&process.pid) else { continue };
        put(table, process, found);
        process.server = server;
        process.cwd = super::proc::file::link(process.pid, "cwd").ok();
        let at = left.iter().position(|tree| tree.members.contains(&process.pid));
        let Some((tree, directories)) = at.map(|at| (&left[at], &directories[at])) else {
            continue;
        };
        process.claude =
            tree.environments.get(&process.pid).map(|environment| environment.record.clone());
        let session = process.claude.as_ref().and_then(|claude| claude.session.as_deref());
        process.session_file = session.and_then(|session| files.of(session, directories));
    }
}

/// The trees of what Claude has left. By ps, there are none: it shows no environment.
#[cfg(all(feature = "proc", target_os = "linux"))]
pub fn left_behind(table: &Table, claude: &HashSet<i32>) -> Vec<Tree> {
    match table.source.kind() {
        ProcSource::Ps => Vec::new(),
        ProcSource::Proc => super::holders::left_behind(
            nix::unistd::geteuid().as_raw(),
            &|pid| table.source.environ(pid),
            &|pid| Some(table.source.origin(pid)?.0),
            &mut super::holders::Sockets::default(),
            &survey(table, claude),
        ),
    }
}

#[cfg(all(feature = "proc", target_os = "linux"))]
fn survey<'t>(table: &'t Table, claude: &HashSet<i32>) -> super::holders::Survey<'t> {
    let tmux_servers = table.tmux_servers().iter().copied().collect();
    let own_pid = super::stat::own_pid();
    super::holders::Survey::new(table.processes(), claude.clone(), tmux_servers, own_pid)
}

#[cfg(all(feature = "proc", target_os = "linux"))]
fn tmux_server(process: &Process) -> Option<i32> {
    process.tmux.as_ref().map(|tmux| tmux.server_pid)
}

#[cfg(all(feature = "proc", target_os = "linux"))]
fn put(table: &Table, process: &mut Process, found: Holding) {
    let above = |pid| {
        let tty = table.get(pid).and_then(|stat| stat.tty.clone());
        model::record::Above { pid, tty, tmux: None }
    };
    process.above = found.above.into_iter().map(above).collect();
    (process.orphaned, process.examined) = (found.orphaned, found.examined);
    (process.holders, process.unread) = (found.holders, found.unread);
}

/// The namespace holds also a process of which nothing else was asked: no option lifts that.
#[cfg(all(feature = "proc", target_os = "linux"))]
fn in_namespace(process: &mut Process) {
    match process.namespace {
        Some(Namespace::Own) => {}
        Some(Namespace::Foreign) => {
            process.holders.push(Holder { what: None, ..Holder::thing(How::Namespace, "") });
        }
        None => process.unread.push(How::Namespace),
    }
}

#[cfg(not(all(feature = "proc", target_os = "linux")))]
fn by_proc(_: &Table, _: &HashSet<i32>, _: &[Tree], _: &mut [Process]) {}

/// None: ps shows no environment.
#[cfg(not(all(feature = "proc", target_os = "linux")))]
pub fn left_behind(_: &Table, _: &HashSet<i32>) -> Vec<Tree> {
    Vec::new()
}
