//! Changing registries: each entry is judged again under the lock of its registry.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use cli::Failure;
use foldhash::HashMap;
use model::plan::{PlannedAction, RegistryItems};
use model::record::{ActionKind, Outcome};
use registry::{
    Access, ChangeKind, Edit, Locked, NotWritten, Registry, RegistryError, SignalsWait, Step,
    WaitBudget,
};

use super::args::Arguments;
use super::ghosts::{self, Verdict};
use super::program::PROGRAM;
use super::progress::Progress;
use super::report::Report;

/// How long a registry stays unlocked before it is locked again.
const PAUSE: Duration = Duration::from_millis(250);
/// How many times a registry is locked, in all, if tmux is too slow.
const TRIES: usize = 3;

/// Carries out the items of one registry.
///
/// # Errors
/// When tmux cannot be asked, or output cannot be written. A registry that cannot be read
/// or written fails its items, and no others.
pub fn clean(
    path: &str,
    items: &RegistryItems<'_>,
    arguments: &Arguments,
    wait: &mut WaitBudget,
    report: &mut Report,
) -> Result<(), Failure> {
    for attempt in 1.. {
        report.deliver()?;
        let locked = match lock(Path::new(path), arguments.max_size, wait, &mut report.progress) {
            Ok(locked) => locked,
            Err(error) => {
                fail(items.actions(), &error, report);
                return Ok(());
            }
        };
        let groups = Groups::of(items);
        let states = match locked.entries(&groups.ids) {
            Ok(states) => states,
            Err(error) => {
                fail(items.actions(), &error, report);
                return Ok(());
            }
        };
        let of_items = groups.of_item.iter().map(|at| &states[*at]);
        match ghosts::judge(&items.entries, of_items, locked.file()) {
            Ok(verdicts) => {
                drop(states);
                return write(locked, items, &groups, verdicts, arguments, report);
            }
            Err(_) if attempt < TRIES => {
                drop(states);
                drop(locked);
                std::thread::sleep(PAUSE);
            }
            Err(tmux) => return Err(tmux),
        }
    }
    Ok(())
}

/// Locks a registry that a record names, and says what was repaired in it.
///
/// # Errors
/// When it cannot be locked, repaired or read.
pub fn lock(
    path: &Path,
    max_size: u64,
    wait: &mut WaitBudget,
    progress: &mut Progress,
) -> Result<Box<dyn Locked>, RegistryError> {
    let registry = registry::open(path, Access::to_listed(max_size))?;
    let mut steps = Steps::new(&*registry, wait, progress);
    let locked = registry.lock(wait, &mut |step| steps.say(step));
    steps.progress.clear();
    locked
}

/// Repairs a registry that a person names after an interrupted write. Returns whether there was
/// anything to repair.
///
/// # Errors
/// When it cannot be locked or repaired.
pub fn recover(
    path: &Path,
    max_size: u64,
    wait: &mut WaitBudget,
    progress: &mut Progress,
) -> Result<bool, RegistryError> {
    let registry = registry::open(path, Access::to_given(max_size))?;
    let mut steps = Steps::new(&*registry, wait, progress);
    let recovered = registry.recover(wait, &mut |step| steps.say(step));
    steps.progress.clear();
    recovered.map(|()| steps.repaired)
}

/// Says what happens while a registry is locked.
struct Steps<'s> {
    path: &'s Path,
    progress: &'s mut Progress,
    repaired: bool,
}

impl<'s> Steps<'s> {
    fn new(registry: &'s dyn Registry, wait: &WaitBudget, progress: &'s mut Progress) -> Self {
        let (path, limit) = (registry.path(), wait.left().as_secs_f64());
        progress.progress(&format!("waiting up to {limit} s for the lock of {}", path.display()));
        Steps { path, progress, repaired: false }
    }

    fn say(&mut self, step: Step<'_>) {
        let path = self.path.display();
        self.progress.clear();
        match step {
            Step::Locked => self.progress.step(&format!("{path}: locked")),
            Step::Repaired(how) => {
                self.repaired = true;
                PROGRAM.say(&format!("{path}: {how}"));
            }
        }
    }
}

/// The items of one registry by the id of their entries. Several may have the same id, but
/// then at most one of them is about the entry that has it now.
struct Groups<'p> {
    /// The ids, each once.
    ids: Vec<&'p str>,
    /// For each item its id, as a position in `ids`.
    of_item: Vec<usize>,
}

impl<'p> Groups<'p> {
    fn of(items: &'p RegistryItems<'_>) -> Groups<'p> {
        let mut known: HashMap<&str, usize> = HashMap::default();
        known.reserve(items.entries.len());
        let mut groups = Groups { ids: Vec::new(), of_item: Vec::new() };
        for item in &items.entries {
            let id = &*item.subject.id;
            let at = *known.entry(id).or_insert(groups.ids.len());
            if at == groups.ids.len() {
                groups.ids.push(id);
            }
            groups.of_item.push(at);
        }
        groups
    }
}

fn write(
    locked: Box<dyn Locked>,
    items: &RegistryItems<'_>,
    groups: &Groups<'_>,
    verdicts: Vec<Verdict>,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut changed = Vec::new();
    let mut edit = Edit { keep_backups: arguments.keep_backups, ..Edit::default() };
    for ((item, at), verdict) in items.entries.iter().zip(&groups.of_item).zip(verdicts) {
        match verdict {
            Ok(()) => {
                let id = groups.ids[*at];
                edit.changes.push((id, change(item.action.kind)));
                edit.seen.extend(item.subject.row.as_deref().map(|row| (id, row)));
                changed.push(&item.action);
            }
            Err((result, reason)) => report.record(&item.action, result, reason),
        }
    }
    let counters: Vec<&PlannedAction<'_>> =
        items.counters.iter().map(|item| &item.action).collect();
    if changed.is_empty() && counters.is_empty() {
        return Ok(());
    }
    // Signals wait until the changes are reported.
    let _waiting = SignalsWait::begin();
    let actions = || changed.iter().chain(&counters).copied();
    let mut stopped = Ok(());
    let applied = locked.apply(&edit, &mut || {
        stopped = report.all_planned(actions());
        if stopped.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let applied = match applied {
        Ok(applied) => applied,
        Err(NotWritten::Stopped) => return stopped,
        Err(NotWritten::Failed(error)) => {
            fail(actions(), &error, report);
            return Ok(());
        }
    };
    say_notes(&*locked, &applied.notes);
    if let Some(backup) = applied.backup {
        report.note(&format!("backup of the registry: {}", backup.display()));
    }
    for (at, (action, result)) in changed.into_iter().zip(applied.results).enumerate() {
        let remark = applied.remarks.get(&at).map(String::as_str);
        match result {
            Ok(entries) => entries.iter().for_each(|entry| report.removed(action, entry, remark)),
            Err((result, reason)) => report.record(action, result, reason),
        }
    }
    let (result, reason) = match applied.is_written {
        true => (Outcome::Done, "counters set to what the entries add up to"),
        false => (Outcome::Gone, "the counters agree with the entries"),
    };
    counters.into_iter().for_each(|action| report.record(action, result, reason));
    drop(locked);
    report.settle();
    Ok(())
}

fn change(kind: ActionKind) -> ChangeKind {
    match kind {
        ActionKind::TerminateEntry => ChangeKind::Terminate,
        _ => ChangeKind::Remove,
    }
}

/// Says what went wrong after a registry was changed.
pub fn say_notes(locked: &dyn Locked, notes: &[String]) {
    for note in notes {
        PROGRAM.say(&format!("{}: {note}", locked.path().display()));
    }
}

/// Reports that none of these actions could be done.
pub fn fail<'o, 'a: 'o>(
    actions: impl IntoIterator<Item = &'o PlannedAction<'a>>,
    error: &RegistryError,
    report: &mut Report,
) {
    for action in actions {
        report.record(action, error.outcome, error.to_string());
    }
}
