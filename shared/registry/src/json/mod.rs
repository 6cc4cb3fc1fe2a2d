//! Registries that are JSON files, as text: where the entries and counters stand
//! ([`Layout`]), how to take entries out or mark them without touching a byte of the rest
//! ([`edit()`]), and how to put them back ([`restore()`]).
//!
//! Two shapes are in use. In a *global* registry `agents` is an object by id; in the
//! registry of one *task* it is an array of objects with an `id`.
//!
//! The orchestrator opens a registry for update, takes flock(2) on that very file,
//! retrying for up to ten seconds, and writes in place. A new file renamed over the old
//! one would break that: a writer that waits for the lock would get it on a file that no
//! path leads to any more. So the file stays the same file.

mod agents;
mod beside;
mod change;
mod corrupt;
mod counters;
mod edit;
mod entry;
mod journal;
mod layout;
mod lock;
mod members;
mod recover;
mod registry;
mod restore;
mod slot;
mod snapshot;
mod text;
mod write;
mod write_state;

pub use corrupt::Corrupt;
pub use counters::counter_names;
pub use edit::{Edited, edit};
pub use entry::{Entry, Fields};
pub use layout::Layout;
pub use members::Members;
pub use registry::JsonRegistry;
pub use restore::{RestoredText, restore};
