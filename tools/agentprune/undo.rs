//! Putting back what a prune removed from registries, or marked there.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use cli::Failure;
use model::plan::PlannedAction;
use model::plan::undo::{Undo, read};
use model::record::{Machine, Outcome, RemovedEntry};
use registry::{NotWritten, SignalsWait, WaitBudget};

use super::args::Arguments;
use super::confirm;
use super::registries::{fail, lock, say_notes};
use super::report::Report;

/// Undoes the changes to registries that the action records in `text` report, or only shows
/// them.
///
/// # Errors
/// When the input is not of action records, or output cannot be written.
pub fn undo(
    text: &str,
    machine: &Machine,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let undos: BTreeMap<String, Undo<'_>> = read(text)
        .map_err(|malformed| Failure::Trouble(format!("input: {malformed}; nothing was done")))?;
    let actions = undos.values().flat_map(|undo| undo.entries.iter().map(|(action, _)| action));
    let acts = confirm::acts(arguments, actions, Vec::new)?;
    if acts {
        report.expect(undos.values().map(|undo| undo.entries.len()).sum());
    }
    let mut wait = WaitBudget::new(arguments.lock_timeout);
    for (path, undo) in undos {
        if !acts {
            undo.entries.iter().try_for_each(|(action, _)| report.record_dry_run(action))?;
        } else if let Some((action, _)) =
            undo.entries.iter().find(|(o, _)| o.origin.machine.host != machine.host)
        {
            let reason = format!(
                "done on host {}, this is host {}",
                action.origin.machine.host, machine.host
            );
            for (action, _) in &undo.entries {
                report.record(action, Outcome::Refused, reason.as_str());
            }
        } else {
            put_back(Path::new(&path), undo, arguments, &mut wait, report)?;
        }
    }
    Ok(())
}

fn put_back(
    path: &Path,
    undo: Undo<'_>,
    arguments: &Arguments,
    wait: &mut WaitBudget,
    report: &mut Report,
) -> Result<(), Failure> {
    let (actions, entries): (Vec<PlannedAction<'_>>, Vec<RemovedEntry<'_>>) =
        undo.entries.into_iter().unzip();
    report.deliver()?;
    let locked = match lock(path, arguments.max_size, wait, &mut report.progress) {
        Ok(locked) => locked,
        Err(error) => {
            fail(&actions, &error, report);
            return Ok(());
        }
    };
    // Signals wait until the entries that were put back are reported.
    let _waiting = SignalsWait::begin();
    let mut stopped = Ok(());
    let restored = locked.restore(entries, &mut || {
        stopped = report.all_planned(&actions);
        if stopped.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let restored = match restored {
        Ok(restored) => restored,
        Err(NotWritten::Stopped) => return stopped,
        Err(NotWritten::Failed(error)) => {
            fail(&actions, &error, report);
            return Ok(());
        }
    };
    say_notes(&*locked, &restored.notes);
    for (action, result) in actions.iter().zip(restored.results) {
        match result {
            Ok(()) => report.record(action, Outcome::Done, "entry put back"),
            Err(reason) => report.record(action, Outcome::Skipped, reason),
        }
    }
    drop(locked);
    report.settle();
    Ok(())
}
