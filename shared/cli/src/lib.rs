//! What the programs of agentutils have in common on the command line: how they end,
//! what they say on standard error, and how they print records.

mod args;
mod diagnostics;
mod field;
mod fields;
mod filter;
mod input;
mod output;
mod scan;
mod source;
mod table;
mod terminal;
mod units;
mod user;
mod word;

pub use args::{LayoutArgs, OutputArgs};
pub use diagnostics::{Failure, Program};
pub use field::{Field, Output, RecordType, Unit};
pub use fields::{ALL, Actions, Agents, Findings, Processes, Sessions};
pub use filter::Filter;
pub use input::Input;
pub use output::{Printer, columns};
pub use scan::ScanWriter;
pub use source::proc_source;
pub use table::{Cell, TableStyle, cell, cut, escaped, filled, painted, render};
pub use terminal::{rewrites, width};
pub use units::{bytes, seconds};
pub use user::UserArgs;
pub use word::{Tone, Word};
