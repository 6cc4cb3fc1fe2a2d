//! The process table: who is whose child, under which name.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::io;

use model::record::ProcSource;

#[cfg(all(feature = "proc", target_os = "linux"))]
use super::proc;
use super::process_source::{Owner, Source};
use super::ps;
use super::stat::{ProcessMap, ProcessStat, own_pid};

/// One reading of the process table.
#[derive(Debug)]
pub struct Table {
    /// Where it was read.
    pub source: Box<dyn Source>,
    processes: ProcessMap,
    /// Those that show as tmux servers, once they were asked for.
    tmux_servers: OnceCell<HashSet<i32>>,
}

impl Table {
    /// Reads the table. Processes that end meanwhile are not in it.
    ///
    /// # Errors
    /// When the source cannot be read, or does not show even this process.
    pub fn read(source: ProcSource) -> io::Result<Table> {
        let (source, processes) = read(source)?;
        Ok(Table { source, processes, tmux_servers: OnceCell::new() })
    }

    /// All processes, by pid.
    pub fn processes(&self) -> &ProcessMap {
        &self.processes
    }

    /// All processes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &ProcessStat)> {
        self.processes.iter().map(|(pid, stat)| (*pid, stat))
    }

    /// One process.
    pub fn get(&self, pid: i32) -> Option<&ProcessStat> {
        self.processes.get(&pid)
    }

    /// Parent, its parent, … up to pid 1 or the edge of the pid namespace.
    pub fn ancestors(&self, pid: i32) -> Vec<i32> {
        let mut ancestors = Vec::new();
        let mut at = pid;
        while let Some(stat) = self.processes.get(&at) {
            // A pid may have been reused while the table was read: stop at a circle.
            if stat.ppid <= 0 || ancestors.contains(&stat.ppid) {
                break;
            }
            ancestors.push(stat.ppid);
            at = stat.ppid;
        }
        ancestors
    }

    /// The children of each process.
    pub fn children(&self) -> HashMap<i32, Vec<i32>> {
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for (pid, stat) in self.iter() {
            children.entry(stat.ppid).or_default().push(pid);
        }
        children
    }

    /// The processes that show by themselves that they are living tmux servers.
    pub fn tmux_servers(&self) -> &HashSet<i32> {
        self.tmux_servers.get_or_init(|| {
            let shows = |(pid, stat): &(i32, &ProcessStat)| self.source.is_tmux_server(*pid, stat);
            let living = self.iter().filter(|(_, stat)| !stat.is_dead() && !stat.is_kernel);
            living.filter(shows).map(|(pid, _)| pid).collect()
        })
    }

    /// These, and the living servers that the environment of `processes` names: neither title
    /// nor executable of a server need show what it is.
    pub fn tmux_servers_of(&self, processes: &[i32]) -> HashSet<i32> {
        let named = self.source.named_tmux_servers(processes).into_iter();
        let is_living = |pid: &i32| self.get(*pid).is_some_and(|stat| !stat.is_dead());
        self.tmux_servers().iter().copied().chain(named.filter(is_living)).collect()
    }

    /// Whether the tmux server that was seen is one now. A process that a server has just
    /// forked for a pane looks like it too, until it becomes a shell. If the source
    /// cannot tell, the answer is yes.
    pub fn is_still_tmux_server(&self, pid: i32) -> bool {
        let is_still = |now: ProcessStat| {
            !now.is_dead()
                && self.get(pid).is_none_or(|before| now.may_be(before))
                && (self.source.is_tmux_server(pid, &now)
                    || !self.source.listening_sockets(pid).is_empty())
        };
        self.source.now(pid).map_or(true, |now| now.is_some_and(is_still))
    }

    /// The process that asks and its ancestors.
    pub fn own_line(&self) -> HashSet<i32> {
        let own = own_pid();
        self.ancestors(own).into_iter().chain([own]).collect()
    }
}

/// Reads the process table from a source, which is an error where this build has none.
fn read(kind: ProcSource) -> io::Result<(Box<dyn Source>, ProcessMap)> {
    match kind {
        ProcSource::Ps => ps::read(),
        #[cfg(all(feature = "proc", target_os = "linux"))]
        ProcSource::Proc => proc::read(),
        #[cfg(not(all(feature = "proc", target_os = "linux")))]
        ProcSource::Proc => Err(super::process_source::no_proc()),
    }
}

/// Who owns the process that has this pid now, as far as this system shows it, whatever the
/// source of the table.
#[cfg(all(feature = "proc", target_os = "linux"))]
pub(crate) fn owner_now(pid: i32) -> Owner {
    proc::owner(pid)
}

#[cfg(not(all(feature = "proc", target_os = "linux")))]
pub(crate) fn owner_now(_pid: i32) -> Owner {
    Owner::default()
}
