//! What agentprune says on standard error while it works: on a terminal how far it is, and
//! with `-v` each step.

use std::io::{self, Write};
use std::time::Duration;

use cli::{cut, escaped, rewrites, width};

use super::program::PROGRAM;

/// How often a terminal is told how far it is.
const PACE: Duration = Duration::from_millis(200);

/// Moves to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// See the [module](self).
#[derive(Debug)]
pub struct Progress {
    /// Whether each step is said.
    pub verbose: bool,
    watched: bool,
    shows: bool,
}

impl Progress {
    /// Says nothing if `quiet`, each step if `verbose`, and how far it is if standard error is
    /// a terminal.
    pub fn new(quiet: bool, verbose: bool) -> Progress {
        Progress { verbose, watched: !quiet && rewrites(&io::stderr()), shows: false }
    }

    /// How long to wait at most until progress is to be shown again.
    pub fn pace(&self) -> Duration {
        if self.watched { PACE } else { Duration::MAX }
    }

    /// Shows how far it is, in place of what was shown before.
    pub fn progress(&mut self, what: &str) {
        if self.watched {
            // A second line could not be cleared.
            let room = width(io::stderr()).map_or(usize::MAX, |columns| columns - 1);
            let _ = write!(io::stderr(), "{CLEAR}{}", cut(&escaped(what), room));
            self.shows = true;
        }
    }

    /// Clears what was shown.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shows) {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }

    /// Says a step, if `verbose`.
    pub fn step(&mut self, what: &str) {
        if self.verbose {
            self.clear();
            PROGRAM.say(what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
