//! The process table, and the processes in it that are Claude.

mod claude;
#[cfg(all(feature = "proc", target_os = "linux"))]
pub(crate) mod proc;
pub(crate) mod process_source;
pub(crate) mod process_table;
pub(crate) mod ps;

pub use claude::{claude, of};
pub use process_source::{ProcessMap, ProcessStat, USUAL};
pub use process_table::Table;
