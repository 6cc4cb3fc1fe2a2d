//! What is to be done, and about what.

use std::rc::Rc;

use super::origin::Origin;
use crate::record::{ActionKind, Agent, Registry, Scope, Text};

/// What is to be done about a finding. There may be hundreds of thousands: what many of
/// them share stands once, and the finding itself only as it was read.
#[derive(Debug)]
pub struct PlannedAction<'a> {
    /// What to do.
    pub kind: ActionKind,
    /// About what, for people.
    pub target: Text<'a>,
    /// Why.
    pub reason: Text<'a>,
    /// Where it was found, and by what.
    pub origin: Rc<Origin>,
    /// The finding as it was read, one JSON object.
    pub raw: &'a str,
}

/// An action and its subject.
#[derive(Debug)]
pub struct PlanItem<'a, T> {
    /// The action.
    pub action: PlannedAction<'a>,
    /// The record, or the part of it that acting needs.
    pub subject: T,
}

/// The entry of a ghost, as it was found.
#[derive(Debug)]
pub struct Ghost<'a> {
    /// Its id.
    pub id: Text<'a>,
    /// Tells it from another entry that gets the same id later.
    pub started_at: Option<Text<'a>>,
    /// The kind of registry it stands in.
    pub scope: Scope,
    /// The whole record, if that is a database: a row is changed only if it still says so.
    pub row: Option<Box<Agent<'a>>>,
}

/// The items that concern one registry.
#[derive(Debug, Default)]
pub struct RegistryItems<'a> {
    /// Entries to remove or to mark.
    pub entries: Vec<PlanItem<'a, Ghost<'a>>>,
    /// The registry itself, for its counters.
    pub counters: Vec<PlanItem<'a, Registry>>,
}

impl<'a> RegistryItems<'a> {
    /// All actions, those for entries first.
    pub fn actions(&self) -> impl Iterator<Item = &PlannedAction<'a>> {
        let entries = self.entries.iter().map(|item| &item.action);
        entries.chain(self.counters.iter().map(|item| &item.action))
    }
}
