//! The command line of `agentdiff`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Parser, ValueHint};
use cli::{Findings, OutputArgs, UserArgs, seconds};
use jiff::SignedDuration;
use model::parse::tmux::AGENT_PREFIX;
use model::record::How;
use model::rules::Options;
use model::rules::holding::Lifted;

/// Judge the records of the listers: what has leaked, what is a ghost, what must be left alone.
///
/// Reads the records of lsagents, lssessions and lsclaude, in any order, from the files given
/// or from standard input, and writes findings, one JSON object a line. It reads nothing but
/// its input and the keep file, and concludes only what these prove; standard error says what it
/// could not judge.
#[derive(Debug, Parser)]
#[command(
    name = "agentdiff",
    version,
    args_override_self = true,
    after_help = "Exit status: 0 nothing to act on, 1 findings with an action, 2 trouble."
)]
pub struct Arguments {
    /// Files of records; `-` is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Sessions whose names start with this text are agent sessions
    #[arg(long, value_name = "TEXT", default_value = AGENT_PREFIX, value_parser = prefix)]
    pub prefix: String,

    /// Do not judge processes and sessions younger than this (2s, 1m, 1h; a bare number is
    /// seconds)
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = seconds)]
    pub min_age: std::time::Duration,

    /// Do not judge registry entries younger than this, by their own times
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = seconds)]
    pub entry_age: std::time::Duration,

    /// Count every Claude outside tmux as a leak, even if something holds it
    #[arg(long)]
    pub outside_tmux: bool,

    /// Count a Claude as leaked although these hold it, such as log,reader
    #[arg(long, value_name = "HOW[,HOW...]", value_parser = Lifted::despite)]
    pub despite: Option<BTreeSet<How>>,

    /// Count agent sessions without Claude as zombies, even if something else runs in them
    #[arg(long)]
    pub busy: bool,

    /// Count idle agent sessions as zombies at once, even if no registry entry names them; without
    /// this option, such a session must have been idle for ten minutes
    #[arg(long)]
    pub unregistered: bool,

    /// Assume that tmux servers that were not asked belong to other registries, even if they
    /// have Claude and may write this one
    #[arg(long)]
    pub ignore_unasked: bool,

    /// Report task registries in which every agent is over and nothing has changed for this
    /// long (such as 7d)
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub stale_after: Option<std::time::Duration>,

    /// Write no records, only set the exit status
    #[arg(short, long)]
    pub quiet: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub user: UserArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs<Findings>,
}

impl AsRef<UserArgs> for Arguments {
    fn as_ref(&self) -> &UserArgs {
        &self.user
    }
}

impl Arguments {
    /// How to judge.
    pub fn options(&self) -> Options {
        Options {
            prefix: self.prefix.clone(),
            min_age: signed(self.min_age),
            entry_age: signed(self.entry_age),
            outside_tmux: self.outside_tmux,
            despite: self.despite.clone().unwrap_or_default(),
            busy: self.busy,
            unregistered: self.unregistered,
            ignore_unasked: self.ignore_unasked,
            stale_after: self.stale_after.map(signed),
        }
    }
}

/// A prefix that distinguishes agent sessions from others. With an empty one, as from an unset
/// variable, every idle session would be a zombie.
fn prefix(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("empty: every session would be an agent session".to_owned());
    }
    Ok(text.to_owned())
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
