//! What the programs see of a registry, whatever its format.
//!
//! A format is one directory of this crate that implements these three traits, and one line
//! in [`open`](crate::open).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use foldhash::HashMap;
use jiff::Timestamp;
use model::record::{self, Agent, Outcome, RegistryFile, RemovedEntry};

use crate::error::RegistryError;
use crate::wait::WaitBudget;

/// A registry that was found and not read yet.
pub trait Registry {
    /// Where it is: an absolute path without symbolic links.
    fn path(&self) -> &Path;

    /// Reads it. No lock is held afterwards.
    ///
    /// # Errors
    /// [`RegistryError`] when it cannot be read, is corrupt, or stays locked.
    fn read(&self, wait: &mut WaitBudget) -> Result<Box<dyn Snapshot>, RegistryError>;

    /// Locks it for a change, and first repairs what an interrupted change has left; reports
    /// both to `step`. No other program changes a locked JSON registry; a database is locked only
    /// while [`Locked::apply`] writes, which then checks each entry again.
    ///
    /// # Errors
    /// [`RegistryError`] when it cannot be locked, repaired or read.
    fn lock(
        &self,
        wait: &mut WaitBudget,
        step: &mut dyn FnMut(Step<'_>),
    ) -> Result<Box<dyn Locked>, RegistryError>;

    /// Repairs what an interrupted change has left, and does nothing else. Reports that to `step`.
    ///
    /// # Errors
    /// Those of [`Registry::lock`], except for a registry that is corrupt for another reason.
    fn recover(
        &self,
        wait: &mut WaitBudget,
        step: &mut dyn FnMut(Step<'_>),
    ) -> Result<(), RegistryError>;
}

/// What happens while a registry is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'s> {
    /// The lock is taken.
    Locked,
    /// An interrupted change was repaired; how, as a sentence.
    Repaired(&'s str),
}

/// What a registry held at one moment.
pub trait Snapshot {
    /// What people should know of its contents besides its records.
    fn notes(&self) -> Vec<String>;

    /// Shows every entry to `each`, in the order of the registry, as an agent of this
    /// scan. Then returns the record of the registry itself, in which every entry counts.
    /// It ends early where `each` breaks off.
    fn list(
        &self,
        scan: &str,
        each: &mut dyn FnMut(&Agent<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<(), record::Registry>;
}

/// A registry that is locked until this is dropped.
pub trait Locked {
    /// Where it is: an absolute path without symbolic links.
    fn path(&self) -> &Path;

    /// Who may write it, and where it can be seen.
    fn file(&self) -> &RegistryFile;

    /// What the entries of these ids say now, in the order of the ids.
    ///
    /// # Errors
    /// [`RegistryError`] when they cannot be read.
    fn entries(&self, ids: &[&str]) -> Result<Vec<EntryState<'_>>, RegistryError>;

    /// Changes entries and sets the counters to what the entries amount to then. Where
    /// there is something to write, `planned` is called before anything is written; if it
    /// breaks off, nothing is.
    ///
    /// # Errors
    /// [`NotWritten`]: nothing that was asked for was done.
    fn apply(
        &self,
        edit: &Edit<'_>,
        planned: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Applied<'_>, NotWritten>;

    /// Puts back what [`Locked::apply`] has changed, given in the order in which that was
    /// done. `planned` as there.
    ///
    /// # Errors
    /// [`NotWritten`]: nothing was put back.
    fn restore(
        &self,
        entries: Vec<RemovedEntry<'_>>,
        planned: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Restored, NotWritten>;
}

/// What a registry says of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryState<'l> {
    /// No entry has it.
    Missing,
    /// Several entries have it; which one is meant is unknown.
    Ambiguous,
    /// This entry has it.
    There(EntryNow<'l>),
}

/// What an entry says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryNow<'l> {
    /// `started_at`, verbatim: distinguishes it from an earlier entry with the same id.
    pub started_at: Option<Cow<'l, str>>,
    /// The session that the orchestrator asked tmux for.
    pub tmux_session: Option<Cow<'l, str>>,
    /// Whether its status is one of an agent at work.
    pub is_active: bool,
    /// The latest of its times; `None`: it has none.
    pub latest: Option<Timestamp>,
}

/// What to do to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Take it out.
    Remove,
    /// Leave it, with the status of one that is over.
    Terminate,
}

/// What to change in a registry.
#[derive(Clone, Debug, Default)]
pub struct Edit<'e> {
    /// Ids, each once, and what to do to the entry of it.
    pub changes: Vec<(&'e str, ChangeKind)>,
    /// By id, what the scan said of it. A database changes a row only if it still says so.
    pub seen: HashMap<&'e str, &'e Agent<'e>>,
    /// How many backups to keep beside a file whose entries change.
    pub keep_backups: usize,
}

/// What was changed in a registry.
#[derive(Clone, Debug, Default)]
pub struct Applied<'l> {
    /// For each change, in order: what undoing it needs, or why it was not done.
    pub results: Vec<Result<Vec<RemovedEntry<'l>>, (Outcome, String)>>,
    /// Whether anything was written.
    pub is_written: bool,
    /// The backup, if one was made.
    pub backup: Option<PathBuf>,
    /// What went wrong after the change was made.
    pub notes: Vec<String>,
    /// What people should know of a change that was made, by its position.
    pub remarks: BTreeMap<usize, String>,
}

/// What was put back.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// For each entry, in order, whether it was put back; if not, why.
    pub results: Vec<Result<(), String>>,
    /// What went wrong after that.
    pub notes: Vec<String>,
}

/// Why nothing was written.
#[derive(Debug)]
pub enum NotWritten {
    /// The caller's `planned` broke off.
    Stopped,
    /// The registry does not allow it.
    Failed(RegistryError),
}

impl From<RegistryError> for NotWritten {
    fn from(error: RegistryError) -> NotWritten {
        NotWritten::Failed(error)
    }
}
