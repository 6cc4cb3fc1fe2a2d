//! What the scans of one machine prove.
//!
//! "There is no such session" can be said only after a scan that would have seen it:
//! complete, not filtered, of the right user, and not older than what is judged. This
//! module turns scans into answers to the questions that the rules ask.

use std::collections::BTreeSet;

use foldhash::HashMap;
use itertools::Itertools;
use jiff::Timestamp;

use super::unasked::{HIDDEN, ServersWithClaude, possible_host, unasked_host};
use crate::record::{
    Agent, End, Machine, Names, Of, ProcSource, Process, Registry, RegistryFile, Servers, Session,
    is_active,
};
use crate::stream::{Malformed, Scan, Sourced, subject};

/// Everything that was seen of one machine for one user.
#[derive(Debug)]
pub struct MachineState<'s, 'a> {
    /// The machine.
    pub machine: Machine,
    /// The user for whom it was seen: nothing that belongs to others is judged.
    pub uid: u32,
    /// Registry entries, each once, with the end of their scan, in no order: there may be
    /// very many.
    pub agents: Vec<(&'s Sourced<'a, Agent<'a>>, &'s End)>,
    /// Registries with the end of their scan.
    pub registries: Vec<(&'s Sourced<'a, Registry>, &'s End)>,
    /// Sessions, each once, with the end of their scan.
    pub sessions: Vec<(&'s Sourced<'a, Session>, &'s End)>,
    /// Processes that are Claude, each once, with the end of their scan.
    pub processes: Vec<(&'s Sourced<'a, Process>, &'s End)>,
    /// Processes that Claude has left, each once, with the end of their scan.
    pub left: Vec<(&'s Sourced<'a, Process>, &'s End)>,
    /// The ends of all scans.
    pub ends: Vec<&'s End>,
}

/// Groups scans by machine and user.
///
/// # Errors
/// [`Malformed`] when a scan of sessions is incomplete: then nothing can be concluded,
/// because every agent and every process might be in a session that was not seen.
pub fn machine_states<'s, 'a>(
    scans: &'s [Scan<'a>],
) -> Result<Vec<MachineState<'s, 'a>>, Malformed> {
    if let Some(scan) = scans.iter().find(|l| l.end.of == Of::Sessions && !l.end.complete) {
        let why = scan.end.error.as_deref().unwrap_or("no reason given");
        let reason = format!("the scan of sessions on {} is incomplete: {why}", scan.end.host);
        return Err(Malformed { line: 0, reason });
    }
    let by_run = scans.iter().into_group_map_by(|scan| (scan.end.machine(), scan.end.uid));
    Ok(by_run
        .into_iter()
        .sorted_by(|(a, _), (b, _)| a.cmp(b))
        .map(|((machine, uid), scans)| state(machine, uid, &scans))
        .collect())
}

fn state<'s, 'a>(machine: Machine, uid: u32, scans: &[&'s Scan<'a>]) -> MachineState<'s, 'a> {
    // If two scans saw the same thing, the later one counts. Everything else is sorted only so
    // that the output does not depend on the order of the lines.
    let newest_first = || {
        scans.iter().copied().sorted_by_key(|l| (std::cmp::Reverse(l.end.taken_at), &l.end.scan))
    };
    let (processes, left) = newest_first()
        .flat_map(|scan| by_line(&scan.processes).map(move |process| (process, &scan.end)))
        .unique_by(|(process, _)| (process.record.pid, &process.record.start_time))
        .partition(|(process, _)| process.record.is_claude());
    MachineState {
        machine,
        uid,
        agents: agents(newest_first()),
        registries: newest_first()
            .flat_map(|scan| by_line(&scan.registries).map(move |registry| (registry, &scan.end)))
            .unique_by(|(registry, _)| &registry.record.path)
            .collect(),
        sessions: newest_first()
            .flat_map(|scan| by_line(&scan.sessions).map(move |session| (session, &scan.end)))
            .unique_by(|(s, _)| (s.record.server_pid, &s.record.id, s.record.created))
            .collect(),
        processes,
        left,
        ends: newest_first().map(|scan| &scan.end).collect(),
    }
}

/// The entries of these scans, each once, as the first scan has it. If a scan has an entry
/// twice, one that is active counts before one that is over: that could hide it. Of several,
/// the line that sorts first does.
fn agents<'s, 'a: 's>(
    scans: impl Iterator<Item = &'s Scan<'a>> + Clone,
) -> Vec<(&'s Sourced<'a, Agent<'a>>, &'s End)> {
    let count = scans.clone().map(|scan| scan.agents.len()).sum();
    let mut agents: Vec<(&Sourced<'_, Agent<'_>>, &End)> = Vec::with_capacity(count);
    let mut known: HashMap<(&str, &str), usize> = HashMap::default();
    known.reserve(count);
    for scan in scans {
        let first = agents.len();
        for agent in &scan.agents {
            let at =
                *known.entry((&agent.record.registry, &agent.record.id)).or_insert(agents.len());
            if at == agents.len() {
                agents.push((agent, &scan.end));
            } else if at >= first && rank(agent) < rank(agents[at].0) {
                agents[at].0 = agent;
            }
        }
    }
    agents
}

fn rank<'r>(agent: &'r Sourced<'_, Agent<'_>>) -> (bool, &'r str) {
    (!is_active(agent.record.scope, agent.record.status.as_deref()), agent.line)
}

fn by_line<'s, 'a, T>(records: &'s [Sourced<'a, T>]) -> impl Iterator<Item = &'s Sourced<'a, T>> {
    records.iter().sorted_by_key(|record| record.line)
}

impl MachineState<'_, '_> {
    /// The ends of the scans of one kind.
    pub fn scans(&self, of: Of) -> impl Iterator<Item = &End> {
        self.ends.iter().copied().filter(move |end| end.of == of)
    }

    /// Why it cannot be concluded from the scans of this kind that something does not exist;
    /// `None` if it can.
    pub fn gap(&self, of: Of) -> Option<String> {
        let what = subject(of);
        if self.scans(of).next().is_none() {
            return Some(format!("there is no scan of {what}"));
        }
        if self.scans(of).any(|end| !end.complete) {
            return Some(format!("the scan of {what} is incomplete"));
        }
        self.scans(of).any(|end| end.filtered).then(|| format!("the scan of {what} was filtered"))
    }

    /// Why nothing is concluded about what `uid` owns; `None` if something may be.
    pub fn owner_gap(&self, uid: u32) -> Option<String> {
        (uid != self.uid).then(|| {
            let own = self.uid;
            format!(
                "owned by uid {uid}, and the scan is for uid {own}; as root, give --user {uid} \
                 to every program"
            )
        })
    }

    /// Why it cannot be concluded that a session does not exist. `since`: the scan must not be
    /// older than this, because the orchestrator makes the session first and the entry then.
    pub fn session_gap(&self, since: Option<Timestamp>) -> Option<String> {
        if let Some(gap) = self.gap(Of::Sessions) {
            return Some(gap);
        }
        self.scans(Of::Sessions)
            .any(|end| since.is_some_and(|since| end.taken_at < since))
            .then(|| "the scan of sessions is older than the scan of agents".to_owned())
    }

    /// Why the session of an entry of this registry may be on a server that was not asked;
    /// `None` if it cannot be.
    pub fn unasked_gap(&self, registry: &RegistryFile) -> Option<String> {
        if self.scans(Of::Sessions).any(|end| end.unasked.is_none()) {
            return Some("the scan of sessions does not say which servers it left out".to_owned());
        }
        if self.scans(Of::Sessions).any(|end| end.hides_others == Some(true)) {
            return Some(HIDDEN.to_owned());
        }
        let with_claude = match self.gap(Of::Processes) {
            None => ServersWithClaude::of(self.processes.iter().map(|(p, _)| &p.record)),
            Some(_) => ServersWithClaude::Any,
        };
        let unasked = self.scans(Of::Sessions).flat_map(|end| end.unasked.iter().flatten());
        let unasked = unasked.sorted_by_key(|server| server.pid);
        let host = possible_host(registry, unasked, &with_claude)?;
        Some(unasked_host(host, &with_claude))
    }

    /// The name of a user, if a process record has it and it is safe in a command.
    pub fn user_name(&self, uid: u32) -> Option<String> {
        let processes = self.processes.iter().map(|(process, _)| &process.record);
        let name = processes.filter(|process| process.uid == uid).find_map(|p| p.user.clone())?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (name.starts_with(|c: char| c != '-') && name.chars().all(is_plain)).then_some(name)
    }

    /// The other users who own everything that was seen, if nothing could be judged because of
    /// that: all registries or, without registries, everything else.
    pub fn only_others(&self) -> Option<BTreeSet<u32>> {
        let registries = self.registries.iter().map(|(r, _)| r.record.file.owner_uid);
        let sessions = self.sessions.iter().map(|(s, _)| s.record.uid);
        let processes = self.processes.iter().map(|(p, _)| p.record.uid);
        let owners: BTreeSet<u32> = match self.registries.is_empty() {
            true => sessions.chain(processes).collect(),
            false => registries.collect(),
        };
        (!owners.is_empty() && !owners.contains(&self.uid)).then_some(owners)
    }

    /// The servers that answered.
    pub fn server_pids(&self) -> BTreeSet<i32> {
        self.scans(Of::Sessions).flat_map(|end| end.server_pids.iter().flatten().copied()).collect()
    }

    /// Which servers were asked: all, if one scan asked all.
    pub fn servers(&self) -> Option<Servers> {
        let asked = |servers| self.scans(Of::Sessions).any(|end| end.servers == Some(servers));
        [Servers::All, Servers::Named].into_iter().find(|servers| asked(*servers))
    }

    /// The sockets of the servers that answered.
    pub fn sockets(&self) -> Vec<String> {
        let sockets = self.scans(Of::Sessions).flat_map(|end| end.sockets.iter().flatten());
        sockets.cloned().sorted().dedup().collect()
    }

    /// Which names counted as Claude.
    pub fn names(&self) -> Option<Names> {
        self.scans(Of::Processes).find_map(|end| end.names.clone())
    }

    /// Where the process table was read: by the scans of processes, else by those of
    /// sessions.
    pub fn proc_source(&self) -> Option<ProcSource> {
        let ends = self.scans(Of::Processes).chain(self.scans(Of::Sessions));
        ends.into_iter().find_map(|end| end.proc_source)
    }

    /// The instant of the earliest scan.
    pub fn taken_at(&self) -> Timestamp {
        self.ends.iter().map(|end| end.taken_at).min().unwrap_or_default()
    }
}
