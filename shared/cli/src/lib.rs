//! What the programs of agentutils have in common on the command line: options, the fields of
//! records, how records are printed, what is said on standard error, and how a program ends.

mod args;
mod cell;
mod column;
mod diagnostics;
mod expression;
mod field;
mod fields;
mod filter;
mod input;
mod keep;
mod misspelt;
mod output;
mod scan;
mod source;
mod table;
mod terminal;
mod units;
mod user;
mod word;

pub use args::{LayoutArgs, OutputArgs};
pub use cell::{Cell, cell, escaped};
pub use column::{Column, columns};
pub use diagnostics::{Failure, Program};
pub use field::{Field, Output, RecordType, Unit};
pub use fields::{ALL, Actions, Agents, Findings, Processes, Sessions};
pub use filter::Filter;
pub use input::Input;
pub use keep::Keep;
pub use output::Printer;
pub use scan::ScanWriter;
pub use source::proc_source;
pub use table::{TableStyle, cut, filled, painted, render, wrapped};
pub use terminal::{height, rewrites, width};
pub use units::{bytes, duration, seconds, size};
pub use user::UserArgs;
pub use word::{Tone, Word};
