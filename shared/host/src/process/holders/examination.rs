//! Judging what the files of processes say, once all of them have been read.

use std::collections::{HashMap, HashSet};

use model::parse::cgroup::holding_unit;
use model::record::{Holder, Holding, How, Server};

use super::asked::{Asked, Left};
use super::background;
use super::candidate::{Candidate, cgroup};
use super::claude_files::Directories;
use super::dead_pipeline::DeadPipelines;
use super::everyone::{Everyone, Wanted};
use super::left_behind::Tree;
use super::line::{Line, LineEnd};
use super::listening::listens;
use super::own_tree::OwnTree;
use super::sockets::Sockets;
use super::stdio::is_abandoned;
use super::survey::Survey;

/// What the files of the processes that may be held say, each read once.
#[derive(Debug)]
pub struct Examination<'s, 't> {
    survey: &'s Survey<'t>,
    sockets: Sockets,
    own_cgroup: String,
    units: HashMap<i32, Option<String>>,
    candidates: HashMap<i32, Candidate>,
}

impl<'s, 't> Examination<'s, 't> {
    /// Nothing is read yet.
    pub fn new(survey: &'s Survey<'t>) -> Self {
        Examination {
            survey,
            sockets: Sockets::default(),
            own_cgroup: cgroup(survey.own_pid).unwrap_or_default(),
            units: HashMap::new(),
            candidates: HashMap::new(),
        }
    }

    /// Reads a process, once. `directories`: those of its Claude; `tmux_server`: the living tmux
    /// server that it belongs to.
    pub fn read(&mut self, pid: i32, directories: &Directories, tmux_server: Option<i32>) {
        let own_cgroup = &self.own_cgroup;
        let unit_of_server = tmux_server.and_then(|server| {
            let unit = || Some(holding_unit(&cgroup(server).ok()?, own_cgroup)?.name);
            self.units.entry(server).or_insert_with(unit).clone()
        });
        self.candidates.entry(pid).or_insert_with(|| {
            Candidate::read(
                pid,
                directories,
                own_cgroup,
                unit_of_server.as_deref(),
                &mut self.sockets,
                self.survey,
            )
        });
    }

    /// Adds what must be looked for among all processes.
    pub fn want(&self, wanted: &mut Wanted) {
        self.candidates.values().for_each(|candidate| candidate.want(wanted));
    }

    /// What holds a Claude with this line. `sessions`: those of the Claude processes.
    pub fn holding(
        &self,
        asked: &Asked<'_>,
        line: &Line,
        pipelines: &DeadPipelines,
        everyone: &Everyone,
        sessions: &HashMap<i32, String>,
    ) -> Holding {
        let mut holding = Holding::default();
        for pid in line.members.iter().filter(|pid| self.survey.claude.contains(pid)) {
            let held = background::held(*pid, asked.uid, asked.of_claude, self.survey);
            let of = (*pid != asked.pid).then_some(*pid);
            holding.holders.extend(held.map(|holder| Holder { of, ..holder }));
        }
        holding.above = line.members[1..].to_vec();
        // Of the process itself, its record says so.
        let own = holding.above.iter().find(|pid| self.survey.is_own(**pid));
        holding.holders.extend(own.map(|pid| Holder {
            what: None,
            of: Some(*pid),
            ..Holder::thing(How::Itself, "")
        }));
        match &line.end {
            LineEnd::Held(holder) | LineEnd::Started(holder) => {
                holding.holders.push(holder.clone())
            }
            LineEnd::Unread => holding.unread.push(How::Parent),
            LineEnd::Reaper => holding.orphaned = line.members.len() == 1,
        }
        if line.is_candidate() {
            holding.examined = true;
            let sessions = line.members.iter().filter_map(|pid| sessions.get(pid).cloned());
            let mut tree = OwnTree::new(line.top(), sessions.collect(), self.survey);
            pipelines.of(asked.pid).iter().for_each(|pid| tree.add(*pid));
            for pid in &line.members {
                let (holders, unread) = self.of(*pid, &tree, everyone);
                let of = (*pid != asked.pid).then_some(*pid);
                let of_it = holders.into_iter().map(|holder| Holder { of, ..holder });
                holding.holders.extend(of_it);
                holding.unread.extend(unread);
            }
        }
        sorted(holding)
    }

    /// What holds each process of a tree that Claude has left. What holds one of a chain holds
    /// all of it.
    pub fn left(&self, asked: &Tree, everyone: &Everyone) -> Vec<(i32, Left)> {
        let tree = OwnTree::new(asked.top, HashSet::new(), self.survey);
        let mut each: Vec<(i32, Holding)> = Vec::new();
        for pid in &asked.members {
            let (holders, unread) = self.of(*pid, &tree, everyone);
            let mut holding = Holding {
                holders,
                unread,
                examined: true,
                orphaned: *pid == asked.top,
                ..Holding::default()
            };
            if *pid == asked.top {
                match Line::of(*pid, self.survey).end {
                    LineEnd::Held(holder) | LineEnd::Started(holder) => {
                        holding.holders.push(holder)
                    }
                    LineEnd::Unread => holding.unread.push(How::Parent),
                    LineEnd::Reaper => {}
                }
            }
            if tree.has(self.survey.own_pid) {
                holding.holders.push(Holder { what: None, ..Holder::thing(How::Itself, "") });
            }
            each.push((*pid, holding));
        }
        let server = self.server(asked, &each, &tree, everyone);
        let of_chain = |pid: i32| {
            let mut all =
                Holding { examined: true, orphaned: pid == asked.top, ..Holding::default() };
            for (other, holding) in each.iter().filter(|(other, _)| is_in_chain(asked, *other)) {
                let of = (*other != pid).then_some(*other);
                let holders = holding.holders.iter().cloned();
                all.holders.extend(holders.map(|holder| Holder { of, ..holder }));
                all.unread.extend(&holding.unread);
            }
            all
        };
        each.iter()
            .map(|(pid, holding)| match is_in_chain(asked, *pid) {
                true => (*pid, (sorted(of_chain(*pid)), server.clone())),
                false => (*pid, (sorted(holding.clone()), None)),
            })
            .collect()
    }

    fn server(
        &self,
        asked: &Tree,
        each: &[(i32, Holding)],
        tree: &OwnTree<'_, '_>,
        everyone: &Everyone,
    ) -> Option<Server> {
        if asked.chain.is_empty() {
            return None;
        }
        let abandoned = asked
            .chain
            .iter()
            .map(|(pid, stdio)| is_abandoned(*pid, stdio, *pid == asked.top, tree, everyone));
        let mut sockets = Sockets::default();
        let listening: Option<Vec<i32>> = asked
            .members
            .iter()
            .map(|pid| Some((*pid, listens(*pid, &mut sockets)?)))
            .collect::<Option<Vec<_>>>()
            .map(|all| {
                all.into_iter().filter(|(_, listens)| *listens).map(|(pid, _)| pid).collect()
            });
        let mut below = Holding::default();
        for (pid, holding) in each.iter().filter(|(pid, _)| !is_in_chain(asked, *pid)) {
            let holders = holding.holders.iter().cloned();
            below.holders.extend(holders.map(|holder| Holder { of: Some(*pid), ..holder }));
            below.unread.extend(&holding.unread);
        }
        let below = sorted(below);
        Some(Server {
            top: asked.top,
            chain: asked.chain.iter().map(|(pid, _)| *pid).collect(),
            abandoned: all(abandoned),
            listening,
            claude: asked.claude.clone(),
            tmux: asked.tmux.clone(),
            below: below.holders,
            below_unread: below.unread,
        })
    }

    /// Whether nothing holds any of these processes but they themselves.
    pub fn is_loose(&self, members: &[i32], everyone: &Everyone) -> bool {
        let mut tree = OwnTree::empty(HashSet::new(), self.survey);
        members.iter().for_each(|pid| tree.add(*pid));
        members.iter().all(|pid| {
            let line = Line::of(*pid, self.survey);
            matches!(line.end, LineEnd::Reaper)
                && line.members.iter().all(|above| tree.has(*above))
                && self.of(*pid, &tree, everyone) == (Vec::new(), Vec::new())
        })
    }

    fn of(&self, pid: i32, tree: &OwnTree<'_, '_>, everyone: &Everyone) -> (Vec<Holder>, Vec<How>) {
        match self.candidates.get(&pid) {
            Some(candidate) => candidate.holders(tree, everyone, self.survey),
            None => (Vec::new(), vec![How::Parent]),
        }
    }
}

fn is_in_chain(tree: &Tree, pid: i32) -> bool {
    tree.chain.iter().any(|(member, _)| *member == pid)
}

/// Whether all are true; None if none is false and some are unknown.
fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<Option<bool>> = answers.collect();
    match answers.contains(&Some(false)) {
        true => Some(false),
        false => answers.iter().all(Option::is_some).then_some(true),
    }
}

fn sorted(mut holding: Holding) -> Holding {
    holding.holders.sort_by_key(|holder| (holder.how, holder.pid, holder.of));
    holding.unread.sort();
    holding.unread.dedup();
    holding
}
