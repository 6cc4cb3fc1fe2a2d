//! The process table as `ps` prints it, on Linux and on macOS: one call for all of it.
//!
//! Executable, environment, pid namespace and standard output are not in it.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use model::parse::ps::{FIELDS, Line, lines};
use model::record::ProcSource;
use nix::unistd::{Pid, getsid};

use crate::command::{command, find, printed};
use crate::platform::UTF_8;
use crate::process::process_source::{Owner, Source};
use crate::process::stat::{ProcessMap, ProcessStat, own_pid};

/// How long ps may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What a [`ProcessStat`] does not hold.
#[derive(Debug)]
struct Ps {
    more: HashMap<i32, (u32, Vec<Vec<u8>>)>,
}

/// Reads the table.
///
/// # Errors
/// When ps cannot be run, its output cannot be parsed, or it does not list this process.
pub fn read() -> io::Result<(Box<dyn Source>, ProcessMap)> {
    let lines = ask(&["-axww"])?;
    let mut processes = HashMap::with_capacity(lines.len());
    let mut more = HashMap::with_capacity(lines.len());
    for line in lines {
        more.insert(line.pid, (line.uid, args(&line)));
        processes.insert(line.pid, stat(line));
    }
    if !processes.contains_key(&own_pid()) {
        return Err(io::Error::other("ps does not show this process"));
    }
    Ok((Box::new(Ps { more }), processes))
}

/// Times are asked for in UTC and in the words of the C locale.
fn ask(which: &[&str]) -> io::Result<Vec<Line>> {
    let not_found = || io::Error::new(io::ErrorKind::NotFound, "the program ps was not found");
    let mut ps = command(&find("ps").ok_or_else(not_found)?);
    // `LC_ALL` would outweigh the others.
    ps.args(which).env_remove("LC_ALL").env_remove("LANG");
    ps.env("LC_CTYPE", UTF_8).env("LC_TIME", "C");
    for field in FIELDS {
        ps.arg("-o").arg(format!("{field}="));
    }
    let said = printed(ps.env("TZ", "UTC0"), LIMIT)
        .map_err(|error| io::Error::new(error.kind(), format!("ps: {error}")))?;
    // That there is no such process shows only in the exit status.
    if !said.success && !said.stderr.trim().is_empty() {
        return Err(io::Error::other(format!("ps: {}", said.stderr.trim())));
    }
    lines(&said.stdout).map_err(io::Error::other)
}

fn stat(line: Line) -> ProcessStat {
    ProcessStat {
        ppid: line.ppid,
        pgid: line.pgid,
        // No two systems have the same field for it in ps, but all have getsid(2).
        sid: getsid(Some(Pid::from_raw(line.pid))).ok().map(Pid::as_raw),
        tty: line.tty,
        name: line.name,
        state: line.state,
        is_kernel: false,
        start: line.started.as_second() as u64,
        started: line.started,
        rss_bytes: line.rss_bytes,
        cpu_seconds: line.cpu.as_secs_f64(),
    }
}

/// Its words: ps does not show where one argument ends and the next begins. A process without
/// any shows its name in brackets.
fn args(line: &Line) -> Vec<Vec<u8>> {
    let command = line.command.as_str();
    let inner = command.strip_prefix(['[', '(']).and_then(|text| text.strip_suffix([']', ')']));
    if inner.is_some_and(|inner| inner.starts_with(&line.name)) {
        return Vec::new();
    }
    command.split(' ').filter(|word| !word.is_empty()).map(|word| word.into()).collect()
}

impl Source for Ps {
    fn kind(&self) -> ProcSource {
        ProcSource::Ps
    }

    /// Where a program cannot change its short name, a server has the same one as its clients;
    /// but clients have a terminal or a parent.
    fn is_tmux_server(&self, _pid: i32, stat: &ProcessStat) -> bool {
        stat.name.ends_with(": server")
            || stat.name == "tmux" && stat.ppid == 1 && stat.tty.is_none()
    }

    fn now(&self, pid: i32) -> io::Result<Option<ProcessStat>> {
        Ok(ask(&["-ww", "-p", &pid.to_string()])?.into_iter().next().map(stat))
    }

    fn owner(&self, pid: i32) -> Owner {
        Owner { uid: self.more.get(&pid).map(|(uid, _)| *uid), namespace: None }
    }

    fn args(&self, pid: i32) -> Vec<Vec<u8>> {
        self.more.get(&pid).map(|(_, args)| args.clone()).unwrap_or_default()
    }
}
