//! The command line of `agentprune`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum, ValueHint};
use cli::{Actions, LayoutArgs, UserArgs, proc_source, seconds, size};
use model::record::ActionKind;
use model::record::ProcSource;

use super::log::LogName;

/// What happens to the entries of ghosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ghosts {
    /// Remove them from the registry
    Remove,
    /// Keep them, with the status `terminated`
    Mark,
}

impl Ghosts {
    /// The action that does this.
    pub fn kind(self) -> ActionKind {
        match self {
            Ghosts::Remove => ActionKind::RemoveEntry,
            Ghosts::Mark => ActionKind::TerminateEntry,
        }
    }
}

/// Act on the findings of agentdiff, and on no others.
///
/// Without --yes it only shows what it would do. With it, each finding is verified again right
/// before the action, by the identity of what it is about: what has changed is skipped, what no
/// longer exists is reported as gone. Writes the result of each finding, one JSON object a
/// line.
#[derive(Debug, Parser)]
#[command(
    name = "agentprune",
    version,
    args_override_self = true,
    after_help = "Exit status: 0 all done, already gone, or nothing to do; \
                  1 something failed, was refused or skipped; 2 could not run."
)]
pub struct Arguments {
    /// Files of findings; `-` is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Show what would be done and do nothing (the default)
    #[arg(short = 'n', long, conflicts_with = "acting")]
    pub dry_run: bool,

    /// Act
    #[arg(short = 'y', long, group = "acting")]
    pub yes: bool,

    /// Show the plan on the terminal and act if the answer is `yes`
    #[arg(short = 'i', long, group = "acting")]
    pub interactive: bool,

    /// Act only on findings that this file of findings has too, made at least a minute before;
    /// without such a file, on none
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["undo", "recover"])]
    pub confirmed_by: Option<PathBuf>,

    /// How long to wait for all processes together after SIGTERM, before SIGKILL
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = seconds)]
    pub grace: Duration,

    /// Also end the descendants of leaked processes that nothing holds; without this option,
    /// they are only named
    #[arg(long, requires = "yes")]
    pub tree: bool,

    /// What to do with the entries of ghosts [default: remove from a global registry, mark in
    /// that of a task]
    #[arg(long, value_name = "HOW")]
    pub ghosts: Option<Ghosts>,

    /// Put back the entries that were removed or marked, according to these action records
    #[arg(long)]
    pub undo: bool,

    /// Repair this registry after an interrupted write, and do nothing else
    #[arg(long, value_name = "REGISTRY", value_hint = ValueHint::FilePath, conflicts_with_all = ["undo", "files", "dry_run", "acting", "log", "keep_log", "ghosts"])]
    pub recover: Vec<PathBuf>,

    /// How long to wait for the locks of registries, of all of them together
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = seconds)]
    pub lock_timeout: Duration,

    /// Read no registry that is larger than this
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub max_size: u64,

    /// How many backups to keep beside each registry
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub keep_backups: usize,

    /// Append every action record to this file; what is planned is on disk before it is done
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "acting")]
    pub log: Option<PathBuf>,

    /// Append them to NAME.jsonl in $XDG_STATE_HOME/agentutils, say where, and keep the newest 20
    /// logs of that kind; a NAME is such as cleanup-20260102T030405Z-812
    #[arg(long, value_name = "NAME", value_parser = LogName::parse, requires = "acting", conflicts_with = "log")]
    pub keep_log: Option<LogName>,

    /// Write nothing about success
    #[arg(short, long)]
    pub quiet: bool,

    /// Report each step on standard error
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Act only on findings made with this source of the process table; without this option,
    /// each finding is verified with the source that it was made with
    #[arg(long, value_name = "SOURCE", value_parser = proc_source())]
    pub proc_source: Option<ProcSource>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub user: UserArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: LayoutArgs<Actions>,
}

impl AsRef<UserArgs> for Arguments {
    fn as_ref(&self) -> &UserArgs {
        &self.user
    }
}
