//! All that holds the Claude processes of one reading of the process table.

use std::collections::{BTreeMap, HashMap};

use model::parse::cgroup::holding_unit;
use model::record::{Holder, Holding, How};

use super::background;
use super::candidate::{Candidate, cgroup, dead_pipeline};
use super::claude_files::OfClaude;
use super::everyone::{Everyone, Wanted};
use super::line::{Line, LineEnd};
use super::own_tree::OwnTree;
use super::sockets::Sockets;
use super::survey::Survey;

/// A Claude that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'c> {
    /// Its process.
    pub pid: i32,
    /// Its effective uid.
    pub uid: u32,
    /// What it says about itself.
    pub of_claude: &'c OfClaude,
    /// The living tmux server it belongs to.
    pub tmux_server: Option<i32>,
}

/// What holds each of these processes.
pub fn holdings(asked: &[Asked<'_>], survey: &Survey<'_>) -> Vec<Holding> {
    let lines: Vec<Line> = asked.iter().map(|asked| Line::of(asked.pid, survey)).collect();
    let mut examination = Examination::new(survey);
    let mut wanted = Wanted::default();
    for (asked, line) in asked.iter().zip(&lines) {
        if matches!(line.end, LineEnd::Reaper) {
            let mates = dead_pipeline(asked.pid, survey);
            for pid in line.members.iter().chain(&mates) {
                examination.read(*pid, asked).want(&mut wanted);
            }
            examination.mates.insert(asked.pid, mates);
        }
    }
    let everyone = match wanted.processes.is_empty() {
        true => Everyone::default(),
        false => Everyone::ask(&wanted, survey),
    };
    let sessions = sessions(asked);
    asked
        .iter()
        .zip(&lines)
        .map(|(asked, line)| examination.holding(asked, line, &everyone, &sessions))
        .collect()
}

/// The session of each Claude that wrote it down.
fn sessions(asked: &[Asked<'_>]) -> HashMap<i32, String> {
    let session =
        |asked: &Asked<'_>| Some((asked.pid, asked.of_claude.session_file.as_ref()?.id.clone()));
    asked.iter().filter_map(session).collect()
}

struct Examination<'s, 't> {
    survey: &'s Survey<'t>,
    sockets: Sockets,
    own_cgroup: String,
    units: HashMap<i32, Option<String>>,
    candidates: BTreeMap<i32, Candidate>,
    mates: HashMap<i32, Vec<i32>>,
}

impl<'s, 't> Examination<'s, 't> {
    fn new(survey: &'s Survey<'t>) -> Self {
        Examination {
            survey,
            sockets: Sockets::default(),
            own_cgroup: cgroup(survey.own_pid).unwrap_or_default(),
            units: HashMap::new(),
            candidates: BTreeMap::new(),
            mates: HashMap::new(),
        }
    }

    /// Reads a process of the line of `asked`, once.
    fn read(&mut self, pid: i32, asked: &Asked<'_>) -> &Candidate {
        let own_cgroup = &self.own_cgroup;
        let unit_of_server = asked.tmux_server.and_then(|server| {
            let unit = || Some(holding_unit(&cgroup(server).ok()?, own_cgroup)?.name);
            self.units.entry(server).or_insert_with(unit).clone()
        });
        self.candidates.entry(pid).or_insert_with(|| {
            Candidate::read(
                pid,
                &asked.of_claude.folders,
                own_cgroup,
                unit_of_server.as_deref(),
                &mut self.sockets,
                self.survey,
            )
        })
    }

    fn holding(
        &self,
        asked: &Asked<'_>,
        line: &Line,
        everyone: &Everyone,
        sessions: &HashMap<i32, String>,
    ) -> Holding {
        let mut holding = Holding::default();
        holding.holders.extend(background::held(
            asked.pid,
            asked.uid,
            asked.of_claude,
            self.survey,
        ));
        match &line.end {
            LineEnd::Held(holder) => holding.holders.push(holder.clone()),
            LineEnd::Unread => holding.unread.push(How::Parent),
            LineEnd::Reaper => {
                holding.examined = true;
                let sessions = line.members.iter().filter_map(|pid| sessions.get(pid).cloned());
                let mut tree = OwnTree::new(line.top(), sessions.collect(), self.survey);
                self.add_pipeline(asked.pid, &mut tree, everyone);
                for pid in &line.members {
                    let (holders, unread) = self.of(*pid, &tree, everyone);
                    let of = (*pid != asked.pid).then_some(*pid);
                    let of_it = holders.into_iter().map(|holder| Holder { of, ..holder });
                    holding.holders.extend(of_it);
                    holding.unread.extend(unread);
                }
            }
        }
        holding.holders.sort_by_key(|holder| (holder.how, holder.pid));
        holding.unread.sort();
        holding.unread.dedup();
        holding
    }

    /// What is left of the pipeline of a dead shell is of its tree, unless anything holds it.
    fn add_pipeline(&self, pid: i32, tree: &mut OwnTree<'s, 't>, everyone: &Everyone) {
        let mates = self.mates.get(&pid).map_or(&[][..], Vec::as_slice);
        let mates: Vec<i32> = mates.iter().copied().filter(|mate| !tree.has(*mate)).collect();
        if mates.is_empty() {
            return;
        }
        let mut with_mates = tree.clone();
        mates.iter().for_each(|mate| with_mates.add(*mate));
        let is_loose = |mate: &i32| {
            let line = Line::of(*mate, self.survey);
            matches!(line.end, LineEnd::Reaper)
                && line.members.len() == 1
                && self.of(*mate, &with_mates, everyone) == (Vec::new(), Vec::new())
        };
        if mates.iter().all(is_loose) {
            *tree = with_mates;
        }
    }

    fn of(&self, pid: i32, tree: &OwnTree<'_, '_>, everyone: &Everyone) -> (Vec<Holder>, Vec<How>) {
        match self.candidates.get(&pid) {
            Some(candidate) => candidate.holders(tree, everyone, self.survey),
            None => (Vec::new(), vec![How::Parent]),
        }
    }
}
