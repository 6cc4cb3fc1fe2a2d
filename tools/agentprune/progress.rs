//! What agentprune writes to standard error while it works: its progress on a terminal, and
//! each step with `-v`.

use std::io::{self, Write};
use std::time::Duration;

use cli::{cut, escaped, rewrites, width};

use super::program::PROGRAM;

/// How often the progress on a terminal is renewed.
const PACE: Duration = Duration::from_millis(200);

/// Moves to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// See the [module](self).
#[derive(Debug)]
pub struct Progress {
    /// Whether each step is reported.
    pub verbose: bool,
    watched: bool,
    shows: bool,
}

impl Progress {
    /// Reports nothing if `quiet`, each step if `verbose`, and progress if standard error is a
    /// terminal.
    pub fn new(quiet: bool, verbose: bool) -> Progress {
        Progress { verbose, watched: !quiet && rewrites(&io::stderr()), shows: false }
    }

    /// The longest time to wait before progress is shown again.
    pub fn pace(&self) -> Duration {
        if self.watched { PACE } else { Duration::MAX }
    }

    /// Shows the progress, in place of what was shown before.
    pub fn progress(&mut self, what: &str) {
        if self.watched {
            // Only one line can be cleared.
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

    /// Reports a step, if `verbose`.
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
