//! JSON files behind the seam.

use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use foldhash::HashMap;
use jiff::Timestamp;
use model::record::{JsonEntry, Outcome, RegistryFile, RemovedEntry, Scope, is_active};

use super::edit::edit;
use super::layout::Layout;
use super::lock::{Lock, read};
use super::restore::{RestoredText, restore};
use super::snapshot::JsonSnapshot;
use super::write::{Kept, Written};
use crate::access::Access;
use crate::clock::local_now;
use crate::error::RegistryError;
use crate::place::Place;
use crate::seam::{
    Applied, Edit, EntryNow, EntryState, Locked, NotWritten, Registry, Restored, Snapshot, Step,
};
use crate::wait::WaitBudget;

/// A registry that is a JSON file.
#[derive(Debug)]
pub struct JsonRegistry {
    place: Rc<Place>,
    max_size: u64,
}

impl JsonRegistry {
    /// The registry at this path.
    ///
    /// # Errors
    /// [`RegistryError`] when the path leads nowhere.
    pub fn at(path: &Path, access: Access) -> Result<JsonRegistry, RegistryError> {
        let place = Rc::new(Place::of(path, access)?);
        Ok(JsonRegistry { place, max_size: access.max_size })
    }

    fn locked(
        &self,
        wait: &mut WaitBudget,
        step: &mut dyn FnMut(Step<'_>),
    ) -> Result<Lock, RegistryError> {
        let lock = Lock::exclusive(&self.place, self.max_size, wait)?;
        step(Step::Locked);
        if let Some(recovered) = lock.recover(Timestamp::now())? {
            step(Step::Repaired(&recovered.to_string()));
        }
        Ok(lock)
    }
}

impl Registry for JsonRegistry {
    fn path(&self) -> &Path {
        self.place.path()
    }

    fn read(&self, wait: &mut WaitBudget) -> Result<Box<dyn Snapshot>, RegistryError> {
        Ok(Box::new(JsonSnapshot::new(read(&self.place, self.max_size, wait)?)))
    }

    fn lock(
        &self,
        wait: &mut WaitBudget,
        step: &mut dyn FnMut(Step<'_>),
    ) -> Result<Box<dyn Locked>, RegistryError> {
        let lock = self.locked(wait, step)?;
        let (text, layout) = lock.whole_text(wait)?;
        Ok(Box::new(LockedFile { lock, text, layout }))
    }

    fn recover(
        &self,
        wait: &mut WaitBudget,
        step: &mut dyn FnMut(Step<'_>),
    ) -> Result<(), RegistryError> {
        self.locked(wait, step).map(drop)
    }
}

/// A file under the exclusive lock.
struct LockedFile {
    lock: Lock,
    text: String,
    layout: Layout,
}

impl LockedFile {
    fn replace(&self, new: &str, kept: Kept) -> Result<Written, RegistryError> {
        self.lock.replace(&self.text, new, kept, Timestamp::now())
    }
}

impl Locked for LockedFile {
    fn path(&self) -> &Path {
        self.lock.place.path()
    }

    fn file(&self) -> &RegistryFile {
        &self.lock.facts
    }

    fn entries(&self, ids: &[&str]) -> Result<Vec<EntryState<'_>>, RegistryError> {
        let by_id: HashMap<&str, usize> =
            ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut states = vec![EntryState::Missing; ids.len()];
        for entry in self.layout.entries(&self.text) {
            let Some(&at) = by_id.get(&*entry.id) else { continue };
            // In the registry of a task, the id of an entry is but a field. In a global
            // one it is the key, and the last of a key counts.
            let is_task = self.layout.scope == Scope::Task;
            states[at] = if is_task && states[at] != EntryState::Missing {
                EntryState::Ambiguous
            } else {
                EntryState::There(EntryNow {
                    is_active: is_active(self.layout.scope, entry.fields.status.as_deref()),
                    latest: entry.fields.instants().1,
                    started_at: entry.fields.started_at,
                    tmux_session: entry.fields.tmux_session,
                })
            };
        }
        Ok(states)
    }

    fn apply(
        &self,
        changes: &Edit<'_>,
        planned: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Applied<'_>, NotWritten> {
        let edited = edit(&self.text, &self.layout, &changes.changes, &local_now())
            .map_err(|corrupt| self.lock.error(corrupt))?;
        let gone = || Err((Outcome::Gone, "no such entry".to_owned()));
        let mut applied = Applied {
            results: changes.changes.iter().map(|_| gone()).collect(),
            ..Applied::default()
        };
        if edited.text == self.text {
            return Ok(applied);
        }
        if planned().is_break() {
            return Err(NotWritten::Stopped);
        }
        let kept = match edited.removed.is_empty() {
            true => Kept::Nothing,
            false => Kept::Backups(changes.keep_backups),
        };
        let written = self.replace(&edited.text, kept)?;
        for (at, entry) in edited.removed {
            let entry = RemovedEntry::Json(entry);
            match &mut applied.results[at] {
                Ok(entries) => entries.push(entry),
                result => *result = Ok(vec![entry]),
            }
        }
        applied.is_written = true;
        applied.notes = written.notes();
        applied.backup = written.backup;
        Ok(applied)
    }

    fn restore(
        &self,
        entries: Vec<RemovedEntry<'_>>,
        planned: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Restored, NotWritten> {
        let foreign = "it was not removed from a JSON file";
        let mut results = vec![Err(foreign.to_owned()); entries.len()];
        let of_json = |(at, entry)| match entry {
            RemovedEntry::Json(entry) => Some((at, entry)),
            RemovedEntry::Sqlite(_) => None,
        };
        let (places, entries): (Vec<usize>, Vec<JsonEntry<'_>>) =
            entries.into_iter().enumerate().filter_map(of_json).unzip();
        let RestoredText { text, results: of_entries } =
            restore(&self.text, &entries).map_err(|corrupt| self.lock.error(corrupt))?;
        for (at, result) in places.into_iter().zip(of_entries) {
            results[at] = result;
        }
        if text == self.text {
            return Ok(Restored { results, notes: Vec::new() });
        }
        if planned().is_break() {
            return Err(NotWritten::Stopped);
        }
        let written = self.replace(&text, Kept::Nothing)?;
        Ok(Restored { results, notes: written.notes() })
    }
}
