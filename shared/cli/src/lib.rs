//! What the programs of agentutils have in common on the command line: how they end,
//! what they say on standard error, and how they print records.

mod diagnostics;
mod duration;
mod filter;
mod input;
mod look;
mod output;
mod source;
mod table;

pub use diagnostics::{Failure, Program};
pub use duration::seconds;
pub use filter::Filter;
pub use input::Input;
pub use look::Look;
pub use output::{Layout, LayoutArgs, OutputArgs, Printer};
pub use source::proc_source;
pub use table::escaped;
