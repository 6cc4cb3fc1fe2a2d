//! Tables besides `agents`, and what we write in them.

use foldhash::HashSet;
use rusqlite::Connection;

/// What our messages begin with: by this a row that we ended is known.
pub const MARK: &str = "agentprune:";
/// What we write of a row whose end we undo.
pub const UNDONE: &str = "agentprune: the end was undone";

/// A table, and the columns of it that are written.
type Table = (&'static str, &'static [&'static str]);
/// The last report of each agent.
pub const LATEST: Table = (
    "agent_progress_latest",
    &["task_id", "agent_id", "timestamp", "status", "progress", "message"],
);
/// The tasks.
pub const TASKS: Table = ("tasks", &["task_id", "updated_at"]);

/// The names of a table's columns; none where there is no such table. A view is none, nor is a
/// virtual table: they have no pages of their own.
///
/// # Errors
/// Those of SQLite.
pub fn columns(connection: &Connection, table: &str) -> rusqlite::Result<HashSet<String>> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_table_info(?1) WHERE EXISTS \
         (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND lower(name) = lower(?1))",
    )?;
    statement.query_map([table], |row| row.get(0))?.collect()
}
