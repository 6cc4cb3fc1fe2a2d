//! The process table: who is whose child, under which name.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use model::proc_text::{self, Stat};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

use crate::clock;

/// The short name of a tmux server: tmux sets it when it has become one.
const TMUX_SERVER: &str = "tmux: server";

/// One reading of `/proc`.
#[derive(Debug)]
pub struct Table {
    stats: HashMap<i32, Stat>,
    taken_at: Timestamp,
    since_boot: SignedDuration,
    ticks_per_second: u64,
    page_size: u64,
}

impl Table {
    /// Reads the table. Processes that end meanwhile are not in it.
    ///
    /// # Errors
    /// When `/proc` cannot be listed, or shows not even the process that asks.
    pub fn read() -> io::Result<Table> {
        let mut stats = HashMap::new();
        let mut buffer = Vec::with_capacity(512);
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            if let Some(stat) = read_stat(pid, &mut buffer) {
                stats.insert(pid, stat);
            }
        }
        if !stats.contains_key(&own_pid()) {
            return Err(io::Error::other(
                "/proc does not show this process: is it mounted for this pid namespace?",
            ));
        }
        let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
        Ok(Table {
            stats,
            taken_at: clock::now(),
            since_boot: SignedDuration::new(since_boot.tv_sec(), since_boot.tv_nsec() as i32),
            ticks_per_second: configured(SysconfVar::CLK_TCK)?,
            page_size: configured(SysconfVar::PAGE_SIZE)?,
        })
    }

    /// All processes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Stat)> {
        self.stats.iter().map(|(pid, stat)| (*pid, stat))
    }

    /// One process.
    pub fn get(&self, pid: i32) -> Option<&Stat> {
        self.stats.get(&pid)
    }

    /// Parent, its parent, … up to pid 1 or the edge of the pid namespace.
    pub fn ancestors(&self, pid: i32) -> Vec<i32> {
        let mut ancestors = Vec::new();
        let mut at = pid;
        while let Some(stat) = self.stats.get(&at) {
            // While the table was read, a pid may have been taken anew: no circles.
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

    /// The processes that are living tmux servers.
    pub fn tmux_servers(&self) -> HashSet<i32> {
        let is_server = |stat: &Stat| stat.comm == TMUX_SERVER && !stat.is_dead();
        self.iter().filter(|(_, stat)| is_server(stat)).map(|(pid, _)| pid).collect()
    }

    /// The process that asks and its ancestors.
    pub fn own_line(&self) -> HashSet<i32> {
        let own = own_pid();
        self.ancestors(own).into_iter().chain([own]).collect()
    }

    /// When a process started, by the clock of now.
    pub fn started(&self, stat: &Stat) -> Timestamp {
        let milliseconds = stat.start_ticks * 1000 / self.ticks_per_second;
        let after_boot = SignedDuration::from_millis(milliseconds as i64);
        let age = SignedDuration::from_millis((self.since_boot - after_boot).as_millis() as i64);
        self.taken_at - age
    }

    /// Processor time in seconds.
    pub fn cpu_seconds(&self, stat: &Stat) -> f64 {
        stat.cpu_ticks as f64 / self.ticks_per_second as f64
    }

    /// Resident memory in bytes.
    pub fn rss_bytes(&self, stat: &Stat) -> u64 {
        stat.rss_pages * self.page_size
    }
}

fn configured(variable: SysconfVar) -> io::Result<u64> {
    sysconf(variable)?
        .map(|value| value as u64)
        .ok_or_else(|| io::Error::other("sysconf says nothing"))
}

/// The pid of this process.
pub fn own_pid() -> i32 {
    std::process::id() as i32
}

/// Whether a process with this pid lives now; if `as_before` is given, the very same.
pub fn is_alive(pid: i32, as_before: Option<&Stat>) -> bool {
    read_stat(pid, &mut Vec::new()).is_some_and(|now| {
        !now.is_dead() && as_before.is_none_or(|before| before.start_ticks == now.start_ticks)
    })
}

/// Whether the tmux server that was seen is one now. What a server has just forked for a
/// pane goes by its name too, until it becomes a shell.
pub fn is_tmux_server(pid: i32, as_before: Option<&Stat>) -> bool {
    is_alive(pid, as_before)
        && read_stat(pid, &mut Vec::new()).is_some_and(|now| now.comm == TMUX_SERVER)
}

fn read_stat(pid: i32, buffer: &mut Vec<u8>) -> Option<Stat> {
    buffer.clear();
    io::Read::read_to_end(&mut fs::File::open(path(pid, "stat")).ok()?, buffer).ok()?;
    proc_text::stat(buffer)
}

/// A file of a process.
pub fn path(pid: i32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}
