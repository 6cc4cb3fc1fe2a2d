//! Putting back what a prune took out of registries.

use std::collections::BTreeMap;
use std::path::Path;

use cli::Failure;
use model::plan::PlannedAction;
use model::plan::undo::{Undo, read};
use model::record::Outcome;
use model::record::{Machine, RemovedEntry};
use registry::json::{Kept, SignalsWait};
use registry::json::{Restored, restore};

use super::args::Arguments;
use super::confirm;
use super::registries::{fail, lock, say_left};
use super::report::Report;

/// Undoes what the action records in `text` say was done to registries, or shows that.
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
    let acts = confirm::acts(arguments, actions)?;
    if acts {
        report.expect(undos.values().map(|undo| undo.entries.len()).sum());
    }
    for (path, undo) in undos {
        if !acts {
            undo.entries.iter().try_for_each(|(action, _)| report.record_dry_run(action))?;
        } else if let Some((action, _)) =
            undo.entries.iter().find(|(o, _)| o.origin.machine.host != machine.host)
        {
            let reason =
                format!("done on {}, this is {}", action.origin.machine.host, machine.host);
            for (action, _) in &undo.entries {
                report.record(action, Outcome::Refused, reason.as_str());
            }
        } else {
            put_back(Path::new(&path), undo, arguments, report)?;
        }
    }
    Ok(())
}

fn put_back(
    path: &Path,
    undo: Undo<'_>,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let (actions, taken): (Vec<PlannedAction<'_>>, Vec<RemovedEntry<'_>>) =
        undo.entries.into_iter().unzip();
    let counters: BTreeMap<&str, (i64, i64)> =
        undo.counters.iter().map(|(name, values)| (name.as_str(), *values)).collect();
    report.deliver()?;
    let locked = lock(path, arguments.lock_timeout, &mut report.progress)
        .and_then(|lock| lock.whole_text().map(|(text, _)| (lock, text)));
    let (lock, old) = match locked {
        Ok(locked) => locked,
        Err(error) => {
            fail(&actions, &error, report);
            return Ok(());
        }
    };
    let Restored { text, results } = restore(&old, &taken, &counters).map_err(Failure::trouble)?;
    // Once written it is to be noted, too, what was put back.
    let _waiting = SignalsWait::begin();
    report.all_planned(&actions)?;
    if text != old {
        match lock.replace(&old, &text, Kept::Nothing, host::clock::now()) {
            Ok(written) => say_left(&lock, &written),
            Err(error) => {
                fail(&actions, &error, report);
                return Ok(());
            }
        }
    }
    for (action, result) in actions.iter().zip(results) {
        match result {
            Ok(()) => report.record(action, Outcome::Done, "entry put back"),
            Err(reason) => report.record(action, Outcome::Skipped, reason),
        }
    }
    drop(lock);
    report.settle();
    Ok(())
}
