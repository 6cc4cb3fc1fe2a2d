//! Why a registry cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};

/// A registry that cannot be used, and why.
#[derive(Debug)]
pub struct RegistryError {
    /// The file.
    pub path: PathBuf,
    /// Why, and what to do about it where that is known.
    pub reason: String,
}

impl RegistryError {
    /// The error of this file.
    pub fn new(path: &Path, reason: impl fmt::Display) -> RegistryError {
        RegistryError { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}
