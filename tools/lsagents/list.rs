//! The registries of one workspace as records.

use std::ops::ControlFlow;
use std::path::Path;

use cli::{Failure, ScanWriter};
use foldhash::HashSet;
use model::record::Record;
use registry::{Access, FoundWorkspace, Snapshot, WaitBudget};

/// Writes the records of a workspace's registries. An agent of its database is not listed
/// again where it stands in a JSON file too, and where the database cannot be read, neither
/// is anything else: nobody can say whether it still counts.
///
/// # Errors
/// When a record cannot be written.
pub fn workspace(
    scan: &mut ScanWriter,
    workspace: &FoundWorkspace,
    max_size: u64,
    wait: &mut WaitBudget,
) -> Result<(), Failure> {
    let mut read = |scan: &mut ScanWriter, path: &Path| read(scan, path, max_size, wait);
    let mut known = HashSet::default();
    if let Some(path) = &workspace.database {
        let Some(snapshot) = read(scan, path) else { return Ok(()) };
        let is_alone = workspace.json.is_empty();
        records(scan, &*snapshot, &mut |id| {
            if !is_alone {
                known.insert(id.to_owned());
            }
            true
        })?;
    }
    for path in &workspace.json {
        if let Some(snapshot) = read(scan, path) {
            records(scan, &*snapshot, &mut |id| !known.contains(id))?;
        }
    }
    Ok(())
}

/// Reads a registry. What is wrong with it makes the scan incomplete.
fn read(
    scan: &mut ScanWriter,
    path: &Path,
    max_size: u64,
    wait: &mut WaitBudget,
) -> Option<Box<dyn Snapshot>> {
    let read = registry::open(path, Access::to_given(max_size))
        .and_then(|registry| Ok((registry.read(wait)?, registry.path().to_owned())));
    match read {
        Ok((snapshot, path)) => {
            for note in snapshot.notes() {
                scan.note(&format!("{}: {note}", path.display()));
            }
            Some(snapshot)
        }
        Err(error) => {
            scan.trouble(error.to_string());
            None
        }
    }
}

/// Writes a record for each entry whose id `is_listed`, and one for the registry.
fn records(
    scan: &mut ScanWriter,
    snapshot: &dyn Snapshot,
    is_listed: &mut dyn FnMut(&str) -> bool,
) -> Result<(), Failure> {
    let id = scan.end.scan.clone();
    let mut written = Ok(());
    let listed = snapshot.list(&id, &mut |agent| {
        if is_listed(&agent.id) {
            written = scan.record(&Record::Agent(agent));
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    match listed {
        ControlFlow::Continue(registry) => scan.record(&Record::Registry(&registry)),
        ControlFlow::Break(()) => Ok(()),
    }
}
