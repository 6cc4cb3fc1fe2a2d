//! The command line of `lssessions`.

use std::path::PathBuf;

use clap::{Parser, ValueHint};
use cli::{OutputArgs, Sessions, UserArgs, proc_source};
use model::record::ProcSource;

/// List tmux sessions and what runs in their panes, one JSON object a line.
///
/// Without -S and -L, every tmux server of this user is asked, even one that is found only in
/// the process table. The last line is an `end` record that says whether the list is complete:
/// a server that cannot be asked is trouble, never zero sessions. Servers of other users and in
/// containers are not asked; the `end` record names them.
#[derive(Debug, Parser)]
#[command(
    name = "lssessions",
    version,
    args_override_self = true,
    after_help = "Exit status: 0 listed, 2 could not list everything."
)]
pub struct Arguments {
    /// Ask only the server on this socket (repeatable)
    #[arg(short = 'S', long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub socket: Vec<PathBuf>,

    /// Ask only the server with this label, as tmux -L does (repeatable)
    #[arg(short = 'L', long, value_name = "NAME")]
    pub label: Vec<String>,

    /// Read the process table from /proc or from the program ps [default: proc on Linux, else
    /// ps]
    #[arg(long, value_name = "SOURCE", value_parser = proc_source())]
    pub proc_source: Option<ProcSource>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub user: UserArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs<Sessions>,
}

impl AsRef<UserArgs> for Arguments {
    fn as_ref(&self) -> &UserArgs {
        &self.user
    }
}
