//! Reading the agents of a database.
//!
//! One short SELECT, and the connection is closed: an open one would keep the database's
//! log (`-wal`) from being cut.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use super::error::failed;
use super::file::{Access, DatabaseFile};
use super::limited::{READING, limited};
use super::marked::{MarkedRow, marked};
use super::rows::{Columns, Row};
use super::schema::columns;
use crate::error::RegistryError;
use crate::wait::WaitBudget;

/// How long a table or column that is missing may be one that the orchestrator is adding.
const MIGRATING: Duration = Duration::from_secs(1);

/// Why the rows could not be read.
enum Unread {
    Sqlite(rusqlite::Error),
    Unopened(RegistryError),
    /// What is missing.
    Missing(String),
    /// What stands in a row that cannot be.
    Odd(String),
}

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Unread {
        Unread::Sqlite(error)
    }
}

/// Shows every row of `agents` to `each`, and returns those that we ended. After an error,
/// the rows that were shown are not all there are.
///
/// # Errors
/// [`RegistryError`] for whatever keeps the rows from being known, by name.
pub fn rows(
    file: &DatabaseFile,
    wait: &mut WaitBudget,
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<Vec<MarkedRow>, RegistryError> {
    let may_migrate_until = Instant::now() + MIGRATING;
    let had_wal = file.has_wal();
    let mut result = read_once(file, wait, each);
    if let Err(Unread::Missing(_)) = result {
        thread::sleep(may_migrate_until.saturating_duration_since(Instant::now()));
        result = read_once(file, wait, each);
    }
    if !had_wal {
        tidy(file);
    }
    result.map_err(|unread| match unread {
        Unread::Unopened(error) => error,
        Unread::Sqlite(error) => failed(&file.path, &error),
        Unread::Missing(what) => RegistryError::new(
            &file.path,
            format!("could not ask it: {what}; it may be of a version that is not known"),
        ),
        Unread::Odd(what) => RegistryError::new(&file.path, format!("could not ask it: {what}")),
    })
}

fn read_once(
    file: &DatabaseFile,
    wait: &mut WaitBudget,
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<Vec<MarkedRow>, Unread> {
    let connection = file.connect(Access::Read, wait.left()).map_err(Unread::Unopened)?;
    let began = Instant::now();
    let locked = connection
        .execute_batch("BEGIN")
        .and_then(|()| connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())));
    wait.spend(began.elapsed());
    locked?;
    limited(&connection, READING, || {
        select(&connection, file.capacity(), each)?;
        Ok(marked(&connection)?)
    })
}

/// `capacity`: how much text the file can hold, in bytes.
fn select(
    connection: &Connection,
    capacity: u64,
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<(), Unread> {
    let there = columns(connection, "agents")?;
    if there.is_empty() {
        return Err(Unread::Missing("it has no table agents".to_owned()));
    }
    if let Some(missing) = Columns::NEEDED.iter().find(|name| !there.contains(**name)) {
        return Err(Unread::Missing(format!("its table agents has no column {missing}")));
    }
    let expression = |name: &'static str| if there.contains(name) { name } else { "NULL" };
    let list: Vec<&str> = Columns::ALL.into_iter().map(expression).collect();
    let mut statement = connection.prepare(&format!("SELECT {} FROM agents", list.join(", ")))?;
    stream(&mut statement, capacity, each)
}

fn stream(
    statement: &mut Statement<'_>,
    capacity: u64,
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<(), Unread> {
    let mut rows = statement.query([])?;
    let mut held: u64 = 0;
    while let Some(row) = rows.next()? {
        let mut texts = [None; Columns::ALL.len()];
        for (at, name) in Columns::ALL.iter().enumerate() {
            let odd = |what: &str| Unread::Odd(format!("column {name} of an agent {what}"));
            texts[at] = match row.get_ref(at)? {
                ValueRef::Null => None,
                ValueRef::Text(bytes) => {
                    Some(std::str::from_utf8(bytes).map_err(|_| odd("is not UTF-8"))?)
                }
                _ => return Err(odd("is no text")),
            };
        }
        held += texts.iter().flatten().map(|text| text.len() as u64).sum::<u64>();
        if held > capacity {
            return Err(Unread::Odd("it shows more than a file of its size can hold".to_owned()));
        }
        let row = Row::new(texts)
            .ok_or_else(|| Unread::Odd("an agent has no agent_id, or no task_id".to_owned()))?;
        each(&row);
    }
    Ok(())
}

/// A reader without rights to write makes the files beside a database, but cannot remove
/// them. The last one who may write can, and SQLite does it where nobody else has the
/// database open: as when the orchestrator closes it.
pub fn tidy(file: &DatabaseFile) {
    if !file.has_wal() {
        return;
    }
    if let Ok(connection) = file.connect(Access::Write, Duration::ZERO) {
        // It takes part in the log only when it is asked something. An error is no loss.
        let _ = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    }
}
