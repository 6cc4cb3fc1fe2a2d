//! Reading action records back, to undo what was done to registries.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::item::PlannedAction;
use super::origin::Origins;
use crate::record::{ActionKind, Agent, Finding, Outcome, RemovedEntry, Text};
use crate::stream::{Malformed, lines, parse};

/// What is to be undone in one registry.
#[derive(Debug, Default)]
pub struct Undo<'a> {
    /// The entries to put back, in the order in which they were removed or marked.
    pub entries: Vec<(PlannedAction<'a>, RemovedEntry<'a>)>,
}

#[derive(Deserialize)]
struct Done<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    action: Option<ActionKind>,
    result: Option<Outcome>,
    #[serde(borrow)]
    entry: Option<RemovedEntry<'a>>,
    #[serde(borrow)]
    finding: Option<&'a RawValue>,
}

/// Reads action records, such as a log, and returns what was done to registries, by path. Skips
/// what was only planned, what was put back since, and what was done to processes and sessions.
///
/// # Errors
/// [`Malformed`] for a line that is not a record, and for an input without actions.
pub fn read(text: &str) -> Result<BTreeMap<String, Undo<'_>>, Malformed> {
    let mut undos: BTreeMap<String, Undo<'_>> = BTreeMap::new();
    let mut origins = Origins::default();
    let mut actions = 0;
    for (number, line) in lines(text) {
        let done: Done<'_> = parse(number, line)?;
        let (true, Some(raw)) = (&*done.kind == "action", done.finding) else { continue };
        actions += 1;
        if done.result != Some(Outcome::Done) {
            continue;
        }
        let finding: Finding<'_> = parse(number, raw.get())?;
        let origin = origins.of(&finding).map_err(|error| Malformed { line: number, ..error })?;
        let agent = || parse::<Agent<'_>>(number, finding.agent.map_or("null", RawValue::get));
        match (done.entry, done.action) {
            (Some(entry), _) => {
                let agent = agent()?;
                let undo = undos.entry(agent.registry.to_string()).or_default();
                let Finding { target, reason, .. } = finding;
                let (kind, found) = (ActionKind::RestoreEntry, finding.kind);
                let raw = raw.get();
                let action = PlannedAction { kind, found, target, reason, origin, raw };
                undo.entries.push((action, entry));
            }
            (None, Some(ActionKind::RestoreEntry)) => {
                let agent = agent()?;
                if let Some(undo) = undos.get_mut(&*agent.registry) {
                    undo.entries.retain(|(_, entry)| entry.id() != &*agent.id);
                }
            }
            _ => {}
        }
    }
    if actions == 0 {
        let reason = "no action records: --undo reads the output or the --log of agentprune --yes";
        return Err(Malformed { line: 0, reason: reason.to_owned() });
    }
    undos.retain(|_, undo| !undo.entries.is_empty());
    Ok(undos)
}
