//! How the children of the tests take signals, whatever the tests' own parent ignores.
//!
//! An ignored signal stays ignored across execve(2), and with it in everything that a test
//! starts: under `nohup make test &` neither SIGHUP nor SIGINT would end a tool, a shell or a
//! Claude. A signal with a handler is reset to its default there. So this process gives the
//! signals that it was told to ignore a handler that does nothing: to itself that is the same.

use std::fs;
use std::sync::Arc;
use std::sync::Once;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};
use signal_hook::flag;

/// Those that a shell, nohup(1) or a service manager ignores. SIGPIPE is not among them: the
/// standard library ignores it in itself, and gives children its default.
const SIGNALS: [i32; 8] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU];

/// Sees to it that children are started with default dispositions from now on.
///
/// # Panics
/// When a handler cannot be installed.
pub fn default_for_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ignored = ignored();
        for signal in SIGNALS.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 1) {
            flag::register(signal, Arc::default()).expect("a handler for a signal");
        }
    });
}

/// The signals that this process ignores, a bit each, as in proc(5); none without a /proc.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).expect("a mask of signals"))
}
