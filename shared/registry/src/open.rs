//! Which format a registry has.

use std::path::Path;

use crate::error::RegistryError;
use crate::json::JsonRegistry;
use crate::seam::Registry;

/// Opens the registry at this path.
///
/// # Errors
/// [`RegistryError`] when there is none.
pub fn open(path: &Path) -> Result<Box<dyn Registry>, RegistryError> {
    Ok(Box::new(JsonRegistry::at(path)?))
}
