//! The other places where an agent of the database stands: since before there was one, or
//! because the orchestrator was downgraded, in the JSON files of the same workspace.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Component, Path};

use foldhash::HashSet;
use model::record::{self, JsonEntry, JsonPlace, RemovedEntry};

use super::workspace::Workspace;
use crate::access::{Access, MAX_SIZE};
use crate::error::RegistryError;
use crate::json::JsonRegistry;
use crate::seam::{ChangeKind, Edit, EntryState, Locked, NotWritten, Registry};
use crate::wait::WaitBudget;

/// What was marked: by agent, where, and what was not and why.
#[derive(Debug, Default)]
pub struct Marked {
    /// What undoing it needs.
    pub entries: BTreeMap<String, Vec<JsonPlace<'static>>>,
    /// What went wrong.
    pub notes: Vec<String>,
}

/// Marks these agents, given with their tasks, as over wherever they stand as active.
pub fn mark(workspace: &Workspace, agents: &[(&str, &str)], wait: &mut WaitBudget) -> Marked {
    let mut marked = Marked::default();
    let mut by_task: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, task) in agents {
        by_task.entry(task).or_default().push(id);
    }
    let tasks = by_task.iter().map(|(task, ids)| (format!("{task}/AGENT_REGISTRY.json"), ids));
    let all: Vec<&str> = agents.iter().map(|(id, _)| *id).collect();
    let global = ("registry/GLOBAL_REGISTRY.json".to_owned(), &all);
    for (relative, ids) in tasks.chain([global]) {
        if let Err(error) = mark_in(workspace, Path::new(&relative), ids, wait, &mut marked) {
            marked.notes.push(format!("{error}; the next run repairs that"));
        }
    }
    marked
}

fn mark_in(
    workspace: &Workspace,
    relative: &Path,
    ids: &[&str],
    wait: &mut WaitBudget,
    marked: &mut Marked,
) -> Result<(), RegistryError> {
    let Some(locked) = lock(workspace, relative, wait)? else { return Ok(()) };
    let states = locked.entries(ids)?;
    let active: Vec<&str> =
        ids.iter().zip(&states).filter(|(_, state)| is_active(state)).map(|(id, _)| *id).collect();
    drop(states);
    if active.is_empty() {
        return Ok(());
    }
    let changes = active.iter().map(|id| (*id, ChangeKind::Terminate)).collect();
    let edit = Edit { changes, ..Edit::default() };
    let applied = match locked.apply(&edit, &mut || ControlFlow::Continue(())) {
        Ok(applied) => applied,
        Err(NotWritten::Failed(error)) => return Err(error),
        Err(NotWritten::Stopped) => return Ok(()),
    };
    let path = locked.path().to_string_lossy();
    for (id, result) in active.iter().zip(applied.results) {
        for entry in result.unwrap_or_default() {
            let RemovedEntry::Json(entry) = entry else { continue };
            let place = JsonPlace { registry: path.to_string(), entry: entry.into_owned() };
            marked.entries.entry((*id).to_owned()).or_default().push(place);
        }
    }
    marked.notes.extend(applied.notes.into_iter().map(|note| format!("{path}: {note}")));
    Ok(())
}

/// Puts back the entries that were marked. What could not be is said.
pub fn restore(
    workspace: &Workspace,
    places: Vec<JsonPlace<'_>>,
    wait: &mut WaitBudget,
) -> Vec<String> {
    let mut notes = Vec::new();
    let mut by_registry: BTreeMap<String, Vec<JsonEntry<'_>>> = BTreeMap::new();
    for JsonPlace { registry, entry } in places {
        by_registry.entry(registry).or_default().push(entry);
    }
    for (registry, entries) in by_registry {
        let say = |error: &dyn std::fmt::Display| format!("{registry}: {error}");
        let relative = Path::new(&registry).strip_prefix(&workspace.path);
        let locked = match relative.map(|relative| lock(workspace, relative, wait)) {
            Ok(Ok(Some(locked))) => locked,
            Ok(Ok(None)) => {
                notes.push(say(&"it is gone"));
                continue;
            }
            Ok(Err(error)) => {
                notes.push(error.to_string());
                continue;
            }
            Err(_) => {
                notes.push(say(&"outside the workspace"));
                continue;
            }
        };
        let entries = entries.into_iter().map(RemovedEntry::Json).collect();
        match locked.restore(entries, &mut || ControlFlow::Continue(())) {
            Ok(restored) => {
                notes.extend(restored.results.into_iter().filter_map(Result::err).map(|e| say(&e)));
                notes.extend(restored.notes.iter().map(|note| say(note)));
            }
            Err(NotWritten::Failed(error)) => notes.push(error.to_string()),
            Err(NotWritten::Stopped) => {}
        }
    }
    notes
}

/// How JSON files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// They are only read.
    Read,
    /// What an interrupted write has left of them is repaired first.
    Repair,
}

/// Which of these agents, given with their tasks, stand as active in a JSON file. What could
/// not be read is added to `notes`.
pub fn active(
    workspace: &Workspace,
    agents: &[(&str, &str)],
    mode: ReadMode,
    wait: &mut WaitBudget,
    notes: &mut Vec<String>,
) -> HashSet<String> {
    let mut tasks: Vec<&str> = agents.iter().map(|(_, task)| *task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let ids: Vec<&str> = agents.iter().map(|(id, _)| *id).collect();
    let mut active = HashSet::default();
    let tasks = tasks.into_iter().map(|task| format!("{task}/AGENT_REGISTRY.json"));
    for relative in tasks.chain(["registry/GLOBAL_REGISTRY.json".to_owned()]) {
        let found = active_in(workspace, Path::new(&relative), &ids, mode, wait);
        match found {
            Ok(found) => active.extend(found),
            Err(error) => notes.push(error.to_string()),
        }
    }
    active
}

fn active_in(
    workspace: &Workspace,
    relative: &Path,
    ids: &[&str],
    mode: ReadMode,
    wait: &mut WaitBudget,
) -> Result<Vec<String>, RegistryError> {
    let Some(registry) = find(workspace, relative)? else { return Ok(Vec::new()) };
    if mode == ReadMode::Repair {
        let locked = registry.lock(wait, &mut |_| {})?;
        let states = locked.entries(ids)?;
        let active = ids.iter().zip(&states).filter(|(_, state)| is_active(state));
        return Ok(active.map(|(id, _)| (*id).to_owned()).collect());
    }
    let wanted: HashSet<&str> = ids.iter().copied().collect();
    let mut active = Vec::new();
    let _ = registry.read(wait)?.list("", &mut |agent| {
        let is_active = record::is_active(agent.scope, agent.status.as_deref());
        if is_active && wanted.contains(&*agent.id) {
            active.push(agent.id.to_string());
        }
        ControlFlow::Continue(())
    });
    Ok(active)
}

fn is_active(state: &EntryState<'_>) -> bool {
    matches!(state, EntryState::There(entry) if entry.is_active)
}

/// The JSON file at this place of the workspace; None where there is none.
fn find(workspace: &Workspace, relative: &Path) -> Result<Option<JsonRegistry>, RegistryError> {
    let path = workspace.path.join(relative);
    let is_inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if !is_inside || !path.try_exists().unwrap_or(true) {
        return Ok(None);
    }
    JsonRegistry::at(&path, Access::to_listed(MAX_SIZE)).map(Some)
}

fn lock(
    workspace: &Workspace,
    relative: &Path,
    wait: &mut WaitBudget,
) -> Result<Option<Box<dyn Locked>>, RegistryError> {
    find(workspace, relative)?.map(|registry| registry.lock(wait, &mut |_| {})).transpose()
}
