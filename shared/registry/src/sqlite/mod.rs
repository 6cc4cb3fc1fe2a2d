//! The orchestrator's database, `registry/state.sqlite3` of a workspace: since January 2026
//! its agents stand there.

mod error;
mod file;
mod known;
mod limited;
mod marked;
mod places;
mod progress;
mod read;
mod registry;
mod repair;
mod restore;
mod rows;
mod schema;
mod sizes;
mod snapshot;
mod statements;
mod tasks;
mod workspace;
mod write;

pub use file::DatabaseFile;
pub use known::{KnownWorkspace, known_workspaces};
pub use read::rows;
pub use registry::DatabaseRegistry;
pub use rows::{Row, Rows};
