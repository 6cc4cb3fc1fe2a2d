//! What is asked about, and what is found out of what Claude has left.

use model::record::{Holding, Server};

use super::claude_files::{Directories, OfClaude};
use super::left_behind::Tree;

/// A Claude that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'c> {
    /// Its process.
    pub pid: i32,
    /// Its effective uid.
    pub uid: u32,
    /// What it says about itself.
    pub of_claude: &'c OfClaude,
    /// The living tmux server it belongs to.
    pub tmux_server: Option<i32>,
}

/// What Claude has left that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct AskedTree<'c> {
    /// Its processes.
    pub tree: &'c Tree,
    /// The directories of its Claude.
    pub directories: &'c Directories,
    /// The living tmux server it belongs to.
    pub tmux_server: Option<i32>,
}

/// What was found out about one process that Claude has left.
pub type Left = (Holding, Option<Server>);
