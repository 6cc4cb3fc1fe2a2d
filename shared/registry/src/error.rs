//! Why a registry cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};

use model::record::Outcome;

/// A registry that cannot be used, and why.
#[derive(Debug)]
pub struct RegistryError {
    /// The file.
    pub path: PathBuf,
    /// Why, and what to do about it where that is known.
    pub reason: String,
    /// The outcome of an action that needed it: failed, or refused if this run must not do it.
    pub outcome: Outcome,
}

impl RegistryError {
    /// The error of this file.
    pub fn new(path: &Path, reason: impl fmt::Display) -> RegistryError {
        RegistryError {
            path: path.to_owned(),
            reason: reason.to_string(),
            outcome: Outcome::Failed,
        }
    }

    /// The error of a file that must not be changed by this run.
    pub fn refused(path: &Path, reason: impl fmt::Display) -> RegistryError {
        RegistryError { outcome: Outcome::Refused, ..RegistryError::new(path, reason) }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}
