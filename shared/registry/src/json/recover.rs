//! Repairing what an interrupted write has left.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::thread;

use jiff::Timestamp;

use super::beside::{create, stamp, sweep};
use super::journal;
use super::lock::{HALF_WRITTEN, Lock};
use super::write_state::{WriteState, judge};
use crate::error::RegistryError;

/// What was done about an interrupted write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recovered {
    /// It had changed nothing: the registry is as it was before.
    NotBegun,
    /// It could not be completed, for lack of room perhaps: the registry is again as it
    /// was before.
    TakenBack,
    /// It was completed.
    Completed,
    /// Somebody has written the registry since; that was kept.
    KeptLater,
    /// The registry was torn; the old content was restored, the torn one is in this file.
    Restored(PathBuf),
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Recovered::NotBegun => "the interrupted write had changed nothing",
            Recovered::TakenBack => {
                "the interrupted write could not be completed; the old content was restored"
            }
            Recovered::Completed => "an interrupted write was completed",
            Recovered::KeptLater => {
                "a write was interrupted, but another program has written since; \
                 its content was kept"
            }
            Recovered::Restored(torn) => {
                return write!(
                    f,
                    "the interrupted write left a torn file; the old content was restored, \
                     the torn one is in {}",
                    torn.display()
                );
            }
        })
    }
}

impl Lock {
    /// Repairs what an interrupted write has left. None if there is no journal. To be called on
    /// an exclusive lock, before anything else.
    ///
    /// # Errors
    /// [`RegistryError`] when the journal or the registry cannot be read or written; then
    /// both are as they were.
    pub(super) fn recover(&self, now: Timestamp) -> Result<Option<Recovered>, RegistryError> {
        let place = &*self.place;
        sweep(place, self.facts.owner_uid);
        let path = journal::path(place);
        let unreadable = |reason: String| {
            let hint = "if it is not agentprune's, remove it";
            RegistryError::new(&path, format!("{reason}; {hint}"))
        };
        let bytes = journal::bytes(place, self.facts.owner_uid, self.max_size)
            .map_err(|error| unreadable(error.to_string()))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let (old, new) = journal::contents(&bytes).map_err(unreadable)?;
        let failed = |error: io::Error| RegistryError::new(place.path(), error);
        let mut judgement = judge(&self.bytes().map_err(failed)?, old, new);
        if judgement == WriteState::Torn {
            // Another program may be writing without the lock right now.
            thread::sleep(HALF_WRITTEN);
            judgement = judge(&self.bytes().map_err(failed)?, old, new);
        }
        let recovered = match judgement {
            WriteState::Old => Recovered::NotBegun,
            WriteState::Later => Recovered::KeptLater,
            WriteState::Mixed => {
                if self.overwrite(new).is_ok() {
                    Recovered::Completed
                } else {
                    self.overwrite(old).map_err(failed)?;
                    Recovered::TakenBack
                }
            }
            WriteState::Torn => {
                let torn = place.beside(&format!("torn-{}", stamp(now)));
                let bytes = self.bytes().map_err(failed)?;
                create(place, &self.file, &torn, &[&bytes]).map_err(failed)?;
                self.overwrite(old).map_err(failed)?;
                Recovered::Restored(place.path_of(&torn))
            }
        };
        journal::end(place).map_err(failed)?;
        Ok(Some(recovered))
    }
}
