//! Undoing the end of an agent.
//!
//! By the same compare-and-set, on what was written: whoever wrote to the row since knows
//! better. Status and `completed_at` become what they were. `last_update` is the time of
//! the undoing, because a line of the progress file says so, and the orchestrator keeps the
//! two alike.

use model::record::SqliteEntry;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::progress::Line;
use super::schema::MARK;
use super::statements::Statements;
use super::tasks::Tasks;
use super::workspace::Workspace;

/// Puts the row of an agent back, and says so in its progress file. What went wrong after
/// the row was written is added to `notes`.
///
/// # Errors
/// Those of SQLite. The inner one says why the row was left as it is.
pub fn row(
    connection: &mut Connection,
    workspace: &Workspace,
    entry: &SqliteEntry<'_>,
    notes: &mut Vec<String>,
) -> rusqlite::Result<Result<(), String>> {
    let SqliteEntry { agent_id, task_id, before, written, .. } = entry;
    let file = Tasks::new(workspace).progress(task_id, agent_id);
    let size = match file.size() {
        Ok(size) => size,
        Err(error) => return Ok(Err(format!("{}: {error}", file.relative().display()))),
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now = crate::clock::local_now();
    let changed = transaction.execute(
        "UPDATE agents SET status = ?1, completed_at = ?2, last_update = ?3 \
         WHERE agent_id = ?4 AND task_id = ?5 AND status IS ?6 AND completed_at IS ?7 \
         AND last_update IS ?8",
        params![
            before.status,
            before.completed_at,
            now,
            agent_id,
            task_id,
            written.status,
            written.completed_at,
            written.last_update,
        ],
    )?;
    if changed == 0 {
        let is_there = transaction
            .query_row("SELECT 1 FROM agents WHERE agent_id = ?", [agent_id], |_| Ok(()))
            .optional()?;
        let why =
            if is_there.is_some() { "the entry was changed since" } else { "the entry is gone" };
        return Ok(Err(why.to_owned()));
    }
    let status = before.status.as_deref();
    let message = format!("{MARK} the end was undone");
    let progress =
        Statements::new(&transaction)?.note(task_id, agent_id, (&now, status, &message))?;
    transaction.commit()?;
    let line = Line {
        timestamp: &now,
        agent_id,
        // As the orchestrator reads a row without a status.
        status: status.filter(|status| !status.is_empty()).unwrap_or("working"),
        message: &message,
        progress,
    };
    match file.append(size, &line) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => notes.push(format!("{}: {error}", file.relative().display())),
    }
    Ok(Ok(()))
}
