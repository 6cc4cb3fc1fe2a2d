//! What is said on standard error while agentprune works: to somebody who watches, how far
//! it is; with `-v`, each step.

use std::io::{self, Write};
use std::time::Duration;

use cli::{cut, escaped, rewrites, width};

use super::PROGRAM;

/// How often somebody who watches is told how far it is.
const PACE: Duration = Duration::from_millis(200);

/// To the beginning of the line, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// See the [module](self).
#[derive(Debug)]
pub struct Progress {
    /// Whether progress are said.
    pub verbose: bool,
    watched: bool,
    shows: bool,
}

impl Progress {
    /// Nothing if `quiet`; progress only where standard error is a terminal.
    pub fn new(quiet: bool, verbose: bool) -> Progress {
        Progress { verbose, watched: !quiet && rewrites(&io::stderr()), shows: false }
    }

    /// How long to wait at most before progress is due again.
    pub fn pace(&self) -> Duration {
        if self.watched { PACE } else { Duration::MAX }
    }

    /// How far it is, in place of what was shown before.
    pub fn progress(&mut self, what: &str) {
        if self.watched {
            // What takes a second line could not be cleared.
            let room = width(io::stderr()).map_or(usize::MAX, |columns| columns - 1);
            let _ = write!(io::stderr(), "{CLEAR}{}", cut(&escaped(what), room));
            self.shows = true;
        }
    }

    /// The wait is over.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shows) {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }

    /// A step that was taken.
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
