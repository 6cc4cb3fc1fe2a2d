//! Which file says what the user wants to keep.

use cli::{Failure, Keep};

/// The place of the file in the directory for configuration files.
const PLACE: &str = "agentutils/keep";

/// The largest size of the file, in bytes.
const LIMIT: u64 = 1 << 20;

/// Reads the keep file of the user of this run. Without one, nothing is to be kept.
///
/// # Errors
/// When there is one that cannot be read or understood: then it is unknown what is to be kept.
pub fn read() -> Result<Keep, Failure> {
    let path = host::user::config_directory().map(|directory| directory.join(PLACE));
    let name = path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let text = match path {
        Some(path) => host::own_file::read(&path, LIMIT)
            .map_err(|error| Failure::Trouble(format!("{name}: {error}")))?,
        None => None,
    };
    Keep::new(&name, &text.unwrap_or_default()).map_err(Failure::Trouble)
}
