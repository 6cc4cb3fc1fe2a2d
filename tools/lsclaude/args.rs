//! The command line of `lsclaude`.

use clap::Parser;
use cli::{OutputArgs, Processes, UserArgs, proc_source};
use model::record::{ProcSource, Role};

/// List the processes that are Claude, and those that it has left, one JSON object a line.
///
/// A process is Claude by the base name of its executable, of its first argument, or of
/// the script an interpreter runs; never by a part of its arguments. The last line is an
/// `end` record that says whether the list is complete.
#[derive(Debug, Parser)]
#[command(
    name = "lsclaude",
    version,
    args_override_self = true,
    after_help = "Exit status: 0 listed, 2 could not list everything."
)]
pub struct Arguments {
    /// Count processes of this name as Claude, and no others, not even installations of Claude
    /// (repeatable)
    #[arg(long, value_name = "NAME", conflicts_with = "also_name")]
    pub name: Vec<String>,

    /// Also count processes of this name as Claude (repeatable)
    #[arg(long, value_name = "NAME")]
    pub also_name: Vec<String>,

    /// List processes with these roles: claude, server (MCP servers that Claude has left), child
    /// (whatever else it has left) [default: claude,server; with --name, claude]
    #[arg(long, value_name = "ROLE[,ROLE...]", value_delimiter = ',')]
    pub role: Vec<Role>,

    /// Give all arguments in full
    #[arg(long)]
    pub full: bool,

    /// Read the process table from /proc or from the program ps [default: proc on Linux, else
    /// ps]
    #[arg(long, value_name = "SOURCE", value_parser = proc_source())]
    pub proc_source: Option<ProcSource>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub user: UserArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs<Processes>,
}

impl Arguments {
    /// The roles that are listed. Servers are known as those of the Claude that everybody has: with
    /// other names, they are left out unless they are asked for.
    pub fn roles(&self) -> Vec<Role> {
        match (self.role.is_empty(), self.name.is_empty()) {
            (false, _) => self.role.clone(),
            (true, true) => vec![Role::Claude, Role::Server],
            (true, false) => vec![Role::Claude],
        }
    }
}

impl AsRef<UserArgs> for Arguments {
    fn as_ref(&self) -> &UserArgs {
        &self.user
    }
}
