//! The plan: findings read back and put in the order in which they are acted on.
//!
//! Processes come first, then sessions, then registries, so that each step sees what the
//! one before it has done. What must not be acted on from here, and what was given more
//! than once, is sorted out in the plan, before anything is done.

mod confirm;
mod identity;
mod item;
mod origin;
#[expect(clippy::module_inception, reason = "Plan is the noun of this file, and of the directory")]
mod plan;
mod read;
pub mod undo;

pub use confirm::CONFIRMS_AFTER;
pub use identity::Identity;
pub use item::{Ghost, PlanItem, PlannedAction, RegistryItems, Zombie};
pub use origin::{Origin, Run};
pub use plan::{Left, Plan};
pub use read::read;
