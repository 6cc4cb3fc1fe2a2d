//! One registry as records.

use std::ops::ControlFlow;
use std::path::Path;

use cli::{Failure, ScanWriter};
use model::record::Record;
use registry::{Snapshot, WaitBudget};

/// Writes a record for each entry and one for the registry. What is wrong with the
/// registry makes the scan incomplete.
///
/// # Errors
/// When a record cannot be written.
pub fn registry(scan: &mut ScanWriter, path: &Path, wait: &mut WaitBudget) -> Result<(), Failure> {
    let read = registry::open(path)
        .and_then(|registry| Ok((registry.read(wait)?, registry.path().to_owned())));
    let (snapshot, path) = match read {
        Ok(read) => read,
        Err(error) => {
            scan.trouble(error.to_string());
            return Ok(());
        }
    };
    for note in snapshot.notes() {
        scan.note(&format!("{}: {note}", path.to_string_lossy()));
    }
    records(scan, &*snapshot)
}

fn records(scan: &mut ScanWriter, snapshot: &dyn Snapshot) -> Result<(), Failure> {
    let id = scan.end.scan.clone();
    let mut written = Ok(());
    let listed = snapshot.list(&id, &mut |agent| {
        written = scan.record(&Record::Agent(agent));
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    match listed {
        ControlFlow::Continue(registry) => scan.record(&Record::Registry(&registry)),
        ControlFlow::Break(()) => Ok(()),
    }
}
