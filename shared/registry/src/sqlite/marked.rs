//! The rows that bear our mark.

use model::record::is_over;
use rusqlite::Connection;

use super::schema::{LATEST, MARK, UNDONE, columns};
use crate::clock::instant;

/// A row that we ended, or whose end we undid, and that nobody has written to since.
#[derive(Debug)]
pub struct MarkedRow {
    /// `agent_id`
    pub id: String,
    /// `task_id`
    pub task_id: String,
    /// What we wrote as `status`, as a line has it.
    pub status: String,
    /// And as `last_update`.
    pub last_update: String,
    /// How far the agent was.
    pub progress: i64,
    /// The message, which has the mark.
    pub message: String,
}

impl MarkedRow {
    /// Whether its end was undone.
    pub fn is_undone(&self) -> bool {
        self.message == UNDONE
    }

    /// What we have written has this form: other text with the mark is somebody else's.
    fn is_ours(&self) -> bool {
        is_over(Some(&self.status)) != self.is_undone() && instant(&self.last_update).is_some()
    }
}

/// The status that a line of a progress file has for this of a row, as the orchestrator reads a
/// row without one.
pub fn line_status(status: Option<&str>) -> &str {
    status.filter(|status| !status.is_empty()).unwrap_or("working")
}

/// The rows that we wrote. None where the database has no place for the mark.
///
/// # Errors
/// Those of SQLite.
pub fn marked(connection: &Connection) -> rusqlite::Result<Vec<MarkedRow>> {
    let (table, names) = LATEST;
    let there = columns(connection, table)?;
    if !names.iter().all(|name| there.contains(*name)) {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare(
        "SELECT a.agent_id, a.task_id, a.status, a.last_update, p.progress, p.message \
         FROM agent_progress_latest p JOIN agents a \
         ON a.agent_id = p.agent_id AND a.task_id = p.task_id \
         WHERE substr(p.message, 1, ?1) = ?2 AND a.status IS p.status \
         AND a.last_update = p.timestamp LIMIT 1000000",
    )?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(MarkedRow {
            id: row.get(0)?,
            task_id: row.get(1)?,
            status: line_status(row.get::<_, Option<String>>(2)?.as_deref()).to_owned(),
            last_update: row.get(3)?,
            progress: row.get::<_, Option<i64>>(4)?.unwrap_or(0),
            message: row.get(5)?,
        })
    };
    let rows = statement.query_map(rusqlite::params![MARK.len() as i64, MARK], row)?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows.into_iter().filter(MarkedRow::is_ours).collect())
}
