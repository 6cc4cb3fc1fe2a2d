//! The table of rules.

use super::context::RuleContext;
use super::machine_state::MachineState;
use super::options::Options;
use super::summary::Summary;
use super::{agent, left_behind, process, registry, session};
use crate::record::{Finding, Kind};

/// The first kind of finding that a rule reports, and the rule, which judges everything of its
/// subject once. It may also report kinds that come later in the order.
type Rule = (Kind, fn(&mut RuleContext<'_, '_>));

/// One rule for each subject, in the order of their first kinds. The rule about sessions needs
/// to know which servers have leaked, and the rule about entries what the one about sessions found.
const RULES: [Rule; 5] = [
    (Kind::LeakedProcess, process::judge),
    (Kind::LeakedServer, left_behind::judge),
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
