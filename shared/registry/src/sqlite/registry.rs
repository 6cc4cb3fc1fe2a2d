//! A database behind the seam.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use model::record::{
    Agent, Outcome, RegistryFile, RemovedEntry, RowState, Scope, SqliteEntry, is_active,
};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::{failed, is_busy};
use super::file::DatabaseFile;
use super::limited::{READING, limited};
use super::marked::marked;
use super::places::{self, ReadMode};
use super::read::rows;
use super::repair::{finish, unfinished};
use super::restore;
use super::rows::Rows;
use super::snapshot::DatabaseSnapshot;
use super::tasks::Tasks;
use super::workspace::Workspace;
use super::write::{Ended, Ending, PAUSE, connect, end, look_again};
use crate::access::Access;
use crate::clock::instants;
use crate::error::RegistryError;
use crate::seam::{
    Applied, ChangeKind, Edit, EntryNow, EntryState, Locked, NotWritten, Registry, Restored,
    Snapshot, Step,
};
use crate::wait::WaitBudget;

/// A registry that is a database.
#[derive(Debug)]
pub struct DatabaseRegistry {
    path: PathBuf,
    max_size: u64,
}

impl DatabaseRegistry {
    /// The database at this path.
    ///
    /// # Errors
    /// [`RegistryError`] when the path leads nowhere, or through a link where none may be.
    pub fn at(path: &Path, access: Access) -> Result<DatabaseRegistry, RegistryError> {
        let resolved = path.canonicalize().map_err(|error| RegistryError::new(path, error))?;
        if !access.follow_links && resolved != path {
            let reason = "a symbolic link is in its path now";
            return Err(RegistryError::new(path, reason));
        }
        // The files of its tasks are in the workspace where the orchestrator sees it.
        if path.parent().is_some_and(|parent| parent.ends_with("registry")) {
            let above = match path.parent().and_then(Path::parent) {
                Some(above) if above != Path::new("") => above,
                _ => Path::new("."),
            };
            let above = above.canonicalize().map_err(|error| RegistryError::new(path, error))?;
            if resolved.parent() != Some(&above.join("registry")) {
                let reason = format!(
                    "a symbolic link leads from its workspace to {}: the files of its tasks would \
                     not be found; link the whole workspace instead",
                    resolved.display()
                );
                return Err(RegistryError::new(path, reason));
            }
        }
        Ok(DatabaseRegistry { path: resolved, max_size: access.max_size })
    }

    fn open(&self) -> Result<(DatabaseFile, Workspace), RegistryError> {
        let file = DatabaseFile::at(&self.path)?.within(self.max_size)?;
        let workspace = Workspace::of(&file.path);
        let workspace = workspace.map_err(|error| RegistryError::new(&self.path, error))?;
        Ok((file, workspace))
    }

    fn locked(
        &self,
        wait: &mut WaitBudget,
        step: &mut dyn FnMut(Step<'_>),
    ) -> Result<LockedDatabase, RegistryError> {
        let (file, workspace) = self.open()?;
        let mut connection = connect(&file, wait)?;
        let sqlite = |error| failed(&file.path, &error);
        // Whoever keeps it locked keeps us waiting here, where nothing is begun.
        let began = Instant::now();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        wait.spend(began.elapsed());
        transaction.and_then(|transaction| transaction.rollback()).map_err(sqlite)?;
        step(Step::Locked);
        let marked = limited(&connection, READING, || marked(&connection)).map_err(sqlite)?;
        let left = unfinished(marked, &workspace, ReadMode::Repair, wait);
        let (count, notes) = finish(&left, &workspace, wait);
        if count > 0 {
            let agents = if count == 1 { "1 agent" } else { &format!("{count} agents") };
            step(Step::Repaired(&format!(
                "an interrupted write was completed: progress files and JSON files of {agents}"
            )));
        }
        for note in notes {
            step(Step::Repaired(&note));
        }
        let wait = RefCell::new(WaitBudget::new(wait.left()));
        Ok(LockedDatabase { connection, file, workspace, wait, is_repaired: count > 0 })
    }
}

impl Registry for DatabaseRegistry {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self, wait: &mut WaitBudget) -> Result<Box<dyn Snapshot>, RegistryError> {
        let (file, workspace) = self.open()?;
        let mut packed = Rows::default();
        let marked = rows(&file, wait, &mut |row| packed.push(row))?;
        let unfinished = unfinished(marked, &workspace, ReadMode::Read, wait);
        Ok(Box::new(DatabaseSnapshot {
            path: file.path.to_string_lossy().into_owned(),
            facts: file.facts,
            rows: packed,
            // A run may be at it.
            unfinished: if unfinished.is_old() { unfinished.len() } else { 0 },
            notes: unfinished.notes,
            workspace,
        }))
    }

    fn lock(
        &self,
        wait: &mut WaitBudget,
        step: &mut dyn FnMut(Step<'_>),
    ) -> Result<Box<dyn Locked>, RegistryError> {
        Ok(Box::new(self.locked(wait, step)?))
    }

    fn recover(
        &self,
        wait: &mut WaitBudget,
        step: &mut dyn FnMut(Step<'_>),
    ) -> Result<(), RegistryError> {
        self.locked(wait, step).map(drop)
    }
}

/// A database that is open for changes. It is locked only while it is changed.
struct LockedDatabase {
    connection: Connection,
    file: DatabaseFile,
    workspace: Workspace,
    wait: RefCell<WaitBudget>,
    is_repaired: bool,
}

impl LockedDatabase {
    fn error(&self, error: rusqlite::Error) -> RegistryError {
        failed(&self.file.path, &error)
    }
}

/// What to end, as it was seen; else why it cannot be.
fn ending<'e>(
    (id, kind): (&'e str, ChangeKind),
    seen: Option<&'e Agent<'e>>,
    tasks: &Tasks<'e>,
) -> Result<Ending<'e>, (Outcome, String)> {
    if kind == ChangeKind::Remove {
        let reason = "no row is ever removed from a database".to_owned();
        return Err((Outcome::Refused, reason));
    }
    let unknown = |what: &str| (Outcome::Failed, format!("the finding does not say {what}"));
    let seen = seen.ok_or_else(|| unknown("what the row was"))?;
    let task_id = seen.task_id.as_deref().ok_or_else(|| unknown("its task"))?;
    let progress = tasks.progress(task_id, id);
    let progress_bytes = seen.progress_bytes.ok_or_else(|| match progress.size() {
        Ok(_) => unknown("the size of its progress file"),
        Err(error) => {
            let path = progress.relative().display();
            (Outcome::Failed, format!("its progress file {path}: {error}"))
        }
    })?;
    Ok(Ending {
        id,
        task_id,
        status: seen.status.as_deref(),
        started_at: seen.started_at.as_deref(),
        tmux_session: seen.tmux_session.as_deref(),
        last_update: seen.last_update.as_deref(),
        completed_at: seen.completed_at.as_deref(),
        progress_bytes,
        progress,
    })
}

impl Locked for LockedDatabase {
    fn path(&self) -> &Path {
        &self.file.path
    }

    fn file(&self) -> &RegistryFile {
        &self.file.facts
    }

    fn entries(&self, ids: &[&str]) -> Result<Vec<EntryState<'_>>, RegistryError> {
        let connection = &self.connection;
        let mut statement = connection
            .prepare(
                "SELECT started_at, tmux_session, status, last_update, completed_at FROM agents \
                 WHERE agent_id = ?",
            )
            .map_err(|error| self.error(error))?;
        let mut state = |id: &&str| {
            let row = statement.query_row([id], |row| {
                let text = |at| row.get::<_, Option<String>>(at);
                let (started_at, status) = (text(0)?, text(2)?);
                let (last_update, completed_at) = (text(3)?, text(4)?);
                let times = [&started_at, &last_update, &completed_at].map(Option::as_deref);
                let [started, updated, completed] = times;
                Ok(EntryState::There(EntryNow {
                    latest: instants(started, updated, completed).1,
                    started_at: started_at.map(Into::into),
                    // None is not known, as an empty one.
                    tmux_session: Some(text(1)?.unwrap_or_default().into()),
                    is_active: is_active(Scope::State, status.as_deref()),
                }))
            });
            row.optional().map(|state| state.unwrap_or(EntryState::Missing))
        };
        limited(connection, READING, || {
            ids.iter().map(|id| state(id).map_err(|error| self.error(error))).collect()
        })
    }

    fn apply(
        &self,
        edit: &Edit<'_>,
        planned: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Applied<'_>, NotWritten> {
        let tasks = Tasks::new(&self.workspace);
        let mut applied = Applied { is_written: self.is_repaired, ..Applied::default() };
        let (mut places, mut endings) = (Vec::new(), Vec::new());
        for (at, change) in edit.changes.iter().enumerate() {
            let unclear = match ending(*change, edit.seen.get(change.0).copied(), &tasks) {
                Ok(ending) => {
                    places.push(at);
                    endings.push(ending);
                    (Outcome::Skipped, "not tried".to_owned())
                }
                Err(unclear) => unclear,
            };
            applied.results.push(Err(unclear));
        }
        if endings.is_empty() {
            return Ok(applied);
        }
        if planned().is_break() {
            return Err(NotWritten::Stopped);
        }
        let (connection, mut wait) = (&self.connection, self.wait.borrow_mut());
        let mut results = end(connection, &self.file, &self.workspace, &mut wait, &endings);
        let ended = endings.iter().zip(&results).filter(|(_, result)| result.is_ok());
        let ended: Vec<(&str, &str)> = ended.map(|(e, _)| (e.id, e.task_id)).collect();
        applied.is_written |= !ended.is_empty();
        let mut marked = places::mark(&self.workspace, &ended, &mut wait);
        if let Err(error) = look_again(connection, &endings, &mut results) {
            applied.notes.push(format!("whether an agent came back: {}", self.error(error)));
        }
        applied.notes.append(&mut marked.notes);
        for ((at, ending), result) in places.into_iter().zip(endings).zip(results) {
            applied.results[at] = result.map(|ended| {
                if !ended.notes.is_empty() {
                    applied.remarks.insert(at, ended.notes.join("; "));
                }
                let json = marked.entries.remove(ending.id).unwrap_or_default();
                vec![RemovedEntry::Sqlite(SqliteEntry { json, ..undo(&ending, &ended) })]
            });
        }
        Ok(applied)
    }

    fn restore(
        &self,
        entries: Vec<RemovedEntry<'_>>,
        planned: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Restored, NotWritten> {
        if planned().is_break() {
            return Err(NotWritten::Stopped);
        }
        let (connection, mut wait) = (&self.connection, self.wait.borrow_mut());
        let mut restored = Restored::default();
        let mut json = Vec::new();
        for (number, entry) in entries.into_iter().enumerate() {
            if number > 0 {
                thread::sleep(PAUSE);
            }
            let RemovedEntry::Sqlite(entry) = entry else {
                restored.results.push(Err("it was not changed in a database".to_owned()));
                continue;
            };
            // All of them together wait no longer than the run may.
            let began = Instant::now();
            let put_back = connection.busy_timeout(wait.left()).and_then(|()| {
                restore::row(connection, &self.workspace, &entry, &mut restored.notes)
            });
            if put_back.as_ref().is_err_and(is_busy) {
                wait.spend(began.elapsed());
            }
            let result = put_back.unwrap_or_else(|error| Err(self.error(error).reason));
            if result.is_ok() {
                json.extend(entry.json);
            }
            restored.results.push(result);
        }
        // Together: one write did it, and each file is written once.
        restored.notes.extend(places::restore(&self.workspace, json, &mut wait));
        Ok(restored)
    }
}

/// What undoing the end of an agent needs.
fn undo(ending: &Ending<'_>, ended: &Ended) -> SqliteEntry<'static> {
    let own = |text: Option<&str>| text.map(str::to_owned);
    SqliteEntry {
        agent_id: ending.id.to_owned(),
        task_id: ending.task_id.to_owned(),
        before: RowState {
            status: own(ending.status),
            completed_at: own(ending.completed_at),
            last_update: own(ending.last_update),
        },
        written: RowState {
            status: own(Some(ended.status)),
            completed_at: own(Some(&ended.completed_at)),
            last_update: own(Some(&ended.last_update)),
        },
        json: Vec::new(),
    }
}
