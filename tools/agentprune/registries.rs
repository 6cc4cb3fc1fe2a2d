//! Editing registries, under their lock.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use cli::Failure;
use foldhash::HashMap;
use host::tmux::Scan;
use model::plan::{Ghost, Origin, PlanItem, PlannedAction, RegistryItems};
use model::record::{ActionKind, Outcome};
use model::record::{RemovedEntry, Scope, Servers, is_active};
use model::rules::{AgentSessions, NameLost};
use registry::json::{Fate, Layout, edit_each};
use registry::json::{Kept, Lock, Recovered, RegistryError, SignalsWait, Written};

use super::PROGRAM;
use super::args::Arguments;
use super::progress::Progress;
use super::recheck::sessions;
use super::report::Report;

/// How long tmux may take while a registry is locked: the orchestrator, waiting for the
/// lock, gives up after five seconds.
const TMUX_UNDER_LOCK: Duration = Duration::from_secs(1);
/// How often a registry is given back and taken again because tmux was too slow.
const TRIES: usize = 3;

/// Whether a item is acted on; if not, why.
type Verdict = Result<(), (Outcome, String)>;

/// Carries out the items of one registry.
///
/// # Errors
/// When tmux cannot be asked, or output cannot be written. A registry that cannot be read
/// or written fails its items, and no others.
pub fn clean(
    path: &str,
    items: &RegistryItems<'_>,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    for attempt in 1.. {
        report.deliver()?;
        let locked = lock(Path::new(path), arguments.lock_timeout, &mut report.progress)
            .and_then(|lock| lock.whole_text().map(|(text, layout)| (lock, text, layout)));
        let (lock, text, layout) = match locked {
            Ok(locked) => locked,
            Err(error) => {
                fail(items.actions(), &error, report);
                return Ok(());
            }
        };
        match judge(&lock, &text, &layout, items) {
            Ok(judged) => {
                return write(lock, &text, &layout, items, judged, arguments, report);
            }
            Err(_) if attempt < TRIES => {
                drop(lock);
                std::thread::sleep(TMUX_UNDER_LOCK / 4);
            }
            Err(tmux) => return Err(tmux),
        }
    }
    Ok(())
}

/// Takes a registry's lock and puts right what an interrupted write has left of it.
///
/// # Errors
/// When it cannot be locked, read or put right.
pub fn lock(
    path: &Path,
    timeout: Duration,
    progress: &mut Progress,
) -> Result<Lock, RegistryError> {
    let limit = timeout.as_secs_f64();
    progress.progress(&format!("waiting for the lock of {}, {limit} s at most", path.display()));
    let lock = Lock::exclusive(path, timeout);
    progress.clear();
    let lock = lock?;
    progress.step(&format!("{}: locked", lock.path.display()));
    if let Some(recovered) = lock.recover(host::clock::now())? {
        PROGRAM.say(&format!("{}: {}", lock.path.display(), told(&recovered)));
    }
    Ok(lock)
}

fn told(recovered: &Recovered) -> String {
    match recovered {
        Recovered::NotBegun => "an interrupted write had not begun".to_owned(),
        Recovered::TakenBack => {
            "an interrupted write cannot be completed: the content before it is back".to_owned()
        }
        Recovered::Completed => "an interrupted write was completed".to_owned(),
        Recovered::KeptLater => {
            "a write was interrupted, but somebody has written since: that was kept".to_owned()
        }
        Recovered::Restored(torn) => format!(
            "it was torn; the content before the interrupted write is back, the torn bytes are in {}",
            torn.display()
        ),
    }
}

/// What an entry says now.
struct Entry<'t> {
    /// Of the registry of a task, where the id of an entry is but a field, there may be
    /// several that nobody can tell apart. In a global one, the last of an id counts.
    is_double: bool,
    started_at: Option<Cow<'t, str>>,
    tmux_session: Option<Cow<'t, str>>,
    is_active: bool,
}

/// What was judged about the entries of a locked file.
struct Judged {
    /// Of each item.
    verdicts: Vec<Verdict>,
    /// For each item the first one of the same id.
    first: Vec<usize>,
    /// For each entry of the file the first item of its id.
    case_of_entry: Vec<Option<usize>>,
}

/// Judges each entry again, by what the locked file and tmux say now.
///
/// # Errors
/// When tmux cannot be asked.
fn judge(
    lock: &Lock,
    text: &str,
    layout: &Layout,
    items: &RegistryItems<'_>,
) -> Result<Judged, Failure> {
    let mut by_id: HashMap<&str, usize> = HashMap::default();
    by_id.reserve(items.entries.len());
    let ids = items.entries.iter().map(|item| &*item.subject.id).enumerate();
    let first: Vec<usize> = ids.map(|(at, id)| *by_id.entry(id).or_insert(at)).collect();
    let mut entries: Vec<Option<Entry<'_>>> = first.iter().map(|_| None).collect();
    let case_of_entry = layout.entries(text).map(|entry| {
        let at = *by_id.get(&*entry.id)?;
        entries[at] = Some(Entry {
            is_double: layout.scope == Scope::Task && entries[at].is_some(),
            is_active: is_active(layout.scope, entry.fields.status.as_deref()),
            started_at: entry.fields.started_at,
            tmux_session: entry.fields.tmux_session,
        });
        Some(at)
    });
    let case_of_entry = case_of_entry.collect();
    let mut scans: Vec<(&Rc<Origin>, Scan)> = Vec::new();
    for item in &items.entries {
        let origin = &item.action.origin;
        if !scans.iter().any(|(known, _)| is_same(known, origin)) {
            scans.push((origin, sessions(&origin.evidence, TMUX_UNDER_LOCK)?));
        }
    }
    let known: Vec<(&Rc<Origin>, &Scan, AgentSessions<'_>)> = scans
        .iter()
        .map(|(origin, scan)| (*origin, scan, AgentSessions::new(&scan.sessions)))
        .collect();
    let verdict = |(item, first): (&PlanItem<'_, Ghost<'_>>, &usize)| {
        let (_, scan, sessions) = known
            .iter()
            .find(|(origin, ..)| is_same(origin, &item.action.origin))
            .ok_or_else(|| (Outcome::Failed, "tmux was not looked at".to_owned()))?;
        verdict(item, entries[*first].as_ref(), scan, sessions, lock.owner_uid)
    };
    let verdicts = items.entries.iter().zip(&first).map(verdict).collect();
    Ok(Judged { verdicts, first, case_of_entry })
}

/// Whether two findings rest on the same evidence: as a rule they share it.
fn is_same(one: &Rc<Origin>, other: &Rc<Origin>) -> bool {
    Rc::ptr_eq(one, other) || one.evidence == other.evidence
}

fn verdict(
    item: &PlanItem<'_, Ghost<'_>>,
    entry: Option<&Entry<'_>>,
    tmux: &Scan,
    sessions: &AgentSessions<'_>,
    owner_uid: u32,
) -> Verdict {
    let found = &item.subject;
    let marks = item.action.kind == ActionKind::TerminateEntry;
    let Some(entry) = entry else {
        return Err((Outcome::Gone, "no such entry".to_owned()));
    };
    if entry.is_double {
        return Err((Outcome::Skipped, "more than one entry has this id".to_owned()));
    }
    if entry.started_at.as_deref() != found.started_at.as_deref() {
        return Err((Outcome::Skipped, "another agent has this id now".to_owned()));
    }
    if (found.scope == Scope::Task || marks) && !entry.is_active {
        return Err((Outcome::Gone, "the entry is over already".to_owned()));
    }
    if tmux.servers == Servers::All && !tmux.uids.include(owner_uid) {
        let reason =
            format!("the registry is uid {owner_uid}'s, whose tmux cannot be asked from here");
        return Err((Outcome::Refused, reason));
    }
    match sessions.of(&found.id, entry.tmux_session.as_deref()) {
        Ok(sessions) => match sessions.first() {
            None => Ok(()),
            Some(session) => {
                Err((Outcome::Skipped, format!("its session {} is there", session.name)))
            }
        },
        Err(NameLost) => {
            Err((Outcome::Skipped, "nobody can tell the name of its session".to_owned()))
        }
    }
}

fn write(
    lock: Lock,
    old: &str,
    layout: &Layout,
    items: &RegistryItems<'_>,
    judged: Judged,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let now = registry::clock::local_now();
    let Judged { verdicts, first, case_of_entry } = judged;
    // Of the items of one id, the one that is carried out.
    let mut carried_out: Vec<Option<usize>> = vec![None; first.len()];
    for (at, (item, verdict)) in items.entries.iter().zip(verdicts).enumerate() {
        match verdict {
            Ok(()) if carried_out[first[at]].is_none() => carried_out[first[at]] = Some(at),
            Ok(()) => report.record(&item.action, Outcome::Gone, "given twice"),
            Err((result, reason)) => report.record(&item.action, result, reason),
        }
    }
    let case_of_entry = case_of_entry.into_iter().map(|item| carried_out[item?]);
    let case_of_entry: Vec<Option<usize>> = case_of_entry.collect();
    let fate = |item: &Option<usize>| match item.map(|at| items.entries[at].action.kind) {
        None => Fate::Stays,
        Some(ActionKind::TerminateEntry) => Fate::Marked,
        Some(_) => Fate::Goes,
    };
    let fates: Vec<Fate> = case_of_entry.iter().map(fate).collect();
    let edited = edit_each(old, layout, &fates, &now).map_err(Failure::trouble)?;
    let counters = items.counters.iter().map(|item| &item.action);
    if edited.text == old {
        for action in counters {
            report.record(action, Outcome::Gone, "the counters agree with the entries");
        }
        return Ok(());
    }
    let going = carried_out.iter().flatten().map(|at| &items.entries[*at].action);
    let actions: Vec<&PlannedAction<'_>> = going.chain(counters.clone()).collect();
    // Once written it is to be noted, too, what was taken out.
    let _waiting = SignalsWait::begin();
    report.all_planned(actions.iter().copied())?;
    let kept =
        if edited.taken.is_empty() { Kept::Nothing } else { Kept::Backups(arguments.keep_backups) };
    let written = match lock.replace(old, &edited.text, kept, host::clock::now()) {
        Ok(written) => written,
        Err(error) => {
            fail(actions, &error, report);
            return Ok(());
        }
    };
    say_left(&lock, &written);
    if let Some(backup) = written.backup {
        report.note(&format!("old content of the registry kept: {}", backup.display()));
    }
    // In the order of the findings.
    let mut taken: Vec<(usize, &RemovedEntry<'_>)> =
        case_of_entry.into_iter().flatten().zip(&edited.taken).collect();
    taken.sort_by_key(|(item, _)| *item);
    for (item, entry) in taken {
        report.taken(&items.entries[item].action, entry);
    }
    for action in counters {
        report.record(action, Outcome::Done, "counters set to what the entries make");
    }
    drop(lock);
    report.settle();
    Ok(())
}

/// Says what could not be cleared away behind a write.
pub fn say_left(lock: &Lock, written: &Written) {
    if let Some(error) = &written.left {
        let path = lock.path.display();
        PROGRAM
            .say(&format!("{path}: written, but a file beside it could not be removed: {error}"));
    }
}

/// Nothing of these actions could be done.
pub fn fail<'o, 'a: 'o>(
    actions: impl IntoIterator<Item = &'o PlannedAction<'a>>,
    reason: &dyn std::fmt::Display,
    report: &mut Report,
) {
    for action in actions {
        report.record(action, Outcome::Failed, reason.to_string());
    }
}
