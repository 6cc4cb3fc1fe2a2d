//! What is left of pipelines whose shell is dead, such as `claude … | tee log`.
//!
//! They run in a session and a process group whose leaders are both dead: a shell without job
//! control started them. A pipeline that a person put into the background is a group of its
//! own, led by one of its processes.

use std::collections::{HashMap, HashSet};

use super::line::is_leader_dead;
use super::survey::Survey;

/// The pipelines of some processes.
#[derive(Debug, Default)]
pub struct DeadPipelines {
    /// The session and the group of each process.
    group_of: HashMap<i32, (i32, i32)>,
    /// Their living members.
    members: HashMap<(i32, i32), Vec<i32>>,
}

/// Those of these processes that are in one with others.
pub fn dead_pipelines(pids: impl Iterator<Item = i32>, survey: &Survey<'_>) -> DeadPipelines {
    let group = |pid: i32| {
        let stat = survey.processes.get(&pid)?;
        Some((stat.sid?, stat.pgid))
    };
    let is_dead =
        |(sid, pgid): &(i32, i32)| is_leader_dead(*sid, survey) && is_leader_dead(*pgid, survey);
    let group_of: HashMap<i32, (i32, i32)> =
        pids.filter_map(|pid| Some((pid, group(pid).filter(is_dead)?))).collect();
    if group_of.is_empty() {
        return DeadPipelines::default();
    }
    let wanted: HashSet<(i32, i32)> = group_of.values().copied().collect();
    let mut members: HashMap<(i32, i32), Vec<i32>> = HashMap::new();
    for (pid, stat) in survey.processes.iter().filter(|(_, stat)| !stat.is_dead()) {
        let group = stat.sid.map(|sid| (sid, stat.pgid)).filter(|group| wanted.contains(group));
        if let Some(group) = group {
            members.entry(group).or_default().push(*pid);
        }
    }
    members.retain(|_, members| members.len() > 1);
    DeadPipelines { group_of, members }
}

impl DeadPipelines {
    /// The processes of the pipeline of one, itself included; none when it is in none.
    pub fn of(&self, pid: i32) -> &[i32] {
        let members = self.group_of.get(&pid).and_then(|group| self.members.get(group));
        members.map_or(&[], Vec::as_slice)
    }

    /// Keeps those whose members pass.
    pub fn keep(&mut self, mut passes: impl FnMut(&[i32]) -> bool) {
        self.members.retain(|_, members| passes(members));
    }
}
