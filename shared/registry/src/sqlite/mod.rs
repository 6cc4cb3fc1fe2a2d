//! The orchestrator's database, `registry/state.sqlite3` of a workspace: since January 2026
//! its agents stand there.

mod error;
mod file;
mod progress;
mod read;
mod rows;
mod workspace;
mod write;

pub use file::DatabaseFile;
pub use read::rows;
pub use rows::{Row, Rows};
