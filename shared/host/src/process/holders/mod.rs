//! What holds a process, as `/proc` shows it: the facts that `model::rules::holding` judges.
//!
//! Only of candidates, Claude processes whose line ends at a reaper, everything is asked; then
//! the open files of all processes that may be read are gone through once, for all of them.

mod background;
mod candidate;
mod claude_files;
mod dead_pipeline;
mod everyone;
mod file_key;
mod line;
mod open_files;
mod other_end;
mod own_tree;
mod report;
mod sockets;
mod survey;

pub use claude_files::{OfClaude, of_claude};
pub use report::{Asked, holdings, is_orphan};
pub use survey::Survey;
