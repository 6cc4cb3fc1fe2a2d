//! The command line of `lsagents`.

use std::path::PathBuf;

use clap::{Parser, ValueHint};
use cli::{Agents, OutputArgs, UserArgs, size};

/// List the agents in the orchestrator's registries, one JSON object a line.
///
/// The workspace is the one given, else $CLAUDE_ORCHESTRATOR_WORKSPACE, else the nearest
/// `.agent-workspace` from the current directory up. After the agents of a registry comes a
/// record of the registry with its counters; the last line is an `end` record that says
/// whether the list is complete.
#[derive(Debug, Parser)]
#[command(
    name = "lsagents",
    version,
    args_override_self = true,
    after_help = "Exit status: 0 listed, 2 could not list everything."
)]
pub struct Arguments {
    /// Read this registry file (repeatable)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["workspace", "tasks", "all"])]
    pub registry: Vec<PathBuf>,

    /// Read the registries of this workspace, or of the directory it is in (repeatable)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub workspace: Vec<PathBuf>,

    /// Read the registries of the tasks instead of the global one
    #[arg(long, conflicts_with = "all")]
    pub tasks: bool,

    /// Read the global registry and those of the tasks
    #[arg(long)]
    pub all: bool,

    /// Read no registry that is larger than this
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub max_size: u64,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub user: UserArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs<Agents>,
}

impl AsRef<UserArgs> for Arguments {
    fn as_ref(&self) -> &UserArgs {
        &self.user
    }
}
