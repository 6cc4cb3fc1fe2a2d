//! Completing what is known of processes by what holds them.

use std::collections::HashSet;

#[cfg(all(feature = "proc", target_os = "linux"))]
use model::record::Namespace;
use model::record::{Holder, How, ProcSource, Process};

use super::process_table::Table;

/// Programs that take in orphans, besides process 1 and tmux servers, and are not the init of a
/// container. ps cannot show whether a process that another such program has is one that it
/// started.
const REAPERS_BY_PS: [&str; 2] = ["systemd", "launchd"];

/// Says of each of these processes whether it is an orphan, and what holds it. `claude`: the
/// processes that are Claude.
pub fn hold(table: &Table, claude: &HashSet<i32>, processes: &mut [Process]) {
    match table.source.kind() {
        ProcSource::Ps => processes.iter_mut().for_each(|process| by_ps(table, process)),
        ProcSource::Proc => by_proc(table, claude, processes),
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
fn by_proc(table: &Table, claude: &HashSet<i32>, processes: &mut [Process]) {
    use super::holders::{Asked, OfClaude, Survey, holdings, is_orphan, of_claude};
    use super::stat::own_pid;

    let tmux_servers = table.tmux_servers().iter().copied().collect();
    let survey = Survey::new(table.processes(), claude.clone(), tmux_servers, own_pid());
    // Those of other users are not judged.
    let own_uid = nix::unistd::geteuid().as_raw();
    let (mut own, others): (Vec<&mut Process>, Vec<&mut Process>) =
        processes.iter_mut().partition(|process| process.uid == own_uid);
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
            is_background: process.daemon,
            of_claude,
            tmux_server: process.tmux.as_ref().map(|tmux| tmux.server_pid),
        })
        .collect();
    let found = holdings(&asked, &survey);
    for ((process, found), of_claude) in own.iter_mut().zip(found).zip(of) {
        (process.orphaned, process.examined) = (found.orphaned, found.examined);
        (process.holders, process.unread) = (found.holders, found.unread);
        if !process.examined {
            in_namespace(process);
        }
        (process.cwd, process.claude) = (of_claude.cwd, of_claude.environment);
        process.session_file = of_claude.session_file;
    }
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
fn by_proc(_: &Table, _: &HashSet<i32>, _: &mut [Process]) {}
