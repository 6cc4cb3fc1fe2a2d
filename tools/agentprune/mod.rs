//! `agentprune`: acts on the findings of `agentdiff`, and on no others.
//!
//! It does not know why something was found; it verifies it again, by identity, at the
//! moment of acting.

pub mod args;
mod background;
mod confirm;
mod descendants;
mod earlier;
mod ending;
mod ghosts;
mod log;
mod processes;
mod program;
mod progress;
mod recheck;
mod registries;
mod report;
mod sessions;
mod undo;

use std::process::ExitCode;

use self::args::Arguments;
use self::earlier::Earlier;
use self::log::Log;
use self::program::PROGRAM;
use self::progress::Progress;
use self::report::Report;
use crate::{keep, start};
use cli::{Failure, Input, Printer, bytes};
use itertools::Itertools;
use model::plan::{Plan, PlannedAction, Run};
use model::record::{Finding, Machine, Scope};
use registry::WaitBudget;
use serde_json::Value;

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    start(PROGRAM, run)
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    if arguments.output.list_fields {
        return arguments.output.list();
    }
    let printer = Printer::unfiltered(&arguments.output);
    if !arguments.recover.is_empty() {
        return recover(&arguments);
    }
    let (what, how) = match arguments.undo {
        true => ("action records", "agentprune --undo LOG"),
        false => ("findings", "agentdiff … | agentprune"),
    };
    let text = Input::new(&arguments.files, what, how)?.text()?;
    let log = Log::open(arguments.keep_log.as_ref(), arguments.log.as_deref())?;
    let kept = log.as_ref().filter(|log| log.is_kept).map(|log| log.path.display().to_string());
    let progress = Progress::new(arguments.quiet, arguments.verbose);
    let is_table = arguments.output.table;
    let mut report = Report::new(printer, is_table, log, arguments.quiet, progress)?;
    let machine = host::machine::this_machine()
        .map_err(|error| Failure::Trouble(format!("this machine: {error}")))?;
    let carried_out = match arguments.undo {
        true => undo::undo(&text, &machine, &arguments, &mut report),
        false => prune(&text, &machine, &arguments, &mut report),
    };
    // What was done is reported even when the rest could not be done.
    let reported = report.finish(carried_out.is_err());
    if carried_out.is_err() {
        report.say_rest();
    }
    kept.iter().for_each(|path| report.note(&format!("log: {path}")));
    carried_out?;
    reported?;
    if !arguments.quiet {
        say_counts(&report, arguments.yes || arguments.interactive);
    }
    Ok(u8::from(report.has_failures()))
}

fn prune(
    text: &str,
    machine: &Machine,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let earlier = arguments.confirmed_by.as_deref().map(Earlier::read).transpose()?;
    let mut plan = model::plan::read(text)
        .map_err(|malformed| Failure::Trouble(format!("input: {malformed}; nothing was done")))?;
    check_ends(&plan)?;
    if let Some(how) = arguments.ghosts {
        let entries = plan.registries.values_mut().flat_map(|items| &mut items.entries);
        // No row is ever removed from a database.
        let entries = entries.filter(|item| item.subject.scope != Scope::State);
        entries.for_each(|item| item.action.kind = how.kind());
    }
    let uid = host::user::uid();
    let run = Run { machine: machine.clone(), uid, source: arguments.proc_source };
    let mut left = plan.settle(&run);
    left.extend(plan.keep(&mut keeps()?)?);
    if let Some(earlier) = &earlier {
        let before = earlier.plan()?;
        if before.is_none() {
            let name = &earlier.name;
            report.note(&format!("{name}: no such file, so nothing is confirmed; only looking"));
        }
        left.extend(plan.confirm(before.as_ref(), &earlier.name));
    }
    for (action, outcome, reason) in left {
        report.record(&action, outcome, reason);
    }
    if confirm::acts(arguments, plan.actions(), || left_alone(text))? {
        report.expect(plan.actions().count());
        act(&plan, arguments, report)
    } else {
        plan.actions().try_for_each(|action| report.record_dry_run(action))
    }
}

/// The findings without an action.
fn left_alone(text: &str) -> Vec<Value> {
    let findings = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    findings.filter(|record| record["type"] == "finding" && record["action"].is_null()).collect()
}

/// Asks the keep file about the records of a finding. It is read again, not taken from the
/// findings: what the user has written since then counts, whoever made them.
fn keeps() -> Result<impl FnMut(&PlannedAction<'_>) -> Result<Option<String>, Failure>, Failure> {
    let trouble = |reason: String| Failure::Trouble(format!("{reason}; nothing was done"));
    let keep = keep::read().map_err(|failure| match failure {
        Failure::Trouble(reason) => trouble(reason),
        failure => failure,
    })?;
    Ok(move |action: &PlannedAction<'_>| {
        if keep.is_empty() {
            return Ok(None);
        }
        let finding: Finding<'_> = serde_json::from_str(action.raw).map_err(Failure::trouble)?;
        for record in [finding.process, finding.session, finding.agent].into_iter().flatten() {
            let record = serde_json::from_str(record.get()).map_err(Failure::trouble)?;
            if let Some(reason) = keep.reason_for(record).map_err(trouble)? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    })
}

/// Repairs the named registries after interrupted writes.
fn recover(arguments: &Arguments) -> Result<u8, Failure> {
    let mut progress = Progress::new(arguments.quiet, arguments.verbose);
    let mut wait = WaitBudget::new(arguments.lock_timeout);
    for path in &arguments.recover {
        let repaired = registries::recover(path, arguments.max_size, &mut wait, &mut progress);
        if !repaired.map_err(Failure::trouble)? && !arguments.quiet {
            PROGRAM.say(&format!("{}: no interrupted write", path.display()));
        }
    }
    Ok(0)
}

/// A judgement that failed must not read as "nothing to do".
fn check_ends(plan: &Plan<'_>) -> Result<(), Failure> {
    if let Some(end) = plan.ends.iter().find(|end| !end.complete) {
        let why = end.error.as_deref().unwrap_or("no reason given");
        return Err(Failure::Trouble(format!(
            "input: agentdiff could not judge: {why}; nothing was done"
        )));
    }
    for error in plan.ends.iter().filter_map(|end| end.error.as_deref()) {
        PROGRAM.say(&format!("input: not everything was judged: {error}"));
    }
    let promised: u64 = plan.ends.iter().map(|end| end.count).sum();
    if plan.ends.is_empty() {
        PROGRAM.say("input: the findings have no end record; acting on those that were read");
    } else if promised != plan.findings {
        let came = plan.findings;
        PROGRAM.say(&format!("input: read {came} of {promised} findings; acting on those"));
    }
    Ok(())
}

fn act(plan: &Plan<'_>, arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    processes::end(&plan.processes, arguments, report)?;
    sessions::end(&plan.sessions, report)?;
    let mut wait = WaitBudget::new(arguments.lock_timeout);
    for (path, items) in &plan.registries {
        registries::clean(path, items, arguments, &mut wait, report)?;
    }
    Ok(())
}

fn say_counts(report: &Report, acted: bool) {
    let counts = report.counts().iter().map(|(word, count)| format!("{word} {count}")).join(", ");
    match (acted, counts.is_empty()) {
        (_, true) => PROGRAM.say("nothing to do"),
        (true, false) if report.memory > 0 => {
            PROGRAM.say(&format!("{counts}; memory returned: {}", bytes(report.memory)));
        }
        (true, false) => PROGRAM.say(&counts),
        (false, false) => PROGRAM.say(&format!("{counts}; nothing was done; repeat with --yes")),
    }
}
