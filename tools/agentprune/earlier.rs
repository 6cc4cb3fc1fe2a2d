//! `--confirmed-by`: the findings of an earlier judgement.

use std::path::Path;

use cli::Failure;
use model::plan::Plan;

/// The largest size of the file, in bytes: it is read into memory.
const LIMIT: u64 = 4 << 30;

/// A file of earlier findings.
pub struct Earlier {
    /// What the file is called.
    pub name: String,
    /// `None`: there is no such file.
    text: Option<String>,
}

impl Earlier {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or is not this user's own regular file.
    pub fn read(path: &Path) -> Result<Earlier, Failure> {
        let name = path.display().to_string();
        match host::own_file::read(path, LIMIT) {
            Ok(text) => Ok(Earlier { name, text }),
            Err(error) => Err(trouble(&name, &error)),
        }
    }

    /// Its findings; `None`: there is no such file.
    ///
    /// # Errors
    /// When they are damaged, or cut off.
    pub fn plan(&self) -> Result<Option<Plan<'_>>, Failure> {
        let Some(text) = &self.text else { return Ok(None) };
        let plan = model::plan::read(text).map_err(|malformed| trouble(&self.name, &malformed))?;
        let promised: u64 = plan.ends.iter().map(|end| end.count).sum();
        match plan.ends.is_empty() || promised != plan.findings {
            true => Err(trouble(&self.name, &"cut off, or lines were left out")),
            false => Ok(Some(plan)),
        }
    }
}

fn trouble(name: &str, reason: &dyn std::fmt::Display) -> Failure {
    Failure::Trouble(format!("--confirmed-by: {name}: {reason}; nothing was done"))
}
