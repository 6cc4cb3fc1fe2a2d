//! The command line of `lsagents`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueHint};
use cli::{Agents, OutputArgs, UserArgs, size};

/// List the agents in the orchestrator's registries, one JSON object a line.
///
/// A workspace's registry is its database, where it has one, and its JSON files. The
/// workspace is the one given, else $CLAUDE_ORCHESTRATOR_WORKSPACE, else the nearest
/// `.agent-workspace` from the current directory up, else
/// `~/.claude-orchestrator/workspaces`. After the agents of a registry comes a
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
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["workspace", "all_workspaces", "tasks", "all"])]
    pub registry: Vec<PathBuf>,

    /// Read the registries of this workspace, or of the directory it is in (repeatable)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub workspace: Vec<PathBuf>,

    /// Read the registries of all workspaces that your orchestrator knows
    #[arg(long, conflicts_with = "workspace")]
    pub all_workspaces: bool,

    /// Read the registries of the tasks instead of the global one
    #[arg(long, conflicts_with = "all")]
    pub tasks: bool,

    /// Read the global registry and those of the tasks
    #[arg(long)]
    pub all: bool,

    /// How long to wait for the locks of registries, of all of them together
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = cli::seconds)]
    pub lock_timeout: Duration,

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
