//! What is known of the machine before anything is asked about one process.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};

use model::claude::Appearance;
use model::parse;
use model::rules::parents::{Reaper, reaper};

use crate::process::proc::file;
use crate::process::stat::{ProcessMap, ProcessStat};

/// One reading of the process table, with what of it is Claude and what is a tmux server.
#[derive(Debug)]
pub struct Survey<'t> {
    /// All processes.
    pub processes: &'t ProcessMap,
    /// Those that are Claude.
    pub claude: HashSet<i32>,
    /// The living tmux servers.
    pub tmux_servers: HashSet<i32>,
    /// The process that asks.
    pub own_pid: i32,
    children: OnceCell<HashMap<i32, Vec<i32>>>,
    reapers: RefCell<HashMap<i32, Option<Reaper>>>,
}

impl<'t> Survey<'t> {
    /// A survey of `processes`.
    pub fn new(
        processes: &'t ProcessMap,
        claude: HashSet<i32>,
        tmux_servers: HashSet<i32>,
        own_pid: i32,
    ) -> Survey<'t> {
        Survey {
            processes,
            claude,
            tmux_servers,
            own_pid,
            children: OnceCell::new(),
            reapers: RefCell::default(),
        }
    }

    /// The living children of a process.
    pub fn children(&self, pid: i32) -> &[i32] {
        let children = self.children.get_or_init(|| {
            let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
            for (pid, stat) in self.processes.iter().filter(|(_, stat)| !stat.is_dead()) {
                children.entry(stat.ppid).or_default().push(*pid);
            }
            children
        });
        children.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// Whether there is a living process with this pid.
    pub fn is_alive(&self, pid: i32) -> bool {
        self.processes.get(&pid).is_some_and(|stat| !stat.is_dead())
    }

    /// Whether and how a process takes in others.
    pub fn reaper(&self, pid: i32) -> Option<Reaper> {
        let stat = self.processes.get(&pid)?;
        *self.reapers.borrow_mut().entry(pid).or_insert_with(|| {
            appearing(pid, stat, |program| reaper(pid, program, self.tmux_servers.contains(&pid)))
        })
    }

    /// Its command line, cut where it is long. Without one, as a zombie is, its short name.
    pub fn command(&self, pid: i32) -> Option<String> {
        const LENGTH: usize = 120;
        let mut buffer = Vec::new();
        let text = file::read(pid, "cmdline", &mut buffer).unwrap_or_default();
        let args: Vec<_> =
            parse::proc::cmdline(text).into_iter().map(String::from_utf8_lossy).collect();
        let command = args.join(" ");
        if command.is_empty() {
            return self.processes.get(&pid).map(|stat| stat.name.clone());
        }
        Some(parse::tmux::cut(&command, LENGTH).to_owned())
    }
}

/// Hands `judge` what a process looks like now.
pub fn appearing<T>(pid: i32, stat: &ProcessStat, judge: impl FnOnce(Appearance<'_>) -> T) -> T {
    let mut buffer = Vec::new();
    let text = file::read(pid, "cmdline", &mut buffer).unwrap_or_default();
    let args = parse::proc::cmdline(text);
    let exe = file::link(pid, "exe").ok();
    judge(Appearance { exe: exe.as_deref(), comm: &stat.name, args: &args })
}
