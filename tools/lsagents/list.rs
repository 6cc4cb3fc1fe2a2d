//! One registry file as records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cli::{Failure, ScanWriter};
use model::record::Text;
use model::record::{Agent, Counter, Record, Registry, Scope};
use registry::json::{Entry, Tally};
use registry::json::{Snapshot, read};

/// How long the registry's lock is waited for; the orchestrator itself gives up after
/// five to ten seconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes a record for each entry and one for the file. What is wrong with the file
/// makes the scan incomplete.
///
/// # Errors
/// When a record cannot be written.
pub fn registry(scan: &mut ScanWriter, path: &Path) -> Result<(), Failure> {
    let snapshot = match read(path, LOCK_TIMEOUT) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            scan.trouble(error.to_string());
            return Ok(());
        }
    };
    let Snapshot { ref text, ref layout, .. } = snapshot;
    let path = snapshot.path.to_string_lossy().into_owned();
    let mut doubles = layout.doubles(text);
    for id in doubles.keys() {
        scan.note(&format!("{path}: more than one entry {id:?}: the last one counts"));
    }
    let id = scan.end.scan.clone();
    let mut tally = Tally::default();
    for entry in layout.entries(text) {
        if !is_overridden(&mut doubles, &entry) {
            tally.add(layout.scope, entry.fields.status.as_deref());
            let agent = agent(entry, layout.scope, &id, &path);
            scan.record(&Record::Agent(&agent))?;
        }
    }
    scan.record(&Record::Registry(&file(&snapshot, path, tally, &id)))
}

/// Whether a later entry of the same id follows, as Python's reader would see it.
fn is_overridden(doubles: &mut BTreeMap<Cow<'_, str>, usize>, entry: &Entry<'_>) -> bool {
    doubles.get_mut(&*entry.id).is_some_and(|left| {
        *left -= 1;
        *left > 0
    })
}

fn agent<'a>(entry: Entry<'a>, scope: Scope, scan: &'a str, path: &'a str) -> Agent<'a> {
    let fields = entry.fields;
    let instant = |time: &Option<Cow<'_, str>>| time.as_deref().and_then(registry::clock::instant);
    let started = instant(&fields.started_at);
    let last_update = match fields.last_update == fields.started_at {
        // As in every entry that was not touched since it was made.
        true => started,
        false => instant(&fields.last_update),
    };
    let times = [started, last_update, instant(&fields.completed_at)];
    Agent {
        scan: scan.into(),
        id: Text(entry.id),
        agent_type: fields.agent_type.map(Text),
        task_id: fields.task_id.map(Text),
        parent: fields.parent.map(Text),
        status: fields.status.map(Text),
        tmux_session: fields.tmux_session.map(Text),
        started,
        updated: times.into_iter().flatten().max(),
        started_at: fields.started_at.map(Text),
        last_update: fields.last_update.map(Text),
        completed_at: fields.completed_at.map(Text),
        scope,
        registry: path.into(),
    }
}

fn file(snapshot: &Snapshot, path: String, tally: Tally, scan: &str) -> Registry {
    let Snapshot { text, layout, owner_uid, .. } = snapshot;
    let counters =
        tally.values(layout.scope).zip(&layout.counters).map(|((name, computed), span)| {
            let stored = span.clone().and_then(|span| text[span].parse().ok());
            (name.to_owned(), Counter { stored, computed })
        });
    Registry {
        scan: scan.to_owned(),
        path,
        scope: layout.scope,
        owner_uid: *owner_uid,
        agents: tally.entries() as u64,
        counters: counters.collect(),
    }
}
