//! The line of a process: it, and the parents up to the reaper that only wait for it.

use model::record::{Holder, How};
use model::rules::parents::{Child, Reaper, is_from_session};

use super::survey::Survey;
use crate::process::proc::file;
use crate::process::stat::ProcessStat;

/// The line of one process.
#[derive(Debug)]
pub struct Line {
    /// The process first, each after it the parent of the one before it.
    pub members: Vec<i32>,
    /// What is above the last of them.
    pub end: LineEnd,
}

/// What is above a line.
#[derive(Debug)]
pub enum LineEnd {
    /// Somebody who took the last of it in.
    Reaper,
    /// Somebody who takes in orphans, and may have started the last of it.
    Started(Holder),
    /// Somebody who holds it.
    Held(Holder),
    /// That could not be found out: the parent ended while the table was read.
    Unread,
}

impl Line {
    /// The line of a process that is in the table.
    pub fn of(pid: i32, survey: &Survey<'_>) -> Line {
        let mut members = vec![pid];
        loop {
            let last = members[members.len() - 1];
            let Some(stat) = survey.processes.get(&last) else {
                return Line { members, end: LineEnd::Unread };
            };
            if stat.ppid <= 0 {
                // The parent is outside the namespace, as that of `docker exec` is.
                let holder =
                    Holder::thing(How::Namespace, "its parent is in another pid namespace");
                return Line { members, end: LineEnd::Held(holder) };
            }
            let Some(parent) = survey.processes.get(&stat.ppid) else {
                return Line { members, end: LineEnd::Unread };
            };
            if let Some(reaper) = survey.reaper(stat.ppid) {
                let started = reaper.may_have_started(child(last, stat, parent, reaper, survey));
                let end = match started {
                    true => LineEnd::Started(process(How::InitCommand, stat.ppid, survey)),
                    false => LineEnd::Reaper,
                };
                return Line { members, end };
            }
            // While the table was read, a pid may have been taken anew: no circles.
            if members.contains(&stat.ppid) || !survey.only_waits(stat.ppid) {
                // Pid 1 may be both, the program that started it and who takes in orphans.
                let end = match stat.ppid {
                    1 => LineEnd::Started(process(How::InitCommand, 1, survey)),
                    parent => LineEnd::Held(process(How::Parent, parent, survey)),
                };
                return Line { members, end };
            }
            members.push(stat.ppid);
        }
    }

    /// Whether its parent is or may be gone, so that everything that may hold it is asked.
    pub fn is_candidate(&self) -> bool {
        matches!(self.end, LineEnd::Reaper | LineEnd::Started(_))
    }

    /// The highest of it.
    pub fn top(&self) -> i32 {
        self.members[self.members.len() - 1]
    }
}

/// A holder that is a process.
pub fn process(how: How, pid: i32, survey: &Survey<'_>) -> Holder {
    let name = survey.processes.get(&pid).map(|stat| stat.name.clone());
    Holder { how, pid: Some(pid), name, what: survey.command(pid), of: None }
}

/// Whether the leader of a session or a group is dead. Its pid is nobody else's as long as
/// the session or group is there. 0: it is outside the namespace.
pub fn is_leader_dead(leader: i32, survey: &Survey<'_>) -> bool {
    leader > 0 && !survey.is_alive(leader)
}

fn child(
    pid: i32,
    stat: &ProcessStat,
    parent: &ProcessStat,
    reaper: Reaper,
    survey: &Survey<'_>,
) -> Child {
    let oldest = || {
        let children = survey.children(stat.ppid).iter();
        children.filter_map(|child| Some(survey.processes.get(child)?.start)).min()
    };
    Child {
        // Of those of one tick, which came first is not known.
        is_first_born: reaper == Reaper::Container
            && oldest().is_none_or(|oldest| stat.start <= oldest),
        is_session_leader: stat.sid.is_none_or(|sid| sid == pid),
        is_in_session_of_reaper: stat.sid.is_none() || stat.sid == parent.sid,
        is_leader_dead: stat.sid.is_some_and(|sid| is_leader_dead(sid, survey)),
        is_from_session: matches!(reaper, Reaper::Shell | Reaper::Init)
            && of_session(pid, stat.ppid, reaper),
    }
}

/// What cannot be read says nothing; but that of an init is only what the kernel gave it.
fn of_session(pid: i32, parent: i32, reaper: Reaper) -> bool {
    let environment = |pid| {
        let mut buffer = Vec::new();
        file::read(pid, "environ", &mut buffer).ok().map(<[u8]>::to_vec)
    };
    let of_parent = environment(parent).or((reaper == Reaper::Init).then(Vec::new));
    match (environment(pid), of_parent) {
        (Some(own), Some(of_parent)) => is_from_session(&own, &of_parent),
        _ => false,
    }
}
