//! Editing registries, under their lock.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use cli::Failure;
use host::registry::{Kept, Lock};
use model::drift::AgentSessions;
use model::finding::{Evidence, Outcome, Remedy, RemovedEntry};
use model::plan::{Order, RegistryCases};
use model::record::Agent;
use model::registry::{Edit, Fields, Removed, edit, scan};

use crate::args::Arguments;
use crate::report::Report;
use crate::scene::sessions;

/// How long tmux may take while a registry is locked: the orchestrator, waiting for the
/// lock, gives up after five seconds.
const TMUX_UNDER_LOCK: Duration = Duration::from_secs(1);
/// How often a registry is given back and taken again because tmux was too slow.
const TRIES: usize = 3;

/// Why one case is not acted on.
type Verdict = Result<(), (Outcome, String)>;

/// Carries out the cases of one registry.
///
/// # Errors
/// When tmux cannot be asked, or output cannot be written. A registry that cannot be read
/// or written fails its cases, and no others.
pub fn clean(
    path: &str,
    cases: &RegistryCases<'_>,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    for attempt in 1.. {
        let lock = match Lock::exclusive(Path::new(path), arguments.lock_timeout) {
            Ok(lock) => lock,
            Err(error) => return fail(cases.orders(), &error, report),
        };
        let verdicts = match judge(&lock, cases) {
            Ok(verdicts) => verdicts,
            Err(Refused::Registry(reason)) => return fail(cases.orders(), &reason, report),
            Err(Refused::Tmux(_)) if attempt < TRIES => {
                drop(lock);
                std::thread::sleep(TMUX_UNDER_LOCK / 4);
                continue;
            }
            Err(Refused::Tmux(failure)) => return Err(failure),
        };
        return write(&lock, cases, verdicts, arguments, report);
    }
    Ok(())
}

enum Refused {
    Tmux(Failure),
    Registry(String),
}

/// Judges each entry again, by what the locked file and tmux say now.
fn judge(lock: &Lock, cases: &RegistryCases<'_>) -> Result<Vec<Verdict>, Refused> {
    let text = lock.text().map_err(|error| Refused::Registry(error.to_string()))?;
    let condemned: HashSet<&str> = cases.entries.iter().map(|case| &*case.subject.id).collect();
    let mut entries: HashMap<String, Fields<'_>> = HashMap::new();
    scan(&text, |_, entry| {
        if condemned.contains(&*entry.id) {
            entries.insert(entry.id.into_owned(), entry.fields);
        }
    })
    .map_err(|corrupt| Refused::Registry(format!("{}: {corrupt}", lock.path.display())))?;
    let mut looks: Vec<(&Evidence, host::sessions::Look)> = Vec::new();
    let mut verdicts = Vec::new();
    for case in &cases.entries {
        let evidence = &*case.order.finding.evidence;
        if !looks.iter().any(|(known, _)| *known == evidence) {
            looks.push((evidence, sessions(evidence, TMUX_UNDER_LOCK).map_err(Refused::Tmux)?));
        }
        if case.order.remedy == Remedy::TerminateEntry {
            let reason = "entries of task registries are not marked by this version".to_owned();
            verdicts.push(Err((Outcome::Refused, reason)));
            continue;
        }
        let look = looks.iter().find(|(known, _)| *known == evidence).map(|(_, look)| look);
        let entry = entries.get(&*case.subject.id);
        verdicts
            .push(look.map_or(Ok(()), |look| verdict(&case.subject, entry, look, lock.owner_uid)));
    }
    Ok(verdicts)
}

fn verdict(
    found: &Agent<'_>,
    entry: Option<&Fields<'_>>,
    tmux: &host::sessions::Look,
    owner_uid: u32,
) -> Verdict {
    let Some(entry) = entry else {
        return Err((Outcome::Gone, "no such entry".to_owned()));
    };
    if entry.started_at.as_deref() != found.started_at.as_deref() {
        return Err((Outcome::Skipped, "another agent has this id now".to_owned()));
    }
    if tmux.servers == model::record::Servers::All && !tmux.uids.include(owner_uid) {
        let reason =
            format!("the registry is uid {owner_uid}'s, whose tmux cannot be asked from here");
        return Err((Outcome::Refused, reason));
    }
    let sessions = AgentSessions::new(&tmux.sessions);
    match sessions.of(&found.id, entry.tmux_session.as_deref()) {
        Ok(sessions) => match sessions.first() {
            None => Ok(()),
            Some(session) => {
                Err((Outcome::Skipped, format!("its session {} is there", session.name)))
            }
        },
        Err(model::drift::NameLost) => {
            Err((Outcome::Skipped, "nobody can tell the name of its session".to_owned()))
        }
    }
}

fn write(
    lock: &Lock,
    cases: &RegistryCases<'_>,
    verdicts: Vec<Verdict>,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut remove = HashSet::new();
    let mut going = Vec::new();
    for (case, verdict) in cases.entries.iter().zip(verdicts) {
        match verdict {
            Ok(()) if remove.insert(&*case.subject.id) => going.push(case),
            Ok(()) => report.became(&case.order, Outcome::Gone, "given twice")?,
            Err((result, reason)) => report.became(&case.order, result, reason)?,
        }
    }
    let old = lock.text().map_err(Failure::trouble)?;
    let (new, removed) = edit(&old, &Edit { remove }).map_err(Failure::trouble)?;
    let counters = cases.counters.iter().map(|case| &case.order);
    if new == old {
        for order in counters {
            report.became(order, Outcome::Gone, "the counters agree with the entries")?;
        }
        return Ok(());
    }
    let orders: Vec<&Order<'_>> =
        going.iter().map(|case| &case.order).chain(counters.clone()).collect();
    for order in &orders {
        report.planned(order)?;
    }
    let kept =
        if removed.is_empty() { Kept::Nothing } else { Kept::Backups(arguments.keep_backups) };
    let written = match lock.replace(&old, &new, kept, host::clock::now()) {
        Ok(written) => written,
        Err(error) => return fail(orders, &error, report),
    };
    if let Some(backup) = written.backup {
        report.note(&format!("old content of the registry kept: {}", backup.display()));
    }
    let mut removed: HashMap<String, RemovedEntry> = removed
        .into_iter()
        .map(|Removed { id, text, after }| (id, RemovedEntry { text, after }))
        .collect();
    for case in going {
        match removed.remove(&*case.subject.id) {
            Some(entry) => report.removed(&case.order, entry)?,
            None => report.became(&case.order, Outcome::Gone, "no such entry")?,
        }
    }
    for order in counters {
        report.became(order, Outcome::Done, "counters set to what the entries make")?;
    }
    Ok(())
}

/// Nothing of these orders could be done.
fn fail<'o, 'a: 'o>(
    orders: impl IntoIterator<Item = &'o Order<'a>>,
    reason: &dyn std::fmt::Display,
    report: &mut Report,
) -> Result<(), Failure> {
    for order in orders {
        report.became(order, Outcome::Failed, reason.to_string())?;
    }
    Ok(())
}
