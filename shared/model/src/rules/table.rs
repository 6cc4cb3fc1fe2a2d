//! The table of rules.

use super::context::RuleContext;
use super::machine_state::MachineState;
use super::options::Options;
use super::summary::Summary;
use super::{agent, process, registry, session};
use crate::record::{Finding, Kind};

/// A rule judges everything of its subject once. It reports any kind of finding from its
/// first one on.
type Rule = (Kind, fn(&mut RuleContext<'_, '_>));

/// One rule for each subject, in the order of their first kinds. The rule about entries
/// needs to know what the rule about sessions found.
const RULES: [Rule; 4] = [
    (Kind::LeakedProcess, process::judge),
    (Kind::ZombieSession, session::judge),
    (Kind::GhostAgent, agent::judge),
    (Kind::CountMismatch, registry::judge),
];

/// Judges one state and hands each finding to `found`, in the order of [`Kind`]. That order
/// depends on the records alone, not on the order in which they came.
pub fn judge(
    state: &MachineState<'_, '_>,
    options: &Options,
    found: &mut dyn FnMut(&Finding<'_>),
) -> Summary {
    let mut context = RuleContext::new(state, options, found);
    for (first, rule) in RULES {
        context.begin(first);
        rule(&mut context);
    }
    context.finish()
}
