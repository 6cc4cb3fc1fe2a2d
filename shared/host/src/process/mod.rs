//! The process table, the processes in it that are Claude, and what those have left.

mod claude;
mod hidden;
#[cfg(all(feature = "proc", target_os = "linux"))]
pub mod holders;
mod holding;
#[cfg(all(feature = "proc", target_os = "linux"))]
mod proc;
pub(crate) mod process_source;
pub(crate) mod process_table;
mod ps;
pub(crate) mod stat;

pub use claude::{list, of};
pub use hidden::hides_others;
pub use process_source::USUAL;
pub use process_table::Table;
pub use stat::{ProcessMap, ProcessStat};
