//! What holds a process, as `/proc` shows it: the facts that `model::rules::holding` judges.
//!
//! Only of candidates everything is asked: of Claude processes whose line ends at a reaper, and of
//! what Claude has left. Then the open files of all processes that may be read are gone through
//! once, for all of them.

mod asked;
mod background;
mod candidate;
mod claude_files;
mod dead_pipeline;
mod everyone;
mod examination;
mod file_key;
mod left_behind;
mod line;
mod listening;
mod open_files;
mod other_end;
mod own_tree;
mod report;
mod sockets;
mod stdio;
mod survey;

pub use asked::{Asked, AskedTree, Left};
pub use claude_files::{Directories, OfClaude, SessionFiles, of_claude};
pub use left_behind::{Tree, left_behind};
pub use report::{holdings, is_orphan};
pub use sockets::Sockets;
pub use survey::Survey;
