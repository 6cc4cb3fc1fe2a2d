//! Which format a registry has.

use std::path::Path;

use crate::access::Access;
use crate::error::RegistryError;
use crate::json::JsonRegistry;
use crate::seam::Registry;
use crate::sqlite::DatabaseRegistry;

/// Opens the registry at this path: a database by the ending of its name, else a JSON file.
///
/// # Errors
/// [`RegistryError`] when there is none, or a directory of the path cannot be opened.
pub fn open(path: &Path, access: Access) -> Result<Box<dyn Registry>, RegistryError> {
    match path.extension().is_some_and(|ending| ending == "sqlite3") {
        true => Ok(Box::new(DatabaseRegistry::at(path, access)?)),
        false => Ok(Box::new(JsonRegistry::at(path, access)?)),
    }
}
