//! Registry files: finding them, reading them, and writing them under the lock that the
//! orchestrator takes.
//!
//! The orchestrator opens a registry for update, takes flock(2) on that very file,
//! retrying for up to ten seconds, and writes in place. A new file renamed over the old
//! one would break that: a writer that waits for the lock would get it on a file that no
//! path leads to any more. So the file stays the same file.

pub mod clock;
mod error;
mod find;
pub mod json;
pub mod sqlite;
mod wait;

pub use find::{Found, Which, find};
pub use wait::WaitBudget;
