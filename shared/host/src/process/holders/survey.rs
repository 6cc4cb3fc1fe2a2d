//! What is known of the machine before anything is asked about one process.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use model::claude::Appearance;
use model::parse;
use model::rules::parents::{Reaper, only_waits, reaper};

use super::open_files::is_terminal_gone;
use crate::process::proc::file;
use crate::process::stat::ProcessMap;

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
    looks: RefCell<HashMap<i32, Rc<Looks>>>,
}

/// What a process looks like.
#[derive(Debug)]
struct Looks {
    exe: Option<String>,
    cmdline: Vec<u8>,
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
            looks: RefCell::default(),
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

    /// Whether it is the process that asks, or an ancestor of that.
    pub fn is_own(&self, pid: i32) -> bool {
        pid == self.own_pid || self.is_below(self.own_pid, pid)
    }

    /// Whether a living process is a descendant of another.
    pub fn is_below(&self, pid: i32, top: i32) -> bool {
        let parent = |pid: &i32| self.processes.get(pid).map(|stat| stat.ppid);
        let mut seen = HashSet::new();
        let line = std::iter::successors(parent(&pid), parent).take_while(|pid| seen.insert(*pid));
        self.is_alive(pid) && line.into_iter().any(|above| above == top)
    }

    /// Whether there is a living process with this pid.
    pub fn is_alive(&self, pid: i32) -> bool {
        self.processes.get(&pid).is_some_and(|stat| !stat.is_dead())
    }

    /// Whether and how a process takes in others.
    pub fn reaper(&self, pid: i32) -> Option<Reaper> {
        let is_tmux_server = self.tmux_servers.contains(&pid);
        self.appearing(pid, |program| reaper(pid, program, is_tmux_server)).flatten()
    }

    /// Whether a living process only waits for its child.
    pub fn only_waits(&self, pid: i32) -> bool {
        let waits = |parent: Appearance<'_>| {
            // Its children are counted only where that matters.
            only_waits(parent, 1, false) && only_waits(parent, self.children(pid).len(), false)
                || only_waits(parent, 2, true) && is_terminal_gone(pid)
        };
        self.claude.contains(&pid) || self.appearing(pid, waits).unwrap_or(false)
    }

    /// Its command line, cut where it is long. Without one, as a zombie is, its short name.
    pub fn command(&self, pid: i32) -> Option<String> {
        const LENGTH: usize = 120;
        self.appearing(pid, |program| {
            let args: Vec<_> =
                program.args.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
            let command = args.join(" ");
            match command.trim_end() {
                "" => program.comm.to_owned(),
                command => parse::tmux::cut(command, LENGTH).to_owned(),
            }
        })
    }

    /// Hands `judge` what a process looks like, which is read once. None when it is not in the
    /// table.
    pub fn appearing<T>(&self, pid: i32, judge: impl FnOnce(Appearance<'_>) -> T) -> Option<T> {
        let stat = self.processes.get(&pid)?;
        let looks = self.looks.borrow_mut().entry(pid).or_insert_with(|| Looks::of(pid)).clone();
        let args = parse::proc::cmdline(&looks.cmdline);
        Some(judge(Appearance { exe: looks.exe.as_deref(), comm: &stat.name, args: &args }))
    }
}

impl Looks {
    fn of(pid: i32) -> Rc<Looks> {
        let mut buffer = Vec::new();
        let cmdline = file::read(pid, "cmdline", &mut buffer).unwrap_or_default().to_vec();
        Rc::new(Looks { exe: file::link(pid, "exe").ok(), cmdline })
    }
}
