//! The option that says for whom a program runs.

use clap::{Args, ValueHint};

/// For whom a program runs.
#[derive(Args, Clone, Debug)]
pub struct UserArgs {
    /// Become this user, by name or uid, before anything else (root only); without this, run
    /// for the user who runs it
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username)]
    pub user: Option<String>,
}
