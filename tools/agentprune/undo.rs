//! Putting back what a prune took out of registries.

use std::collections::BTreeMap;
use std::path::Path;

use cli::Failure;
use host::registry::{Kept, SignalsWait};
use model::finding::Outcome;
use model::plan::Order;
use model::record::Machine;
use model::registry::{Restored, Taken, restore};
use model::undo::{Undo, read};

use crate::args::Arguments;
use crate::confirm;
use crate::registries::{fail, lock, say_left};
use crate::report::Report;

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
    let orders = undos.values().flat_map(|undo| undo.entries.iter().map(|(order, _)| order));
    let acts = confirm::acts(arguments, orders)?;
    for (path, undo) in undos {
        if !acts {
            undo.entries.iter().try_for_each(|(order, _)| report.would(order))?;
        } else if let Some((order, _)) =
            undo.entries.iter().find(|(o, _)| o.origin.machine.host != machine.host)
        {
            let reason = format!("done on {}, this is {}", order.origin.machine.host, machine.host);
            for (order, _) in &undo.entries {
                report.became(order, Outcome::Refused, reason.as_str());
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
    let (orders, taken): (Vec<Order<'_>>, Vec<Taken<'_>>) = undo.entries.into_iter().unzip();
    let counters: BTreeMap<&str, (i64, i64)> =
        undo.counters.iter().map(|(name, values)| (name.as_str(), *values)).collect();
    let locked = lock(path, arguments.lock_timeout, &mut report.steps)
        .and_then(|lock| lock.whole_text().map(|(text, _)| (lock, text)));
    let (lock, old) = match locked {
        Ok(locked) => locked,
        Err(error) => {
            fail(&orders, &error, report);
            return Ok(());
        }
    };
    let Restored { text, results } = restore(&old, &taken, &counters).map_err(Failure::trouble)?;
    // Once written it is to be noted, too, what was put back.
    let _waiting = SignalsWait::begin();
    report.all_planned(&orders)?;
    if text != old {
        match lock.replace(&old, &text, Kept::Nothing, host::clock::now()) {
            Ok(written) => say_left(&lock, &written),
            Err(error) => {
                fail(&orders, &error, report);
                return Ok(());
            }
        }
    }
    for (order, result) in orders.iter().zip(results) {
        match result {
            Ok(()) => report.became(order, Outcome::Done, "entry put back"),
            Err(reason) => report.became(order, Outcome::Skipped, reason),
        }
    }
    Ok(())
}
