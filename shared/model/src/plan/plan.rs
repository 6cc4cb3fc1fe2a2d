//! Findings in the order of acting.

use std::collections::BTreeMap;

use foldhash::HashSet;

use super::identity::Identity;
use super::item::{PlanItem, PlannedAction, RegistryItems, Zombie};
use super::origin::Run;
use crate::record::{End, Outcome, Process};

/// Findings in the order of acting.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Processes to end.
    pub processes: Vec<PlanItem<'a, Process>>,
    /// Sessions to end.
    pub sessions: Vec<PlanItem<'a, Zombie<'a>>>,
    /// Registries to edit, by path.
    pub registries: BTreeMap<String, RegistryItems<'a>>,
    /// Number of findings, including those without an action.
    pub findings: u64,
    /// The ends of the judgements that were read.
    pub ends: Vec<End>,
}

/// An action that is not carried out, its result and the reason.
pub type Left<'a> = (PlannedAction<'a>, Outcome, String);

impl<'a> Plan<'a> {
    /// All actions, in the order of acting.
    pub fn actions(&self) -> impl Iterator<Item = &PlannedAction<'a>> {
        let processes = self.processes.iter().map(|item| &item.action);
        let sessions = self.sessions.iter().map(|item| &item.action);
        let registries = self.registries.values().flat_map(RegistryItems::actions);
        processes.chain(sessions).chain(registries)
    }

    /// Removes what this run must not act on, and each finding about a thing that an earlier
    /// finding covers. Afterwards the plan has each process, session, entry and registry at
    /// most once.
    pub fn settle(&mut self, run: &Run) -> Vec<Left<'a>> {
        let mut left = Vec::new();
        settle(&mut self.processes, run, &mut left);
        settle(&mut self.sessions, run, &mut left);
        for items in self.registries.values_mut() {
            settle(&mut items.entries, run, &mut left);
            settle(&mut items.counters, run, &mut left);
        }
        left
    }
}

fn settle<'a, T: Identity>(items: &mut Vec<PlanItem<'a, T>>, run: &Run, left: &mut Vec<Left<'a>>) {
    let mut known = HashSet::default();
    let mut reasons = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let foreign = || {
            let owner = item.subject.owner().filter(|owner| *owner != run.uid)?;
            Some(format!("it belongs to uid {owner}"))
        };
        match item.action.origin.refusal(run).or_else(foreign) {
            Some(reason) => reasons.push((at, Outcome::Refused, reason)),
            None if known.insert(item.subject.key()) => {}
            None => reasons.push((at, Outcome::Gone, "an earlier finding covers it".to_owned())),
        }
    }
    drop(known);
    let mut reasons = reasons.into_iter().peekable();
    if reasons.peek().is_none() {
        return;
    }
    for (at, item) in std::mem::take(items).into_iter().enumerate() {
        match reasons.next_if(|(of, ..)| *of == at) {
            None => items.push(item),
            Some((_, outcome, reason)) => left.push((item.action, outcome, reason)),
        }
    }
}
