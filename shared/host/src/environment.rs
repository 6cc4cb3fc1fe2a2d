//! The environment, as far as it is trusted.
//!
//! After a process has become another user (`--user`), its environment is still root's: root's
//! `TMUX`, `TMPDIR` or `CLAUDE_…` must mean nothing to a run for another user, and must reach
//! no child. `std::env::remove_var` is unsafe, so the environment is not changed; every program
//! reads it through this module instead.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The variables kept from the caller, besides `LC_…`: where programs are, and how to show text
/// and time.
const GIVEN: [&str; 4] = ["PATH", "LANG", "TERM", "TZ"];

/// The variables that describe the user. Children get them besides those of the caller.
const OWN: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];

/// The user that this process has become.
static ACCOUNT: OnceLock<Account> = OnceLock::new();

/// What an account says of its own environment.
#[derive(Debug)]
pub(crate) struct Account {
    /// The name; a number for a uid without a passwd entry.
    pub name: String,
    pub home: PathBuf,
    pub shell: PathBuf,
}

/// From now on, only the caller's variables above and this user's own count.
pub(crate) fn reduce(account: Account) {
    // A process becomes another user only once.
    let _ = ACCOUNT.set(account);
}

/// Whether this process has become another user.
pub(crate) fn is_reduced() -> bool {
    ACCOUNT.get().is_some()
}

/// A variable of the environment. After `--user`, only `PATH`, `LANG`, `LC_…`, `TERM` and `TZ`
/// are the caller's, and `HOME`, `USER`, `LOGNAME` and `SHELL` are the user's own; there are no
/// others.
pub fn var(name: &str) -> Option<OsString> {
    let Some(account) = ACCOUNT.get() else { return env::var_os(name) };
    match name {
        "HOME" => Some(account.home.clone().into()),
        "USER" | "LOGNAME" => Some(account.name.clone().into()),
        "SHELL" => Some(account.shell.clone().into()),
        _ => env::var_os(name).filter(|_| is_given(OsStr::new(name))),
    }
}

/// The whole environment of a child.
pub(crate) fn of_children() -> impl Iterator<Item = (OsString, OsString)> {
    let given = env::vars_os().filter(|(name, _)| is_given(name));
    given.chain(OWN.into_iter().filter_map(|name| Some((name.into(), var(name)?))))
}

fn is_given(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    GIVEN.contains(&&*name) || name.starts_with("LC_")
}
