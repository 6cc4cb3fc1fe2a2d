//! Reading findings back and putting them in the order in which they are acted on:
//! processes, then sessions, then registries, so that each step sees what the one
//! before has done.

pub mod undo;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::Rc;

use foldhash::HashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::record::Text;
use crate::record::{ActionKind, Evidence, Finding, Kind};
use crate::record::{Agent, End, Machine, Of, ProcSource, Process, Registry, Scope, Session};
use crate::stream::{Malformed, lines, parse};

/// The highest pid a Linux kernel gives (`PID_MAX_LIMIT`).
const PID_MAX: i32 = 1 << 22;

/// What is to be done about a finding. There may be hundreds of thousands: what many of
/// them share stands once, and the finding itself only as it was read.
#[derive(Debug)]
pub struct PlannedAction<'a> {
    /// What to do.
    pub kind: ActionKind,
    /// About what, for people.
    pub target: Text<'a>,
    /// Why.
    pub reason: Text<'a>,
    /// Where it was found, and by what.
    pub origin: Rc<Origin>,
    /// The finding as it was read, one JSON object.
    pub raw: &'a str,
}

/// Where something was found, and by what.
#[derive(Debug)]
pub struct Origin {
    /// The machine.
    pub machine: Machine,
    /// The scans.
    pub evidence: Evidence,
}

/// An action and what it is about.
#[derive(Debug)]
pub struct PlanItem<'a, T> {
    /// The action.
    pub action: PlannedAction<'a>,
    /// The record, or what of it acting needs.
    pub subject: T,
}

/// The entry of a ghost, as it was found.
#[derive(Debug)]
pub struct Ghost<'a> {
    /// Its id.
    pub id: Text<'a>,
    /// What tells it from another entry that gets the id later.
    pub started_at: Option<Text<'a>>,
    /// The kind of registry it stands in.
    pub scope: Scope,
}

/// The items that concern one registry file.
#[derive(Debug, Default)]
pub struct RegistryItems<'a> {
    /// Entries to remove or to mark.
    pub entries: Vec<PlanItem<'a, Ghost<'a>>>,
    /// The file itself, for its counters.
    pub counters: Vec<PlanItem<'a, Registry>>,
}

impl<'a> RegistryItems<'a> {
    /// All actions, those for entries first.
    pub fn actions(&self) -> impl Iterator<Item = &PlannedAction<'a>> {
        let entries = self.entries.iter().map(|item| &item.action);
        entries.chain(self.counters.iter().map(|item| &item.action))
    }
}

/// Findings in the order of acting.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Processes to end.
    pub processes: Vec<PlanItem<'a, Process>>,
    /// Sessions to end.
    pub sessions: Vec<PlanItem<'a, Session>>,
    /// Registries to edit, by path.
    pub registries: BTreeMap<String, RegistryItems<'a>>,
    /// Number of findings, those without an action too.
    pub findings: u64,
    /// The ends of the judgements that were read.
    pub ends: Vec<End>,
}

impl<'a> Plan<'a> {
    /// All actions, in the order of acting.
    pub fn actions(&self) -> impl Iterator<Item = &PlannedAction<'a>> {
        let processes = self.processes.iter().map(|item| &item.action);
        let sessions = self.sessions.iter().map(|item| &item.action);
        let registries = self.registries.values().flat_map(RegistryItems::actions);
        processes.chain(sessions).chain(registries)
    }

    /// Takes out what was found elsewhere, with the reason: pids, session ids and paths
    /// mean something only on the machine, in the boot and in the pid namespace where
    /// they were seen.
    pub fn take_foreign(&mut self, machine: &Machine) -> Vec<(PlannedAction<'a>, String)> {
        self.take(&|origin| foreignness(&origin.machine, machine))
    }

    /// Takes out what was found with another source of the process table, with the reason.
    pub fn take_seen_otherwise(&mut self, source: ProcSource) -> Vec<(PlannedAction<'a>, String)> {
        self.take(&|origin| {
            let other = origin.evidence.proc_source.filter(|other| *other != source)?;
            Some(format!("found with --proc-source {}", other.word()))
        })
    }

    fn take(&mut self, why: &Why<'_>) -> Vec<(PlannedAction<'a>, String)> {
        let mut taken = Vec::new();
        take(&mut self.processes, why, &mut taken);
        take(&mut self.sessions, why, &mut taken);
        for items in self.registries.values_mut() {
            take(&mut items.entries, why, &mut taken);
            take(&mut items.counters, why, &mut taken);
        }
        taken
    }
}

/// Why a finding is not acted on, if so.
type Why<'w> = dyn Fn(&Origin) -> Option<String> + 'w;

fn take<'a, T>(
    items: &mut Vec<PlanItem<'a, T>>,
    why: &Why<'_>,
    taken: &mut Vec<(PlannedAction<'a>, String)>,
) {
    for item in std::mem::take(items) {
        match why(&item.action.origin) {
            None => items.push(item),
            Some(reason) => taken.push((item.action, reason)),
        }
    }
}

fn foreignness(found: &Machine, machine: &Machine) -> Option<String> {
    if found.host != machine.host {
        Some(format!("found on {}, this is {}", found.host, machine.host))
    } else if found.boot_id != machine.boot_id {
        Some("found before this machine was started last".to_owned())
    } else {
        (found.pid_ns != machine.pid_ns).then(|| "found in another pid namespace".to_owned())
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
}

impl<'a> Head<'a> {
    /// The head of a finding that begins with its type, as `agentdiff` writes them, so that
    /// the line need be read only once: as a finding, which shows whether it is one.
    fn leading(line: &'a str) -> Option<Head<'a>> {
        line.starts_with("{\"type\":\"finding\"").then(|| Head { kind: "finding".into() })
    }
}

/// Reads the findings of `agentdiff`. Unknown types are passed over, unknown kinds of
/// finding are not: nobody can say what acting on them would mean.
///
/// # Errors
/// [`Malformed`] for anything that is not wholly understood, with its line; then nothing
/// of the input may be acted on. An empty input is one too.
pub fn read(text: &str) -> Result<Plan<'_>, Malformed> {
    let mut plan = Plan::default();
    let mut origins = Origins::default();
    for (number, line) in lines(text) {
        let head = Head::leading(line).map_or_else(|| parse(number, line), Ok)?;
        match &*head.kind {
            "finding" => {
                plan.add(line, &mut origins).map_err(|error| Malformed { line: number, ..error })?
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
        let reason = "no findings and no end: the program before wrote nothing".to_owned();
        return Err(Malformed { line: 0, reason });
    }
    Ok(plan)
}

fn lister_records(line: usize) -> Malformed {
    let reason = "a record of a lister, not a finding: did you forget agentdiff?".to_owned();
    Malformed { line, reason }
}

/// What the findings of a stream have in common.
#[derive(Default)]
pub(crate) struct Origins<'a> {
    known: HashMap<Spelling<'a>, Rc<Origin>>,
    /// That of the finding before: as a rule the next has the same.
    last: Option<(Spelling<'a>, Rc<Origin>)>,
}

/// Machine and evidence as a finding spells them.
type Spelling<'a> = ([Text<'a>; 3], &'a str);

impl<'a> Origins<'a> {
    /// That of a finding.
    ///
    /// # Errors
    /// [`Malformed`] when its evidence is none.
    pub(crate) fn of(&mut self, finding: &Finding<'a>) -> Result<Rc<Origin>, Malformed> {
        let Finding { host, boot_id, pid_ns, evidence, .. } = finding;
        let spelling = ([host, boot_id, pid_ns].map(Text::clone), evidence.get());
        if let Some((_, origin)) = self.last.as_ref().filter(|(last, _)| *last == spelling) {
            return Ok(origin.clone());
        }
        let origin = match self.known.get(&spelling) {
            Some(origin) => origin.clone(),
            None => {
                let [host, boot_id, pid_ns] = spelling.0.clone().map(Text::into_owned);
                let machine = Machine { host, boot_id, pid_ns };
                Rc::new(Origin { machine, evidence: parse(0, evidence.get())? })
            }
        };
        self.known.insert(spelling.clone(), origin.clone());
        self.last = Some((spelling, origin.clone()));
        Ok(origin)
    }
}

impl<'a> Plan<'a> {
    fn add(&mut self, line: &'a str, origins: &mut Origins<'a>) -> Result<(), Malformed> {
        let finding: Finding<'a> = parse(0, line)?;
        let origin = origins.of(&finding)?;
        self.findings += 1;
        let Finding { kind, action, target, reason, .. } = finding;
        let Finding { process, session, agent, registry, .. } = finding;
        let Some(what) = action else { return Ok(()) };
        let action = PlannedAction { kind: what, target, reason, origin, raw: line };
        match (kind, what) {
            (Kind::LeakedProcess, ActionKind::KillProcess) => {
                let subject: Process = subject(process, "process")?;
                check_pid(subject.pid)?;
                check_target(&action.target, "process", &subject.pid)?;
                self.processes.push(PlanItem { action, subject });
            }
            (Kind::ZombieSession, ActionKind::KillSession) => {
                let subject: Session = subject(session, "session")?;
                check_target(&action.target, "session", &subject.name)?;
                if action.origin.evidence.prefix.is_empty() {
                    let reason = "by its evidence, every session is an agent's".to_owned();
                    return Err(Malformed { line: 0, reason });
                }
                self.sessions.push(PlanItem { action, subject });
            }
            (Kind::GhostAgent, ActionKind::RemoveEntry | ActionKind::TerminateEntry) => {
                let Agent { id, started_at, scope, registry, .. } = subject(agent, "agent")?;
                check_target(&action.target, "agent", &id)?;
                let subject = Ghost { id, started_at, scope };
                self.of(&registry).entries.push(PlanItem { action, subject });
            }
            (Kind::CountMismatch, ActionKind::SetCounters) => {
                let subject: Registry = subject(registry, "registry")?;
                check_target(&action.target, "registry", &subject.path)?;
                self.of(&subject.path).counters.push(PlanItem { action, subject });
            }
            _ => {
                let reason = format!("a finding of kind {kind} does not go with its action");
                return Err(Malformed { line: 0, reason });
            }
        }
        Ok(())
    }

    fn of(&mut self, registry: &str) -> &mut RegistryItems<'a> {
        if !self.registries.contains_key(registry) {
            self.registries.insert(registry.to_owned(), RegistryItems::default());
        }
        self.registries.get_mut(registry).expect("it was put there")
    }
}

fn subject<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>, name: &str) -> Result<T, Malformed> {
    let raw = raw.ok_or_else(|| Malformed {
        line: 0,
        reason: format!("the finding lacks the {name} it is about"),
    })?;
    parse(0, raw.get())
}

/// What people are shown must be what is acted on.
fn check_target(target: &str, kind: &str, name: &dyn Display) -> Result<(), Malformed> {
    if target == format!("{kind} {name}") {
        return Ok(());
    }
    let reason = format!("its target is {target:?}, but its record is that of {kind} {name}");
    Err(Malformed { line: 0, reason })
}

fn check_pid(pid: i32) -> Result<(), Malformed> {
    if (2..=PID_MAX).contains(&pid) {
        return Ok(());
    }
    Err(Malformed { line: 0, reason: format!("{pid} is not the id of a process to act on") })
}
