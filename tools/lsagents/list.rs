//! One registry file as records.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::Duration;

use cli::{Failure, Look};
use host::registry::{Snapshot, read};
use model::record::{Agent, Counter, Record, Registry, Scope};
use model::registry::{Entry, Layout, Tally, scan};
use model::text::Text;

/// How long the registry's lock is waited for; the orchestrator itself gives up after
/// five to ten seconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes a record for each entry and one for the file. What is wrong with the file
/// makes the look incomplete.
///
/// # Errors
/// When a record cannot be written.
pub fn registry(look: &mut Look, path: &Path) -> Result<(), Failure> {
    let mut ids = Ids::default();
    let snapshot = read(path, LOCK_TIMEOUT, |text| {
        ids = Ids::default();
        scan(text, |scope, entry| ids.see(scope, &entry)).map(|_| ())
    });
    let snapshot = match snapshot {
        Ok(snapshot) => snapshot,
        Err(error) => {
            look.trouble(error.to_string());
            return Ok(());
        }
    };
    let path = snapshot.path.to_string_lossy().into_owned();
    let mut doubles = ids.doubles(&snapshot.text);
    for id in doubles.keys() {
        look.note(&format!("{path}: more than one entry {id:?}: the last one counts"));
    }
    let id = look.end.look.clone();
    let mut tally = Tally::default();
    let mut written = Ok(());
    let layout = scan(&snapshot.text, |scope, entry| {
        if is_overridden(&mut doubles, &entry) || written.is_err() {
            return;
        }
        tally.add(scope, entry.fields.status.as_deref());
        let agent = agent(entry, scope, &id, &path);
        written = look.record(&Record::Agent(&agent));
    });
    written?;
    let layout = layout.map_err(Failure::trouble)?;
    look.record(&Record::Registry(&file(&snapshot, path, &layout, tally, &id)))
}

/// The ids of a global registry, to find those that stand there twice. Only their hashes
/// are kept: a registry may have hundreds of thousands.
#[derive(Default)]
struct Ids {
    hasher: RandomState,
    seen: HashSet<u64>,
    doubled: HashSet<String>,
}

impl Ids {
    fn see(&mut self, scope: Scope, entry: &Entry<'_>) {
        if scope == Scope::Global && !self.seen.insert(self.hasher.hash_one(&entry.id)) {
            self.doubled.insert(entry.id.to_string());
        }
    }

    /// How many entries each doubled id has. Two ids of one hash are sorted out here.
    fn doubles(self, text: &str) -> HashMap<String, usize> {
        let mut doubles: HashMap<String, usize> =
            self.doubled.into_iter().map(|id| (id, 0)).collect();
        if !doubles.is_empty() {
            // The text was read before: it is whole.
            let _ = scan(text, |_, entry| {
                if let Some(count) = doubles.get_mut(&*entry.id) {
                    *count += 1;
                }
            });
            doubles.retain(|_, count| *count > 1);
        }
        doubles
    }
}

/// Whether a later entry of the same id follows, as Python's reader would see it.
fn is_overridden(doubles: &mut HashMap<String, usize>, entry: &Entry<'_>) -> bool {
    doubles.get_mut(&*entry.id).is_some_and(|left| {
        *left -= 1;
        *left > 0
    })
}

fn agent<'a>(entry: Entry<'a>, scope: Scope, look: &'a str, path: &'a str) -> Agent<'a> {
    let fields = entry.fields;
    let instant = |time: &Option<Cow<'_, str>>| time.as_deref().and_then(host::clock::instant);
    let times = [&fields.started_at, &fields.last_update, &fields.completed_at];
    let updated = times.into_iter().filter_map(instant).max();
    Agent {
        look: look.into(),
        id: Text(entry.id),
        agent_type: fields.agent_type.map(Text),
        task_id: fields.task_id.map(Text),
        parent: fields.parent.map(Text),
        status: fields.status.map(Text),
        tmux_session: fields.tmux_session.map(Text),
        started: instant(&fields.started_at),
        updated,
        started_at: fields.started_at.map(Text),
        last_update: fields.last_update.map(Text),
        completed_at: fields.completed_at.map(Text),
        scope,
        registry: path.into(),
    }
}

fn file(snapshot: &Snapshot, path: String, layout: &Layout, tally: Tally, look: &str) -> Registry {
    let counters =
        tally.values(layout.scope).zip(&layout.counters).map(|((name, computed), span)| {
            let stored = span.clone().and_then(|span| snapshot.text[span].parse().ok());
            (name.to_owned(), Counter { stored, computed })
        });
    Registry {
        look: look.to_owned(),
        path,
        scope: layout.scope,
        owner_uid: snapshot.owner_uid,
        agents: tally.entries() as u64,
        counters: counters.collect(),
    }
}
