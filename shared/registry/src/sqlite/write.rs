//! Ending agents in the database, so that it holds.
//!
//! The row first, by compare-and-set: an agent that reports meanwhile has another
//! `last_update`, and wins. Then its progress file, whose last line the orchestrator
//! believes more than its task registry. A line first would end agents that live.

use std::collections::hash_map::Entry;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use foldhash::HashMap;
use model::record::{Outcome, Scope, is_active};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::error::{failed, is_busy, is_interrupted};
use super::file::{Access, DatabaseFile};
use super::limited::{READING, WRITING, limited};
use super::progress::{Appended, Line, ProgressFile, below, last_line};
use super::schema::{LATEST, MARK, TASKS, columns};
use super::statements::Statements;
use super::workspace::Workspace;
use crate::error::RegistryError;
use crate::wait::WaitBudget;

/// Rows of one transaction. The orchestrator's writers wait for it to end.
const ROWS: usize = 50;
/// How long they get between two transactions.
pub const PAUSE: Duration = Duration::from_millis(5);

/// An agent to end, as it was seen.
#[derive(Clone, Debug)]
pub struct Ending<'e> {
    /// `agent_id`
    pub id: &'e str,
    /// `task_id`
    pub task_id: &'e str,
    /// `status`
    pub status: Option<&'e str>,
    /// `started_at`
    pub started_at: Option<&'e str>,
    /// `tmux_session`
    pub tmux_session: Option<&'e str>,
    /// `last_update`
    pub last_update: Option<&'e str>,
    /// `completed_at`
    pub completed_at: Option<&'e str>,
    /// The size of its progress file then, in bytes.
    pub progress_bytes: u64,
    /// Its progress file.
    pub progress: ProgressFile<'e>,
}

/// What was written about an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its status now.
    pub status: &'static str,
    /// Its `last_update` now.
    pub last_update: String,
    /// Its `completed_at` now.
    pub completed_at: String,
    /// What people should know of it besides.
    pub notes: Vec<String>,
}

/// What became of an agent that was to be ended; if it was not, why.
pub type Result = std::result::Result<Ended, (Outcome, String)>;

/// Opens a database for changes, and looks whether everything is there that is written.
///
/// # Errors
/// [`RegistryError`] when it cannot be opened, or is of a version that is not known.
pub fn connect(
    file: &DatabaseFile,
    wait: &WaitBudget,
) -> std::result::Result<Connection, RegistryError> {
    let connection = file.connect(Access::Write, wait.left())?;
    for (table, names) in [LATEST, TASKS] {
        let there = columns(&connection, table).map_err(|error| failed(&file.path, &error))?;
        if let Some(missing) = names.iter().find(|name| !there.contains(**name)) {
            let reason = format!(
                "its table {table} has no column {missing}: \
                 it may be of a version that is not known; nothing was changed"
            );
            return Err(RegistryError::new(&file.path, reason));
        }
    }
    let trigger = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND \
        lower(tbl_name) IN ('agents', 'tasks', 'agent_progress_latest')";
    let trigger = connection.query_row(trigger, [], |row| row.get::<_, String>(0)).optional();
    if let Some(trigger) = trigger.map_err(|error| failed(&file.path, &error))? {
        let reason = format!(
            "its trigger {trigger} would change more than is known here: \
             it may be of a version that is not known; nothing was changed"
        );
        return Err(RegistryError::new(&file.path, reason));
    }
    Ok(connection)
}

/// Ends agents. The results are in their order.
pub fn end(
    connection: &Connection,
    file: &DatabaseFile,
    workspace: &Workspace,
    wait: &mut WaitBudget,
    endings: &[Ending<'_>],
) -> Vec<Result> {
    // They are prepared once: nobody waits for that.
    let mut statements = match Statements::new(connection) {
        Ok(statements) => statements,
        Err(error) => {
            let reason = failed(&file.path, &error).to_string();
            return endings.iter().map(|_| Err((Outcome::Failed, reason.clone()))).collect();
        }
    };
    let mut results = Vec::with_capacity(endings.len());
    // Why nothing more is tried.
    let mut stopped: Option<String> = None;
    for (number, batch) in endings.chunks(ROWS).enumerate() {
        if let Some(reason) = &stopped {
            results.extend(batch.iter().map(|_| Err((Outcome::Failed, reason.clone()))));
            continue;
        }
        if number > 0 {
            thread::sleep(PAUSE);
        }
        let statuses: Vec<&'static str> =
            batch.iter().map(|ending| over(workspace, ending)).collect();
        let mut write = |batch: &[Ending<'_>], statuses: &[&'static str]| {
            let rows = write_rows(connection, &mut statements, wait, batch, statuses)?;
            Ok(batch.iter().zip(rows).map(|(ending, row)| appended(ending, row)).collect())
        };
        match write(batch, &statuses) {
            Ok(written) => {
                let written: Vec<Result> = written;
                results.extend(written);
            }
            Err(error) if is_busy(&error) || is_interrupted(&error) => {
                let reason = stopped.insert(failed(&file.path, &error).to_string());
                results.extend(batch.iter().map(|_| Err((Outcome::Failed, reason.clone()))));
            }
            // One row that cannot be written does not keep the others.
            Err(_) => {
                for alone in batch.chunks(1).zip(statuses.chunks(1)) {
                    results.extend(write(alone.0, alone.1).unwrap_or_else(|error| {
                        vec![Err((Outcome::Failed, failed(&file.path, &error).to_string()))]
                    }));
                }
            }
        }
    }
    results
}

/// What became of an agent whose row was written, or why it was not.
fn appended(ending: &Ending<'_>, row: RowResult) -> Result {
    let (mut ended, written) = row?;
    ended.notes.extend(append(ending, &ended, &written));
    Ok(ended)
}

/// Appends the line to a progress file that says what the row says. Returns what is to be
/// said about that.
fn append(ending: &Ending<'_>, ended: &Ended, written: &Written) -> Option<String> {
    let line = Line {
        timestamp: &ended.last_update,
        agent_id: ending.id,
        status: ended.status,
        message: &written.message,
        progress: written.progress,
    };
    match ending.progress.append(ending.progress_bytes, &line) {
        Ok(Appended::Done) => None,
        Ok(Appended::OtherFirst | Appended::Changed) => {
            Some("it reported at the same moment".to_owned())
        }
        // Without its directory the orchestrator does not find the task, nor any line of it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let path = ending.progress.relative().display();
            Some(format!("{path}: {error}; the next run repairs that"))
        }
    }
}

/// The status that an agent ends with: what it, or Claude, said last.
fn over(workspace: &Workspace, ending: &Ending<'_>) -> &'static str {
    let (task, id) = (ending.task_id, ending.id);
    let last = |path: &Path| last_line(workspace, path).ok().flatten();
    let in_directory = |directory: &str, what: &str| last(&below(task, directory, id, what));
    let log = in_directory("logs", "stream").or_else(|| in_directory("archive", "stream"));
    if let Some(log) = log.filter(|log| log.text("type") == Some("result")) {
        return if log.is("is_error") { "failed" } else { "completed" };
    }
    let progress = last(ending.progress.relative());
    let progress = progress.or_else(|| in_directory("archive", "progress"));
    let said_completed = progress.is_some_and(|line| line.text("status") == Some("completed"));
    if said_completed { "completed" } else { "failed" }
}

/// A line that is to be appended: all of [`Line`] that the row decides.
struct Written {
    message: String,
    progress: i64,
}

type RowResult = std::result::Result<(Ended, Written), (Outcome, String)>;

fn write_rows(
    connection: &Connection,
    statements: &mut Statements<'_>,
    wait: &mut WaitBudget,
    batch: &[Ending<'_>],
    statuses: &[&'static str],
) -> rusqlite::Result<Vec<RowResult>> {
    let began = Instant::now();
    connection.busy_timeout(wait.left())?;
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
    wait.spend(began.elapsed());
    let transaction = transaction?;
    let now = crate::clock::local_now();
    limited(connection, WRITING, || {
        let rows = batch
            .iter()
            .zip(statuses)
            .map(|(ending, status)| write_row(&transaction, statements, ending, status, &now));
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        transaction.commit()?;
        Ok(rows)
    })
}

fn write_row(
    transaction: &Transaction<'_>,
    statements: &mut Statements<'_>,
    ending: &Ending<'_>,
    status: &'static str,
    now: &str,
) -> rusqlite::Result<RowResult> {
    match ending.progress.size() {
        Ok(size) if size == ending.progress_bytes => {}
        Ok(_) => return Ok(Err((Outcome::Skipped, "it has reported since".to_owned()))),
        Err(error) => {
            let path = ending.progress.relative().display();
            return Ok(Err((Outcome::Failed, format!("its progress file {path}: {error}"))));
        }
    }
    let changed = statements.end.execute(params![
        status,
        now,
        ending.id,
        ending.task_id,
        ending.status,
        ending.started_at,
        ending.tmux_session,
        ending.last_update,
        ending.completed_at,
    ])?;
    if changed == 0 {
        return Ok(Err((Outcome::Skipped, faster(transaction, ending.id)?)));
    }
    let message = format!("{MARK} its session is gone");
    let progress = statements.note(ending.task_id, ending.id, (now, Some(status), &message))?;
    let ended = Ended {
        status,
        last_update: now.to_owned(),
        completed_at: ending.completed_at.unwrap_or(now).to_owned(),
        notes: Vec::new(),
    };
    Ok(Ok((ended, Written { message, progress })))
}

/// Why a row is not as it was seen.
fn faster(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<String> {
    let status = transaction
        .query_row("SELECT status FROM agents WHERE agent_id = ?", [id], |row| {
            row.get::<_, Option<String>>(0)
        })
        .optional()?;
    Ok(match status {
        None => "its row is gone".to_owned(),
        Some(status) => {
            format!("its row has changed since: it is {}", status.as_deref().unwrap_or("NULL"))
        }
    })
}

/// Looks again at the rows that were ended: whether they came back, and whether they were
/// the last active ones of their phase.
///
/// # Errors
/// Those of SQLite: then that is not known.
pub fn look_again(
    connection: &Connection,
    endings: &[Ending<'_>],
    results: &mut [Result],
) -> rusqlite::Result<()> {
    limited(connection, READING, || look(connection, endings, results))
}

fn look(
    connection: &Connection,
    endings: &[Ending<'_>],
    results: &mut [Result],
) -> rusqlite::Result<()> {
    let has_phases = columns(connection, "agents")?.contains("phase_index");
    let phase = if has_phases { "phase_index" } else { "NULL" };
    let mut row = connection
        .prepare(&format!("SELECT status, task_id, {phase} FROM agents WHERE agent_id = ?"))?;
    let mut others = connection
        .prepare(&format!("SELECT status FROM agents WHERE task_id = ? AND {phase} IS ?"))?;
    let mut phases: HashMap<(String, i64), bool> = HashMap::default();
    for (ending, result) in endings.iter().zip(results) {
        let Ok(ended) = result else { continue };
        let now = row
            .query_row([ending.id], |row| {
                let status: Option<String> = row.get(0)?;
                Ok((status, row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?))
            })
            .optional()?;
        let Some((status, task, phase)) = now else { continue };
        if is_active(Scope::State, status.as_deref()) {
            ended.notes.push("it came back".to_owned());
            continue;
        }
        let Some(phase) = phase else { continue };
        let is_busy = match phases.entry((task, phase)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let (task, phase) = unknown.key();
                let mut statuses = others.query(params![task, phase])?;
                let mut is_busy = false;
                while let Some(row) = statuses.next()? {
                    let status: Option<String> = row.get(0)?;
                    is_busy |= is_active(Scope::State, status.as_deref());
                }
                *unknown.insert(is_busy)
            }
        };
        if !is_busy {
            let note = "no agent of its phase is active now; that submits no review by itself";
            ended.notes.push(note.to_owned());
        }
    }
    Ok(())
}
