//! Registries: finding them, reading them, changing them without loss.
//!
//! [`open`] tells the format of a registry; the programs see only the traits of the seam,
//! [`Registry`], [`Snapshot`] and [`Locked`].

mod access;
pub mod clock;
mod directory;
mod error;
mod find;
pub mod json;
mod open;
mod place;
mod registry_file;
mod seam;
mod signals;
pub mod sqlite;
mod wait;

pub use access::{Access, MAX_SIZE};
pub use error::RegistryError;
pub use find::{Environment, Found, FoundWorkspace, WORKSPACE_VARIABLE, Which, find, find_all};
pub use open::open;
pub use seam::{
    Applied, ChangeKind, Edit, EntryNow, EntryState, Locked, NotWritten, Registry, Restored,
    Snapshot, Step,
};
pub use signals::SignalsWait;
pub use wait::WaitBudget;
