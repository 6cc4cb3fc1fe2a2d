//! What is to be done, and about what.

use std::rc::Rc;

use super::origin::Origin;
use crate::record::{ActionKind, Agent, Kind, Registry, Scope, Session, Text};

/// What is to be done about a finding. There may be hundreds of thousands, so what they share
/// is stored once, and the finding itself only as it was read.
#[derive(Debug)]
pub struct PlannedAction<'a> {
    /// What to do.
    pub kind: ActionKind,
    /// What was found.
    pub found: Kind,
    /// What it is about, for people.
    pub target: Text<'a>,
    /// The reason of the finding, for people.
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

/// A zombie session, as it was found.
#[derive(Debug)]
pub struct Zombie<'a> {
    /// The session.
    pub session: Session,
    /// The entry that names it; none: it was judged without one.
    pub named_by: Option<Box<Agent<'a>>>,
}

/// The entry of a ghost, as it was found.
#[derive(Debug)]
pub struct Ghost<'a> {
    /// The id of the entry.
    pub id: Text<'a>,
    /// Distinguishes it from a later entry with the same id.
    pub started_at: Option<Text<'a>>,
    /// The kind of its registry.
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
