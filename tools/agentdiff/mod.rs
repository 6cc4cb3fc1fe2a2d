//! `agentdiff`: judges the records of the listers and writes findings, as JSON Lines.
//!
//! A function of its input and of what the keep file says: it knows neither the operating
//! system nor the clock nor the time zone. The rules are those of `model::rules`.

pub mod args;

use std::collections::HashSet;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use self::args::Arguments;
use crate::overview::Overview;
use crate::{keep, start};
use cli::{Failure, Input, Keep, Printer, Program};
use itertools::Itertools;
use model::record::{End, Machine, Of, Record};
use model::rules::{MachineState, Summary, judge, machine_states};
use model::stream::{Malformed, Scan, Sourced, read};
use serde_json::Value;

const PROGRAM: Program = Program::new("agentdiff");

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    start(PROGRAM, run)
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    if arguments.output.layout.list_fields {
        return arguments.output.layout.list();
    }
    let layout = &arguments.output.layout;
    let mut printer = Printer::new(&arguments.output)?;
    if layout.table && layout.fields.is_empty() {
        printer = printer.keeping();
    }
    let judged = text(&arguments).and_then(|text| {
        let mut scans = read(&text).map_err(malformed)?;
        if scans.is_empty() {
            let reason = "no records: the listers wrote nothing; feed it with \
                          { lsagents; lssessions; lsclaude; } | agentdiff";
            return Err(Failure::Trouble(reason.to_owned()));
        }
        mark_kept(&mut scans, &keep::read().map_err(no_keep_file)?)?;
        let machine_states = machine_states(&scans).map_err(malformed)?;
        findings(&machine_states, &arguments, &mut printer)
    });
    let status = match judged {
        Ok(status) => status,
        Err(Failure::Trouble(reason)) => {
            PROGRAM.say(&reason);
            // A reader must see that there was a judgement, and that it failed.
            if !arguments.quiet {
                let mut end = end_of(&[]);
                end.complete = false;
                end.error = Some(reason);
                printer.set_incomplete();
                printer.end(&Record::End(&end))?;
                printer.finish()?;
            }
            return Err(Failure::Said(2));
        }
        Err(failure) => return Err(failure),
    };
    Ok(status)
}

fn text(arguments: &Arguments) -> Result<String, Failure> {
    let input = Input::new(
        &arguments.files,
        "lister records",
        "{ lsagents; lssessions; lsclaude; } | agentdiff",
    )?;
    input.text()
}

fn no_keep_file(failure: Failure) -> Failure {
    match failure {
        Failure::Trouble(reason) => Failure::Trouble(format!("{reason}; no conclusion is drawn")),
        failure => failure,
    }
}

/// How many records the keep file is asked about at a time.
const AT_A_TIME: usize = 1000;

/// Marks the records of this user that the keep file says to keep. All of them are asked for, so
/// that a line that cannot be asked is noticed before it matters.
fn mark_kept(scans: &mut [Scan<'_>], keep: &Keep) -> Result<(), Failure> {
    if keep.is_empty() {
        return Ok(());
    }
    for scan in scans {
        let uid = scan.end.uid;
        mark(&mut scan.processes, |process| process.uid == uid, keep)?;
        mark(&mut scan.sessions, |session| session.uid == uid, keep)?;
        mark(&mut scan.agents, |_| true, keep)?;
    }
    Ok(())
}

fn mark<T>(
    records: &mut [Sourced<'_, T>],
    is_own: impl Fn(&T) -> bool,
    keep: &Keep,
) -> Result<(), Failure> {
    let own: Vec<_> = records.iter_mut().filter(|sourced| is_own(&sourced.record)).collect();
    for some in &own.into_iter().chunks(AT_A_TIME) {
        let some: Vec<_> = some.collect();
        let lines = some.iter().map(|sourced| serde_json::from_str(sourced.line));
        let lines = lines.collect::<Result<_, _>>().map_err(Failure::trouble)?;
        let reasons = keep.reasons_for(lines).map_err(Failure::Trouble).map_err(no_keep_file)?;
        for (sourced, reason) in some.into_iter().zip(reasons) {
            sourced.kept_by = reason.map(Rc::from);
        }
    }
    Ok(())
}

fn malformed(malformed: Malformed) -> Failure {
    Failure::Trouble(format!("input: {malformed}; no conclusion is drawn"))
}

fn findings(
    machine_states: &[MachineState<'_, '_>],
    arguments: &Arguments,
    printer: &mut Printer,
) -> Result<u8, Failure> {
    let options = arguments.options();
    // No clock is read: ages count to the last scan.
    if let Some(now) = machine_states.iter().flat_map(|s| &s.ends).map(|end| end.taken_at).max() {
        printer.set_now(now);
    }
    let mut all = Summary::default();
    let mut written = Ok(());
    for state in machine_states {
        let summary = judge(state, &options, &mut |finding| {
            if written.is_ok() && !arguments.quiet {
                written = printer.record(&Record::Finding(finding));
            }
        });
        say(machine_states.len() > 1, &state.machine, &summary);
        all.add(summary);
    }
    written?;
    let trouble = trouble(machine_states, &all);
    if !arguments.quiet {
        let mut end = end_of(machine_states);
        end.filtered = printer.filters();
        end.count = printer.count();
        let words = all.counts.iter().map(|(kind, count)| (kind.word().to_owned(), *count));
        end.findings = Some(words.collect());
        end.unjudged = Some(all.unjudged.clone());
        end.too_young = Some(all.too_young);
        end.complete = !judged_nothing(machine_states);
        end.error = trouble.clone();
        if trouble.is_some() {
            printer.set_incomplete();
        }
        if let Some(findings) = printer.take() {
            let sessions = match arguments.output.filter {
                Some(_) => Vec::new(),
                None => kept_sessions(machine_states, &findings),
            };
            let plan = Overview {
                findings: &findings,
                sessions: &sessions,
                is_filtered: end.filtered,
                is_whole: trouble.is_none() && all.unjudged.is_empty(),
            };
            // The command line, the note and the prompt after it are on the same screen.
            let height = cli::height(io::stdout()).map(|height| height.saturating_sub(4));
            let plan = plan.text(&printer.style(), height);
            let note = match plan.is_cut {
                true => "All: agentdiff -T -o target,reason\n",
                false => "",
            };
            printer.text(&plan.with_note(note))?;
        }
        printer.end(&Record::End(&end))?;
        printer.finish()?;
    }
    Ok(match (trouble, all.actionable) {
        (Some(reason), _) => {
            let rest = match judged_nothing(machine_states) || all.is_blind() {
                true => "",
                false => "; the records that were read were judged",
            };
            PROGRAM.say(&format!("{reason}{rest}"));
            2
        }
        (None, 0) => 0,
        (None, _) => 1,
    })
}

/// The sessions of the users of these states about which nothing was found.
fn kept_sessions(machine_states: &[MachineState<'_, '_>], findings: &[Value]) -> Vec<Value> {
    let identity = |session: &Value| (session["server_pid"].clone(), session["id"].clone());
    let found: HashSet<_> = findings.iter().map(|finding| identity(&finding["session"])).collect();
    let own = machine_states.iter().flat_map(|state| {
        state.sessions.iter().filter(|(session, _)| session.record.uid == state.uid)
    });
    let records = own.filter_map(|(session, _)| serde_json::from_str(session.line).ok());
    records.filter(|session| !found.contains(&identity(session))).collect()
}

fn say(several: bool, machine: &Machine, summary: &Summary) {
    let host = if several { format!("{}: ", machine.host) } else { String::new() };
    for note in &summary.notes {
        PROGRAM.say(&format!("{host}{note}"));
    }
}

/// What the listers could not read, what belongs to other users entirely, and whether nothing
/// could be judged; `None` if there is none of these.
fn trouble(machine_states: &[MachineState<'_, '_>], all: &Summary) -> Option<String> {
    let ends = machine_states.iter().flat_map(|state| &state.ends).filter(|end| !end.complete);
    let unread = ends.map(|end| end.error.clone().unwrap_or("a scan is incomplete".to_owned()));
    let mut reasons: Vec<String> =
        unread.chain(machine_states.iter().filter_map(of_others)).collect();
    if reasons.is_empty() && all.is_blind() {
        reasons.push("nothing of what was listed could be judged; see the notes".to_owned());
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Says that a state allows no conclusion because its registries (or, without registries,
/// everything else) belong to other users, and which command would allow one.
fn of_others(state: &MachineState<'_, '_>) -> Option<String> {
    let owners = state.only_others()?;
    let own = state.uid;
    let commands = owners.iter().map(|owner| {
        let name = state.user_name(*owner).unwrap_or_else(|| owner.to_string());
        ["lsagents", "lssessions", "lsclaude"].map(|lister| format!("{lister} --user {name};"))
    });
    let commands = commands.map(|listers| format!("{{ {} }} | agentdiff", listers.join(" ")));
    Some(format!(
        "no conclusion: what was listed for uid {own} belongs to other users; as root, run {}",
        commands.collect::<Vec<_>>().join(" and ")
    ))
}

/// Whether no state allows a conclusion. Then nothing may be done about any finding.
fn judged_nothing(machine_states: &[MachineState<'_, '_>]) -> bool {
    machine_states.iter().all(|state| state.only_others().is_some())
}

/// The end of the findings, of the machine that was judged first, as old as the oldest scan.
/// Without a scan, of this machine and now.
fn end_of(machine_states: &[MachineState<'_, '_>]) -> End {
    let machine = machine_states.first().map(|state| state.machine.clone());
    let machine = machine.unwrap_or_else(|| host::machine::this_machine().unwrap_or_default());
    let taken_at = machine_states.iter().map(MachineState::taken_at).min();
    let taken_at = taken_at.unwrap_or_else(host::clock::now);
    let ends = machine_states.iter().flat_map(|state| &state.ends);
    let uid = ends.map(|end| end.uid).next().unwrap_or_else(host::user::uid);
    End::new("findings".to_owned(), Of::Findings, &machine, uid, taken_at)
}
