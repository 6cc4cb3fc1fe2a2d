//! Registries: finding them, reading them, changing them without loss.
//!
//! [`open`] tells the format of a registry; the programs see only the traits of the seam,
//! [`Registry`], [`Snapshot`] and [`Locked`].

pub mod clock;
mod error;
mod find;
pub mod json;
mod open;
mod registry_file;
mod seam;
mod signals;
pub mod sqlite;
mod wait;

pub use error::RegistryError;
pub use find::{Found, FoundWorkspace, Which, find, find_all};
pub use open::open;
pub use seam::{
    Applied, ChangeKind, Edit, EntryNow, EntryState, Locked, NotWritten, Registry, Restored,
    Snapshot, Step, Undo,
};
pub use signals::SignalsWait;
pub use wait::WaitBudget;
