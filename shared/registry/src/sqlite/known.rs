//! The orchestrator's index of workspaces, `~/.claude-orchestrator/global_registry.sqlite3`.
//! It holds no agents.

use std::path::Path;

use rusqlite::Connection;

use super::error::failed;
use super::file::{Access, DatabaseFile};
use super::limited::{READING, limited};
use super::read::tidy;
use super::schema::columns;
use crate::error::RegistryError;
use crate::wait::WaitBudget;

/// The most workspaces that are read.
const MOST: usize = 100_000;

/// A workspace that the orchestrator has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownWorkspace {
    /// `workspace_base`: its path, as it was given.
    pub base: String,
    /// `client_cwd`: the directory of the project.
    pub project: Option<String>,
}

/// Every workspace of an index, those too that the orchestrator has set aside as inactive.
///
/// # Errors
/// [`RegistryError`] when it cannot be read.
pub fn known_workspaces(
    path: &Path,
    wait: &mut WaitBudget,
) -> Result<Vec<KnownWorkspace>, RegistryError> {
    let file = DatabaseFile::at(path)?;
    let had_wal = file.has_wal();
    let known = file.connect(Access::Read, wait.left()).and_then(|connection| {
        let known = limited(&connection, READING, || select(&connection));
        known.map_err(|error| failed(&file.path, &error))
    });
    if !had_wal {
        tidy(&file);
    }
    match known? {
        Some(known) if known.len() > MOST => {
            let reason = format!("could not ask it: it has more than {MOST} workspaces");
            Err(RegistryError::new(&file.path, reason))
        }
        Some(known) => Ok(known),
        None => {
            let reason = "could not ask it: it has no table known_workspaces with workspace_base";
            Err(RegistryError::new(&file.path, reason))
        }
    }
}

fn select(connection: &Connection) -> rusqlite::Result<Option<Vec<KnownWorkspace>>> {
    let there = columns(connection, "known_workspaces")?;
    if !there.contains("workspace_base") {
        return Ok(None);
    }
    let project = if there.contains("client_cwd") { "client_cwd" } else { "NULL" };
    let mut statement = connection.prepare(&format!(
        "SELECT workspace_base, {project} FROM known_workspaces LIMIT {}",
        MOST + 1
    ))?;
    let row =
        |row: &rusqlite::Row<'_>| Ok(KnownWorkspace { base: row.get(0)?, project: row.get(1)? });
    let known = statement.query_map([], row)?;
    let mut known: Vec<KnownWorkspace> = known.collect::<rusqlite::Result<_>>()?;
    known.sort_unstable_by(|one, other| one.base.cmp(&other.base));
    Ok(Some(known))
}
