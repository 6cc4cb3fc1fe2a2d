//! What Claude has started and left: the trees of orphans with its environment.
//!
//! Only the environments of orphans are read, and of what is below those that have it: so a
//! machine with thousands of processes costs no more than it has orphans.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

use model::parse::claude_environment::Environment;
use model::rules::parents::Reaper;

use super::sockets::Sockets;
use super::stdio::{Stdio, are_sockets, is_passed_on, stdio};
use super::survey::Survey;
use crate::process::proc::file::path;
use crate::process::stat::ProcessStat;

/// An orphan that Claude started, and what is below it.
#[derive(Debug)]
pub struct Tree {
    /// The orphan.
    pub top: i32,
    /// The processes of the tree but for Claude and tmux servers and what is below those, the
    /// top first, each after its parent.
    pub members: Vec<i32>,
    /// What their environments say, where they could be read.
    pub environments: HashMap<i32, Environment>,
    /// Those that are a server, from the top, with their standard input and output.
    pub chain: Vec<(i32, Stdio)>,
    /// The processes of the tree that are Claude.
    pub claude: Vec<i32>,
    /// The processes of the tree that are tmux servers.
    pub tmux: Vec<i32>,
}

/// Finds the trees of the user `uid`, in the order of their pids. `tmux_server`: the tmux server
/// that a process names in its environment.
pub fn left_behind(
    uid: u32,
    environ: &dyn Fn(i32) -> Option<Rc<[u8]>>,
    tmux_server: &dyn Fn(i32) -> Option<i32>,
    sockets: &mut Sockets,
    survey: &Survey<'_>,
) -> Vec<Tree> {
    let environment = |pid: i32| Some(Environment::of(&environ(pid)?));
    let mut tops: Vec<i32> = survey
        .processes
        .iter()
        .filter(|(pid, stat)| is_orphan(**pid, stat, survey) && is_of(uid, **pid))
        .map(|(pid, _)| *pid)
        .collect();
    tops.sort_unstable();
    let trees = tops.into_iter().filter_map(|top| {
        let its = environment(top).filter(Environment::is_of_claude)?;
        let tmux_server = tmux_server(top).filter(|pid| survey.tmux_servers.contains(pid));
        Some(tree(top, its, tmux_server, &environment, sockets, survey))
    });
    trees.collect()
}

/// Whether a living process that is not Claude has been taken in by who takes in orphans. A
/// process of a pane, which its tmux server started, is none; nor is a child of a Claude that
/// is process 1.
fn is_orphan(pid: i32, stat: &ProcessStat, survey: &Survey<'_>) -> bool {
    if stat.is_dead() || stat.is_kernel || pid == 1 || survey.claude.contains(&pid) {
        return false;
    }
    if survey.claude.contains(&stat.ppid) {
        return false;
    }
    match survey.reaper(stat.ppid) {
        Some(Reaper::Tmux) => stat.sid != Some(pid) || stat.tty.is_none(),
        Some(_) => true,
        None => stat.ppid == 1,
    }
}

/// Whether a process leads a session of its own. Claude starts its servers in its own session, in
/// all versions that were seen: what leads one was set free by something, to go on without it.
fn leads_session(pid: i32, survey: &Survey<'_>) -> bool {
    survey.processes.get(&pid).is_some_and(|stat| stat.sid == Some(pid))
}

/// Whether a process has what Claude has put into its environment from the living tmux server to
/// which it belongs. A Claude that was started in that pane has a session of its own.
fn is_of_tmux_server(
    server: i32,
    its: &Environment,
    environment: &dyn Fn(i32) -> Option<Environment>,
) -> bool {
    environment(server).is_none_or(|of_server| {
        of_server.is_of_claude() && of_server.record.session == its.record.session
    })
}

fn is_of(uid: u32, pid: i32) -> bool {
    fs::metadata(path(pid, "")).is_ok_and(|metadata| metadata.uid() == uid)
}

fn tree(
    top: i32,
    its: Environment,
    tmux_server: Option<i32>,
    environment: &dyn Fn(i32) -> Option<Environment>,
    sockets: &mut Sockets,
    survey: &Survey<'_>,
) -> Tree {
    let mut tree = Tree {
        top,
        members: Vec::new(),
        environments: HashMap::new(),
        chain: Vec::new(),
        claude: Vec::new(),
        tmux: Vec::new(),
    };
    let is_server = its.is_of_server()
        && !leads_session(top, survey)
        && !tmux_server.is_some_and(|server| is_of_tmux_server(server, &its, environment));
    let session = its.record.session.clone();
    tree.environments.insert(top, its);
    let mut todo = vec![top];
    let mut seen: HashSet<i32> = HashSet::new();
    while let Some(pid) = todo.pop() {
        // A pid may have been taken anew while the table was read: no circles.
        if !seen.insert(pid) {
            continue;
        }
        if survey.claude.contains(&pid) {
            tree.claude.push(pid);
            continue;
        }
        let is_tmux = survey.tmux_servers.contains(&pid);
        if is_tmux {
            tree.tmux.push(pid);
        }
        if is_tmux && pid != top {
            continue;
        }
        tree.members.push(pid);
        if pid != top {
            tree.environments.extend(environment(pid).map(|environment| (pid, environment)));
        }
        if !is_tmux {
            todo.extend(survey.children(pid));
        }
    }
    if !is_server || !tree.tmux.is_empty() && tree.tmux.contains(&top) {
        return tree;
    }
    let of_top = stdio(top, sockets);
    if !are_sockets(&of_top) {
        return tree;
    }
    let mut chain: HashMap<i32, Stdio> = HashMap::from([(top, of_top)]);
    tree.chain.push((top, of_top));
    for pid in tree.members.iter().skip(1) {
        let above = survey.processes.get(pid).and_then(|stat| chain.get(&stat.ppid));
        let Some(above) = above else { continue };
        // One that was started by something else of Claude is no part of the server.
        let is_other = tree.environments.get(pid).is_some_and(|its| {
            its.is_of_tool() || its.is_of_claude() && its.record.session != session
        });
        let its = stdio(*pid, sockets);
        if !is_other && !leads_session(*pid, survey) && is_passed_on(*pid, &its, above) {
            chain.insert(*pid, its);
            tree.chain.push((*pid, its));
        }
    }
    tree
}
