//! Which format a registry has.

use std::path::Path;

use crate::access::Access;
use crate::error::RegistryError;
use crate::json::JsonRegistry;
use crate::seam::Registry;

/// Opens the registry at this path.
///
/// # Errors
/// [`RegistryError`] when there is none, or a directory of the path cannot be opened.
pub fn open(path: &Path, access: Access) -> Result<Box<dyn Registry>, RegistryError> {
    Ok(Box::new(JsonRegistry::at(path, access)?))
}
