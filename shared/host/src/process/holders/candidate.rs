//! One process whose line ends at a reaper, with all that its own files say of what holds it.

use std::io;

use model::parse;
use model::parse::cgroup::holding_unit;
use model::record::{Holder, How};

use super::claude_files::Directories;
use super::everyone::{Everyone, User, Wanted};
use super::file_key::FileKey;
use super::line::process;
use super::open_files::{OpenFile, open_files};
use super::other_end::{is_read, is_written};
use super::own_tree::OwnTree;
use super::sockets::Sockets;
use super::survey::Survey;
use crate::process::proc::file;

/// What one process of a line shows.
#[derive(Debug)]
pub struct Candidate {
    /// The process.
    pub pid: i32,
    /// What holds it, as far as its own files tell.
    holders: Vec<Holder>,
    /// What they do not tell.
    unread: Vec<How>,
    files: Vec<OpenFile>,
    tracer: Option<i32>,
}

impl Candidate {
    /// Reads its files. `own_cgroup`: the control groups of the process that looks;
    /// `unit_of_server`: the unit of its tmux server, which holds that and not what was
    /// started in it.
    pub fn read(
        pid: i32,
        directories: &Directories,
        own_cgroup: &str,
        unit_of_server: Option<&str>,
        sockets: &mut Sockets,
        survey: &Survey<'_>,
    ) -> Candidate {
        let mut candidate = Candidate {
            pid,
            holders: Vec::new(),
            unread: Vec::new(),
            files: open_files(pid, sockets, &|path| directories.have(path)),
            tracer: None,
        };
        if let Some(tty) = survey.processes.get(&pid).and_then(|stat| stat.tty.clone()) {
            candidate.holders.push(Holder::thing(How::Terminal, tty));
        }
        candidate.read_status();
        candidate.read_cgroup(own_cgroup, unit_of_server);
        candidate
    }

    fn read_status(&mut self) {
        let mut buffer = Vec::new();
        let Ok(status) = file::read(self.pid, "status", &mut buffer) else {
            self.unread.extend([How::Namespace, How::Tracer]);
            return;
        };
        let status = String::from_utf8_lossy(status);
        match parse::proc::status(&status) {
            (_, Some(1)) => {}
            (_, Some(_)) => {
                self.holders.push(Holder { what: None, ..Holder::thing(How::Namespace, "") });
            }
            (_, None) => self.unread.push(How::Namespace),
        }
        match parse::proc::tracer(&status) {
            Some(tracer) => self.tracer = Some(tracer).filter(|pid| *pid != 0),
            None => self.unread.push(How::Tracer),
        }
    }

    fn read_cgroup(&mut self, own: &str, unit_of_server: Option<&str>) {
        match cgroup(self.pid) {
            Ok(text) => {
                let unit = holding_unit(&text, own);
                let unit = unit.filter(|unit| Some(unit.name.as_str()) != unit_of_server);
                self.holders.extend(unit.map(|unit| Holder::thing(unit.how, unit.name)));
            }
            // This kernel has no control groups.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => self.unread.extend([How::Service, How::Scope]),
        }
    }

    /// Adds what must be looked for among all processes.
    pub fn want(&self, wanted: &mut Wanted) {
        wanted.processes.insert(self.pid);
        for file in &self.files {
            let key = match file {
                OpenFile::Pipe { key, .. } => {
                    wanted.has_fifo |= matches!(key, FileKey::Inode(..));
                    key
                }
                OpenFile::Unnamed(key) => {
                    wanted.has_unnamed = true;
                    key
                }
                OpenFile::Peer(key) => key,
                OpenFile::Device(..) | OpenFile::Log(_) | OpenFile::Unread(_) => continue,
            };
            wanted.files.insert(*key);
        }
    }

    /// What holds it, outside `tree`; and what could not be found out.
    pub fn holders(
        &self,
        tree: &OwnTree<'_, '_>,
        everyone: &Everyone,
        survey: &Survey<'_>,
    ) -> (Vec<Holder>, Vec<How>) {
        let mut holders = self.holders.clone();
        let mut unread = self.unread.clone();
        let by = |how: How, pid: i32| {
            let is_outside = survey.is_alive(pid) && !tree.has(pid);
            is_outside.then(|| process(how, pid, survey))
        };
        holders.extend(self.tracer.and_then(|tracer| by(How::Tracer, tracer)));
        let watchers = everyone.watchers(self.pid).iter();
        let watchers = watchers.filter(|pid| !is_one_of_us(**pid, survey));
        holders.extend(watchers.filter_map(|pid| by(How::Watcher, *pid)));
        for file in &self.files {
            match file {
                OpenFile::Device(how, name) => holders.push(Holder::thing(*how, name.clone())),
                OpenFile::Log(path) => holders.push(Holder::thing(How::Log, path.clone())),
                OpenFile::Unread(how) => unread.push(*how),
                OpenFile::Unnamed(key) => {
                    let users = everyone.users(*key).iter();
                    holders.extend(users.filter_map(|user| by(How::Log, user.pid)));
                }
                OpenFile::Peer(key) => {
                    let users = everyone.users(*key);
                    holders.extend(users.iter().filter_map(|user| by(How::Peer, user.pid)));
                    unread.extend(users.is_empty().then_some(How::Peer));
                }
                OpenFile::Pipe { key, fd, reads, writes } => {
                    let users = everyone.users(*key).iter();
                    let readers: Vec<i32> = pids(users.clone().filter(|user| user.reads));
                    let writers: Vec<i32> = pids(users.filter(|user| user.writes));
                    if *writes {
                        let is_there = || is_read(self.pid, *fd) != Some(false);
                        unread.extend((readers.is_empty() && is_there()).then_some(How::Reader));
                        holders.extend(readers.into_iter().filter_map(|pid| by(How::Reader, pid)));
                    }
                    if *reads {
                        let is_there = || is_written(self.pid, *fd, *key) != Some(false);
                        unread.extend((writers.is_empty() && is_there()).then_some(How::Writer));
                        holders.extend(writers.into_iter().filter_map(|pid| by(How::Writer, pid)));
                    }
                }
            }
        }
        (unique(holders), unique(unread))
    }
}

/// The text of its control groups.
///
/// # Errors
/// When it cannot be read.
pub fn cgroup(pid: i32) -> io::Result<String> {
    let mut buffer = Vec::new();
    let text = file::read(pid, "cgroup", &mut buffer)?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// This process, or another run of the same program, which has a handle on the process only
/// until it has judged it.
fn is_one_of_us(pid: i32, survey: &Survey<'_>) -> bool {
    let identity = |pid: i32| {
        let stat = rustix::fs::stat(file::path(pid, "exe")).ok()?;
        Some((stat.st_dev, stat.st_ino))
    };
    pid == survey.own_pid || identity(pid).is_some_and(|it| identity(survey.own_pid) == Some(it))
}

fn pids<'u>(users: impl Iterator<Item = &'u User>) -> Vec<i32> {
    users.map(|user| user.pid).collect()
}

fn unique<T: Clone + PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut unique: Vec<T> = Vec::with_capacity(items.len());
    for item in items {
        if !unique.contains(&item) {
            unique.push(item);
        }
    }
    unique
}
