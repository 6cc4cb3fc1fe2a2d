//! How many processes can be held at a time.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are left for reading the process table and what tmux prints.
const FOR_OTHERS: u64 = 64;
/// More than any machine has to end at a time.
const ENOUGH: u64 = 1 << 20;

/// How many processes may be held at a time. Each may take a descriptor, and a shell's
/// default limit is 1024: the limit is raised as far as this process may.
///
/// # Errors
/// When the limit leaves no descriptor for any.
pub fn capacity() -> io::Result<usize> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    match limit.min(ENOUGH).saturating_sub(FOR_OTHERS) {
        0 => Err(io::Error::other(format!(
            "the limit of {limit} open files is too low; raise it with ulimit -n"
        ))),
        capacity => Ok(capacity as usize),
    }
}
