//! The process table as Linux shows it in `/proc`: everything a record has.

pub(in crate::process) mod file;
mod output;
mod terminal;
mod tmux_server;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use model::parse::{self, proc::Stat};
use model::record::{Mounts, Namespace, ProcSource, SameNamespace, Stdout};
use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

use crate::clock;
use crate::process::process_source::{Owner, Source};
use crate::process::stat::{ProcessMap, ProcessStat, own_pid};
use crate::user;

/// What turns the kernel's numbers into records.
#[derive(Debug)]
struct Proc {
    taken_at: Timestamp,
    since_boot: SignedDuration,
    ticks_per_second: u64,
    page_size: u64,
    /// What was last read.
    buffer: RefCell<Vec<u8>>,
    /// The environments that were read: what they say is asked for several times.
    environs: RefCell<HashMap<i32, Option<Rc<[u8]>>>>,
}

/// Reads the table. Processes that end meanwhile are not in it, nor are most threads of the
/// kernel.
///
/// # Errors
/// When `/proc` cannot be listed, or does not show even this process.
pub fn read() -> io::Result<(Box<dyn Source>, ProcessMap)> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    let mut buffer = Vec::new();
    let of_kernel = kernel_threads(&mut buffer);
    pids.retain(|pid| !of_kernel.contains(pid));
    let mut stats = Vec::with_capacity(pids.len());
    for pid in pids {
        match read_stat(pid, &mut buffer) {
            Ok(stat) => stats.extend(stat.map(|stat| (pid, stat))),
            // Where /proc hides other users' processes (hidepid), they are none of ours.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    let own = own_pid();
    if !stats.iter().any(|(pid, _)| *pid == own) {
        return Err(io::Error::other(
            "/proc does not show this process: is it mounted for this pid namespace?",
        ));
    }
    let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let proc = Proc {
        taken_at: clock::now(),
        since_boot: SignedDuration::new(since_boot.tv_sec(), since_boot.tv_nsec() as i32),
        ticks_per_second: configured(SysconfVar::CLK_TCK)?,
        page_size: configured(SysconfVar::PAGE_SIZE)?,
        buffer: RefCell::new(buffer),
        environs: RefCell::default(),
    };
    let processes = stats.into_iter().map(|(pid, stat)| (pid, proc.stat(stat)));
    let processes: HashMap<i32, ProcessStat> = processes.collect();
    Ok((Box::new(proc), processes))
}

impl Proc {
    fn stat(&self, stat: Stat) -> ProcessStat {
        ProcessStat {
            ppid: stat.ppid,
            pgid: stat.pgid,
            sid: Some(stat.sid),
            tty: parse::proc::tty_name(stat.tty_nr),
            state: stat.state,
            is_kernel: stat.kernel_thread,
            start: stat.start_ticks,
            started: self.started(&stat),
            rss_bytes: stat.rss_pages * self.page_size,
            cpu_seconds: stat.cpu_ticks as f64 / self.ticks_per_second as f64,
            name: stat.comm,
        }
    }

    /// When a process started, by the current clock.
    fn started(&self, stat: &Stat) -> Timestamp {
        let milliseconds = stat.start_ticks * 1000 / self.ticks_per_second;
        let after_boot = SignedDuration::from_millis(milliseconds as i64);
        let age = SignedDuration::from_millis((self.since_boot - after_boot).as_millis() as i64);
        self.taken_at - age
    }
}

impl Source for Proc {
    fn kind(&self) -> ProcSource {
        ProcSource::Proc
    }

    fn is_tmux_server(&self, pid: i32, stat: &ProcessStat) -> bool {
        tmux_server::is_tmux_server(pid, &stat.name)
    }

    fn named_tmux_servers(&self, pids: &[i32]) -> HashSet<i32> {
        let own = user::uid();
        let is_own = |pid: &i32| fs::metadata(file::path(*pid, "")).is_ok_and(|m| m.uid() == own);
        tmux_server::named(
            pids.iter().filter(|pid| is_own(pid)).filter_map(|pid| self.environ(*pid)),
        )
    }

    fn now(&self, pid: i32) -> io::Result<Option<ProcessStat>> {
        Ok(read_stat(pid, &mut self.buffer.borrow_mut())?.map(|stat| self.stat(stat)))
    }

    fn owner(&self, pid: i32) -> Owner {
        owner(pid)
    }

    fn args(&self, pid: i32) -> Vec<Vec<u8>> {
        let mut buffer = self.buffer.borrow_mut();
        let cmdline = file::read(pid, "cmdline", &mut buffer).unwrap_or_default();
        parse::proc::cmdline(cmdline).into_iter().map(<[u8]>::to_vec).collect()
    }

    fn exe(&self, pid: i32) -> Option<String> {
        file::link(pid, "exe").ok()
    }

    fn environ(&self, pid: i32) -> Option<Rc<[u8]>> {
        let mut buffer = self.buffer.borrow_mut();
        let read = || Some(file::read(pid, "environ", &mut buffer).ok()?.into());
        self.environs.borrow_mut().entry(pid).or_insert_with(read).clone()
    }

    /// `TMUX` is `socket,server pid,session number`; `TMUX_PANE` is `%3`.
    fn origin(&self, pid: i32) -> Option<(i32, Option<String>)> {
        let environ = self.environ(pid)?;
        let text = |name| parse::proc::environ(&environ, name).map(String::from_utf8_lossy);
        let server_pid = text("TMUX")?.rsplit(',').nth(1)?.parse().ok()?;
        Some((server_pid, text("TMUX_PANE").map(|pane| pane.into_owned())))
    }

    fn output(&self, pid: i32) -> Option<Stdout> {
        output::output(pid)
    }

    fn groups(&self, pid: i32) -> Option<Vec<u32>> {
        let mut buffer = self.buffer.borrow_mut();
        let status = file::read(pid, "status", &mut buffer).ok()?;
        parse::proc::groups(&String::from_utf8_lossy(status))
    }

    fn mounts(&self, pid: i32) -> Option<Mounts> {
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let (its, own) = (namespace(&pid.to_string()), namespace("self")?);
        if its.is_some_and(|its| its == own) {
            return Some(Mounts::Same(SameNamespace::Same));
        }
        let text = fs::read(file::path(pid, "mountinfo")).ok()?;
        parse::proc::mounts(&String::from_utf8_lossy(&text)).map(Mounts::Listed)
    }

    fn is_at_prompt(&self, pid: i32, seen: &ProcessStat, tty: &str) -> Option<bool> {
        terminal::is_at_prompt(pid, seen.start, tty)
    }

    /// A path that a server was given relative means one in its own working directory.
    fn listening_sockets(&self, pid: i32) -> Vec<PathBuf> {
        let directory = fs::read_link(file::path(pid, "cwd")).unwrap_or_default();
        let sockets = tmux_server::listening_sockets(pid).unwrap_or_default();
        sockets.into_iter().map(|socket| directory.join(socket)).collect()
    }
}

/// Who owns a process.
pub fn owner(pid: i32) -> Owner {
    let mut buffer = Vec::new();
    let Ok(status) = file::read(pid, "status", &mut buffer) else { return Owner::default() };
    let (uid, depth) = parse::proc::status(&String::from_utf8_lossy(status));
    let namespace = depth.map(|depth| if depth == 1 { Namespace::Own } else { Namespace::Foreign });
    Owner { uid, namespace }
}

/// The threads of the kernel, most of what runs on a quiet machine, from one file: all are
/// children of `kthreadd`. So is what the kernel starts by itself, for a core dump say, which
/// is neither Claude nor a tmux server. Empty where the kernel has no such file (proc(5),
/// `CONFIG_PROC_CHILDREN`), or pid 2 is something else, as in a container.
///
/// To be read after the pids were listed: then a pid in both lists is a thread's, or the
/// process that had it has ended.
fn kernel_threads(buffer: &mut Vec<u8>) -> HashSet<i32> {
    const KTHREADD: i32 = 2;
    let is_kthreadd = |stat: &Stat| stat.kernel_thread && stat.ppid == 0;
    if !matches!(read_stat(KTHREADD, buffer), Ok(Some(stat)) if is_kthreadd(&stat)) {
        return HashSet::new();
    }
    let children = fs::read_to_string("/proc/2/task/2/children").unwrap_or_default();
    children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn configured(variable: SysconfVar) -> io::Result<u64> {
    sysconf(variable)?
        .map(|value| value as u64)
        .ok_or_else(|| io::Error::other(format!("sysconf(3) does not know {variable:?}")))
}

/// `None` when the process has ended; an error when it could not be asked about.
fn read_stat(pid: i32, buffer: &mut Vec<u8>) -> io::Result<Option<Stat>> {
    match file::read(pid, "stat", buffer) {
        Ok(text) => Ok(parse::proc::stat(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(None),
        Err(error) => Err(error),
    }
}
