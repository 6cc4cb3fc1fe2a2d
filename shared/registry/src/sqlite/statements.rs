//! The statements that change a database.

use rusqlite::{Connection, Statement, params};

/// Statements that are ready to be carried out, many times. Without `OR ABORT`, a column may say
/// that a conflict deletes another row.
pub struct Statements<'c> {
    /// Ends an agent whose row is still as it was seen. Parameters: the status, the time, the
    /// key, the task, and what was seen of the row.
    pub end: Statement<'c>,
    /// None where no column says how far an agent is.
    progress: Option<Statement<'c>>,
    task: Statement<'c>,
    latest: Statement<'c>,
}

impl<'c> Statements<'c> {
    /// Prepares them.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn new(connection: &'c Connection) -> rusqlite::Result<Statements<'c>> {
        Ok(Statements {
            end: connection.prepare(
                "UPDATE OR ABORT agents SET status = ?1, completed_at = COALESCE(completed_at, ?2), \
                 last_update = ?2 WHERE agent_id = ?3 AND task_id = ?4 AND status IS ?5 \
                 AND started_at IS ?6 AND tmux_session IS ?7 AND last_update IS ?8 \
                 AND completed_at IS ?9",
            )?,
            progress: connection.prepare("SELECT progress FROM agents WHERE agent_id = ?").ok(),
            task: connection.prepare("UPDATE OR ABORT tasks SET updated_at = ? WHERE task_id = ?")?,
            latest: connection.prepare(
                "INSERT OR ABORT INTO agent_progress_latest\
                 (task_id, agent_id, timestamp, status, progress, message) \
                 VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (task_id, agent_id) DO UPDATE SET \
                 timestamp = excluded.timestamp, status = excluded.status, \
                 progress = excluded.progress, message = excluded.message",
            )?,
        })
    }

    /// Notes in the other tables what a row says now: time, status and why. Returns how far
    /// the agent was.
    ///
    /// # Errors
    /// Those of SQLite; then the transaction must not be committed.
    pub fn note(
        &mut self,
        task: &str,
        id: &str,
        (now, status, message): (&str, Option<&str>, &str),
    ) -> rusqlite::Result<i64> {
        let progress = match &mut self.progress {
            // Whatever stands there: a number is not worth a refusal.
            Some(statement) => statement.query_row([id], |row| Ok(row.get(0).unwrap_or(0)))?,
            None => 0,
        };
        // Without its task the key of the other table would lead nowhere.
        if self.task.execute([now, task])? > 0 {
            self.latest.execute(params![task, id, now, status, progress, message])?;
        }
        Ok(progress)
    }
}
