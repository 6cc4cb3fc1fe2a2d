//! The orchestrator's index of workspaces, `~/.claude-orchestrator/global_registry.sqlite3`.
//! It holds no agents.

use std::path::Path;

use rusqlite::Connection;

use super::error::failed;
use super::file::{Access, DatabaseFile};
use super::read::tidy;
use super::schema::columns;
use crate::error::RegistryError;
use crate::wait::WaitBudget;

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
    let known = file
        .connect(Access::Read, wait.left())
        .and_then(|connection| select(&connection).map_err(|error| failed(&file.path, &error)));
    if !had_wal {
        tidy(&file);
    }
    let known = known?;
    known.ok_or_else(|| {
        let reason = "could not ask it: it has no table known_workspaces with workspace_base";
        RegistryError::new(&file.path, reason)
    })
}

fn select(connection: &Connection) -> rusqlite::Result<Option<Vec<KnownWorkspace>>> {
    let there = columns(connection, "known_workspaces")?;
    if !there.contains("workspace_base") {
        return Ok(None);
    }
    let project = if there.contains("client_cwd") { "client_cwd" } else { "NULL" };
    let mut statement = connection.prepare(&format!(
        "SELECT workspace_base, {project} FROM known_workspaces ORDER BY workspace_base"
    ))?;
    let row =
        |row: &rusqlite::Row<'_>| Ok(KnownWorkspace { base: row.get(0)?, project: row.get(1)? });
    statement.query_map([], row)?.collect::<rusqlite::Result<_>>().map(Some)
}
