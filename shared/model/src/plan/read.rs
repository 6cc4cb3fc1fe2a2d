//! Reading findings back.

use std::fmt::Display;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::item::{Ghost, PlanItem, PlannedAction, RegistryItems, Zombie};
use super::origin::Origins;
use super::plan::Plan;
use crate::record::{ActionKind, Agent, End, Finding, Of, Process, Registry, Scope, Session, Text};
use crate::stream::{Malformed, lines, parse};

/// The highest pid a Linux kernel gives (`PID_MAX_LIMIT`).
const PID_MAX: i32 = 1 << 22;

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
}

impl<'a> Head<'a> {
    /// The head of a line that begins as `agentdiff` writes findings. Then the line is parsed
    /// only once: as a finding, which fails if it is not one.
    fn leading(line: &'a str) -> Option<Head<'a>> {
        line.starts_with("{\"type\":\"finding\"").then(|| Head { kind: "finding".into() })
    }
}

/// Reads the findings of `agentdiff`. Skips unknown types. An unknown kind of finding is an
/// error: it is unknown what acting on it would do.
///
/// # Errors
/// [`Malformed`] for a line that is not fully understood, and for an empty input. Then
/// nothing of the input may be acted on.
pub fn read(text: &str) -> Result<Plan<'_>, Malformed> {
    let mut plan = Plan::default();
    let mut origins = Origins::default();
    for (number, line) in lines(text) {
        let head = Head::leading(line).map_or_else(|| parse(number, line), Ok)?;
        match &*head.kind {
            "finding" => {
                let added = add(&mut plan, line, &mut origins);
                added.map_err(|error| Malformed { line: number, ..error })?;
            }
            "end" => {
                let end: End = parse(number, line)?;
                if end.of != Of::Findings {
                    return Err(lister_records(number));
                }
                plan.ends.push(end);
            }
            "agent" | "session" | "process" | "registry" => return Err(lister_records(number)),
            _ => {}
        }
    }
    if plan.findings == 0 && plan.ends.is_empty() {
        let reason =
            "neither findings nor an end record: the program before wrote nothing".to_owned();
        return Err(Malformed { line: 0, reason });
    }
    Ok(plan)
}

fn lister_records(line: usize) -> Malformed {
    let reason = "a record of a lister, not a finding: did you forget agentdiff?".to_owned();
    Malformed { line, reason }
}

fn add<'a>(plan: &mut Plan<'a>, line: &'a str, origins: &mut Origins<'a>) -> Result<(), Malformed> {
    let finding: Finding<'a> = parse(0, line)?;
    let origin = origins.of(&finding)?;
    plan.findings += 1;
    let Finding { kind, action, target, reason, .. } = finding;
    let Finding { process, session, agent, registry, .. } = finding;
    let Some(what) = action else { return Ok(()) };
    let no_match = || malformed(format!("a finding of kind {kind} does not go with its action"));
    if !kind.allows(what) {
        return Err(no_match());
    }
    let action = PlannedAction { kind: what, found: kind, target, reason, origin, raw: line };
    match what {
        ActionKind::KillProcess => {
            let subject: Process = subject(process, "process")?;
            check_pid(subject.pid)?;
            check_target(&action.target, "process", &subject.pid)?;
            plan.processes.push(PlanItem { action, subject });
        }
        ActionKind::KillSession => {
            let session: Session = subject(session, "session")?;
            check_target(&action.target, "session", &session.name)?;
            let named_by = agent.map(|agent| subject(Some(agent), "agent")).transpose()?;
            if action.origin.evidence.prefix.is_empty() {
                let reason =
                    "its evidence has an empty prefix: every session would be an agent session"
                        .to_owned();
                return Err(malformed(reason));
            }
            plan.sessions.push(PlanItem { action, subject: Zombie { session, named_by } });
        }
        ActionKind::RemoveEntry | ActionKind::TerminateEntry => {
            let agent: Agent<'a> = subject(agent, "agent")?;
            check_target(&action.target, "agent", &agent.id)?;
            let row = (agent.scope == Scope::State).then(|| Box::new(agent.clone()));
            let Agent { id, started_at, scope, registry, .. } = agent;
            let subject = Ghost { id, started_at, scope, row };
            items_of(plan, &registry).entries.push(PlanItem { action, subject });
        }
        ActionKind::SetCounters => {
            let subject: Registry = subject(registry, "registry")?;
            check_target(&action.target, "registry", &subject.path)?;
            items_of(plan, &subject.path).counters.push(PlanItem { action, subject });
        }
        ActionKind::RestoreEntry => return Err(no_match()),
    }
    Ok(())
}

/// The items of the registry with this path.
fn items_of<'p, 'a>(plan: &'p mut Plan<'a>, path: &str) -> &'p mut RegistryItems<'a> {
    // The path is copied only once for thousands of entries of one registry.
    if !plan.registries.contains_key(path) {
        plan.registries.insert(path.to_owned(), RegistryItems::default());
    }
    plan.registries.get_mut(path).expect("it was inserted")
}

fn malformed(reason: String) -> Malformed {
    Malformed { line: 0, reason }
}

fn subject<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>, name: &str) -> Result<T, Malformed> {
    let missing = || malformed(format!("the finding has no {name} record"));
    parse(0, raw.ok_or_else(missing)?.get())
}

/// Checks that people are shown the subject that is acted on.
fn check_target(target: &str, kind: &str, name: &dyn Display) -> Result<(), Malformed> {
    if target == format!("{kind} {name}") {
        return Ok(());
    }
    let reason = format!("its target is {target:?}, but its record is {kind} {name}");
    Err(malformed(reason))
}

fn check_pid(pid: i32) -> Result<(), Malformed> {
    if (2..=PID_MAX).contains(&pid) {
        return Ok(());
    }
    Err(malformed(format!("pid {pid} is never acted on")))
}
