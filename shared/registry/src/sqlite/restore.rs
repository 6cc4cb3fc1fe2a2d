//! Undoing the end of an agent.
//!
//! By the same compare-and-set, on what was written: whoever wrote to the row since knows
//! better. Status and `completed_at` become what they were. `last_update` is the time of
//! the undoing, because a line of the progress file says so, and the orchestrator keeps the
//! two alike.

use model::record::SqliteEntry;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::limited::{WRITING, limited};
use super::marked::line_status;
use super::progress::Line;
use super::schema::UNDONE;
use super::statements::Statements;
use super::tasks::Tasks;
use super::workspace::Workspace;

/// Puts the row of an agent back, and says so in its progress file. What went wrong after
/// the row was written is added to `notes`.
///
/// # Errors
/// Those of SQLite. The inner one says why the row was left as it is.
pub fn row(
    connection: &Connection,
    workspace: &Workspace,
    entry: &SqliteEntry<'_>,
    notes: &mut Vec<String>,
) -> rusqlite::Result<Result<(), String>> {
    let SqliteEntry { agent_id, task_id, before, .. } = entry;
    let file = Tasks::new(workspace).progress(task_id, agent_id);
    let size = match file.size() {
        Ok(size) => size,
        Err(error) => return Ok(Err(format!("{}: {error}", file.relative().display()))),
    };
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let now = crate::clock::local_now();
    let put_back = limited(connection, WRITING, || -> rusqlite::Result<_> {
        let progress = put_back(&transaction, entry, &now)?;
        transaction.commit()?;
        Ok(progress)
    })?;
    let progress = match put_back {
        Ok(progress) => progress,
        Err(why) => return Ok(Err(why)),
    };
    let line = Line {
        timestamp: &now,
        agent_id,
        status: line_status(before.status.as_deref()),
        message: UNDONE,
        progress,
    };
    match file.append(size, &line) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let path = file.relative().display();
            notes.push(format!("{path}: {error}; the next run repairs that"));
        }
    }
    Ok(Ok(()))
}

/// Puts the row back, if nobody has written to it since. Returns how far the agent was.
fn put_back(
    transaction: &Transaction<'_>,
    entry: &SqliteEntry<'_>,
    now: &str,
) -> rusqlite::Result<Result<i64, String>> {
    let SqliteEntry { agent_id, task_id, before, written, .. } = entry;
    let changed = transaction.execute(
        "UPDATE OR ABORT agents SET status = ?1, completed_at = ?2, last_update = ?3 \
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
    Statements::new(transaction)?.note(task_id, agent_id, (now, status, UNDONE)).map(Ok)
}
