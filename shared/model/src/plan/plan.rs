//! Findings in the order of acting.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};

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

    /// Removes the items whose finding `keeps` says to keep, and why.
    ///
    /// # Errors
    /// The first of `keeps`: then nothing may be acted on.
    pub fn keep<E>(
        &mut self,
        keeps: &mut dyn FnMut(&PlannedAction<'a>) -> Result<Option<String>, E>,
    ) -> Result<Vec<Left<'a>>, E> {
        let mut left = Vec::new();
        keep_processes(&mut self.processes, keeps, &mut left)?;
        keep(&mut self.sessions, keeps, &mut left)?;
        for items in self.registries.values_mut() {
            keep(&mut items.entries, keeps, &mut left)?;
        }
        Ok(left)
    }
}

fn keep<'a, T, E>(
    items: &mut Vec<PlanItem<'a, T>>,
    keeps: &mut dyn FnMut(&PlannedAction<'a>) -> Result<Option<String>, E>,
    left: &mut Vec<Left<'a>>,
) -> Result<(), E> {
    let unfit = items
        .iter()
        .map(|item| Ok(keeps(&item.action)?.map(|reason| (Outcome::Skipped, reason))))
        .collect::<Result<_, E>>()?;
    take_out(items, unfit, left);
    Ok(())
}

/// A server is kept as a whole if one of its processes is.
fn keep_processes<'a, E>(
    items: &mut Vec<PlanItem<'a, Process>>,
    keeps: &mut dyn FnMut(&PlannedAction<'a>) -> Result<Option<String>, E>,
    left: &mut Vec<Left<'a>>,
) -> Result<(), E> {
    let reasons: Vec<Option<String>> =
        items.iter().map(|item| keeps(&item.action)).collect::<Result<_, E>>()?;
    let top = |item: &PlanItem<'_, Process>| Some(item.subject.server.as_ref()?.top);
    let mut kept: HashMap<i32, &str> = HashMap::default();
    for (item, reason) in items.iter().zip(&reasons) {
        if let (Some(top), Some(reason)) = (top(item), reason) {
            kept.entry(top).or_insert(reason);
        }
    }
    let unfit = items.iter().zip(&reasons).map(|(item, reason)| {
        let of_chain = || Some((*kept.get(&top(item)?)?).to_owned());
        Some((Outcome::Skipped, reason.clone().or_else(of_chain)?))
    });
    let unfit = unfit.collect();
    take_out(items, unfit, left);
    Ok(())
}

/// An outcome and the reason, for an item that is not acted on.
type Unfit = (Outcome, String);

fn settle<'a, T: Identity>(items: &mut Vec<PlanItem<'a, T>>, run: &Run, left: &mut Vec<Left<'a>>) {
    let mut known = HashSet::default();
    let unfit = items
        .iter()
        .map(|item| {
            let foreign = || {
                let owner = item.subject.owner().filter(|owner| *owner != run.uid)?;
                Some(format!("it belongs to uid {owner}"))
            };
            match item.action.origin.refusal(run).or_else(foreign) {
                Some(reason) => Some((Outcome::Refused, reason)),
                None if known.insert(item.subject.key()) => None,
                None => Some((Outcome::Gone, "an earlier finding covers it".to_owned())),
            }
        })
        .collect();
    drop(known);
    take_out(items, unfit, left);
}

/// Takes the items out that are unfit, by their positions.
pub(super) fn take_out<'a, T>(
    items: &mut Vec<PlanItem<'a, T>>,
    unfit: Vec<Option<Unfit>>,
    left: &mut Vec<Left<'a>>,
) {
    if unfit.iter().all(Option::is_none) {
        return;
    }
    for (item, unfit) in std::mem::take(items).into_iter().zip(unfit) {
        match unfit {
            None => items.push(item),
            Some((outcome, reason)) => left.push((item.action, outcome, reason)),
        }
    }
}
