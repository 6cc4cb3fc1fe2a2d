//! The processes that are a Claude's own: nobody among them would miss it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use model::parse;
use model::rules::parents::Reaper;

use super::survey::Survey;
use crate::process::proc::file;

/// The tree of one line.
#[derive(Debug)]
pub struct OwnTree<'s, 't> {
    survey: &'s Survey<'t>,
    members: HashSet<i32>,
    /// The sessions of the Claude processes in the line.
    sessions: HashSet<String>,
    /// What was found out about others.
    orphans: RefCell<HashMap<i32, bool>>,
}

impl<'s, 't> OwnTree<'s, 't> {
    /// The descendants of the top of a line. Orphans with one of `sessions` in their
    /// environment belong to it too.
    pub fn new(top: i32, sessions: HashSet<String>, survey: &'s Survey<'t>) -> OwnTree<'s, 't> {
        let mut tree = OwnTree::empty(sessions, survey);
        tree.add(top);
        tree
    }

    /// A tree without processes.
    pub fn empty(sessions: HashSet<String>, survey: &'s Survey<'t>) -> OwnTree<'s, 't> {
        OwnTree { survey, members: HashSet::new(), sessions, orphans: RefCell::default() }
    }

    /// Adds a process and its descendants.
    pub fn add(&mut self, pid: i32) {
        let mut todo = vec![pid];
        while let Some(pid) = todo.pop() {
            if self.members.insert(pid) {
                todo.extend(self.survey.children(pid));
            }
        }
    }

    /// Whether a process belongs to it.
    pub fn has(&self, pid: i32) -> bool {
        self.members.contains(&pid) || !self.sessions.is_empty() && self.is_of_session(pid)
    }

    /// Whether a process is below an orphan of one of the sessions. A tmux server hands the
    /// environment of who started it on to every pane, also a person's: what is in a pane is
    /// no orphan.
    fn is_of_session(&self, pid: i32) -> bool {
        let mut top = pid;
        let mut seen = HashSet::new();
        while let Some(stat) = self.survey.processes.get(&top) {
            if self.members.contains(&top) {
                return true;
            }
            match self.survey.reaper(stat.ppid) {
                Some(Reaper::Tmux) => return false,
                Some(_) => break,
                None if stat.ppid <= 0 || !seen.insert(top) => return false,
                None => top = stat.ppid,
            }
        }
        *self.orphans.borrow_mut().entry(top).or_insert_with(|| {
            !self.survey.tmux_servers.contains(&top)
                && session(top).is_some_and(|session| self.sessions.contains(&session))
        })
    }
}

fn session(pid: i32) -> Option<String> {
    let mut buffer = Vec::new();
    let environ = file::read(pid, "environ", &mut buffer).ok()?;
    let session = parse::proc::environ(environ, "CLAUDE_CODE_SESSION_ID")?;
    Some(String::from_utf8_lossy(session).into_owned())
}
