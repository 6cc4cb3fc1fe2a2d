//! The records of a JSON registry.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::thread;

use model::record::{Agent, Counter, Format, Registry, Scope, Text};

use super::counters::Tally;
use super::entry::Entry;
use super::layout::Layout;
use super::lock::FileContent;
use crate::seam::Snapshot;

/// What a file held when it was read.
#[derive(Debug)]
pub(super) struct JsonSnapshot {
    content: FileContent,
    path: String,
    /// Ids of several entries of a global registry, and how many.
    doubles: BTreeMap<String, usize>,
}

impl JsonSnapshot {
    /// The records of this content.
    pub fn new(content: FileContent) -> JsonSnapshot {
        let doubles = content.layout.doubles(&content.text);
        JsonSnapshot {
            path: content.path.to_string_lossy().into_owned(),
            doubles: doubles.into_iter().map(|(id, count)| (id.into_owned(), count)).collect(),
            content,
        }
    }

    fn record(&self, scan: &str, tally: Tally) -> Registry {
        let FileContent { text, layout, facts, .. } = &self.content;
        let counters =
            tally.values(layout.scope).zip(&layout.counters).map(|((name, computed), span)| {
                let stored = span.clone().and_then(|span| text[span].parse().ok());
                (name.to_owned(), Counter { stored, computed })
            });
        Registry {
            scan: scan.to_owned(),
            path: self.path.clone(),
            format: Format::Json,
            scope: layout.scope,
            file: facts.clone(),
            agents: tally.entries() as u64,
            counters: counters.collect(),
        }
    }
}

impl Snapshot for JsonSnapshot {
    fn notes(&self) -> Vec<String> {
        let note = |id| format!("more than one entry {id:?}; the last one counts");
        self.doubles.keys().map(note).collect()
    }

    fn list(
        &self,
        scan: &str,
        each: &mut dyn FnMut(&Agent<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<(), Registry> {
        let FileContent { text, layout, .. } = &self.content;
        let mut left = self.doubles.clone();
        let mut tally = Tally::default();
        each_entry(layout, text, &mut |entry| {
            // Of several entries with one id the last counts, as in Python.
            if let Some(left) = left.get_mut(&*entry.id) {
                *left -= 1;
                if *left > 0 {
                    return ControlFlow::Continue(());
                }
            }
            let active = tally.add(layout.scope, entry.fields.status.as_deref());
            each(&agent(entry, (layout.scope, active), scan, &self.path))
        })?;
        ControlFlow::Continue(self.record(scan, tally))
    }
}

/// How many entries are handed over at a time, and how many such batches may wait.
const BATCH: usize = 256;
const WAITING: usize = 8;

/// Hands every entry to `each`, in order, until that breaks off. In a large registry another
/// thread reads them, so that reading and what `each` does take place at the same time.
fn each_entry<'t>(
    layout: &Layout,
    text: &'t str,
    each: &mut dyn FnMut(Entry<'t>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if layout.count() < BATCH * WAITING {
        return layout.entries(text).try_for_each(each);
    }
    thread::scope(|scope| {
        let (sender, batches) = sync_channel::<Vec<Entry<'t>>>(WAITING);
        let reading = thread::Builder::new().spawn_scoped(scope, move || {
            let mut entries = layout.entries(text);
            loop {
                let batch: Vec<Entry<'t>> = entries.by_ref().take(BATCH).collect();
                // Nobody takes it: `each` has broken off.
                if batch.is_empty() || sender.send(batch).is_err() {
                    return;
                }
            }
        });
        match reading {
            Ok(_) => batches.into_iter().flatten().try_for_each(each),
            // There may be no more threads.
            Err(_) => layout.entries(text).try_for_each(each),
        }
    })
}

fn agent<'a>(
    entry: Entry<'a>,
    (scope, active): (Scope, bool),
    scan: &'a str,
    path: &'a str,
) -> Agent<'a> {
    let fields = entry.fields;
    let (started, updated) = fields.instants();
    Agent {
        scan: scan.into(),
        id: Text(entry.id),
        agent_type: fields.agent_type.map(Text),
        task_id: fields.task_id.map(Text),
        parent: fields.parent.map(Text),
        status: fields.status.map(Text),
        tmux_session: fields.tmux_session.map(Text),
        started,
        updated,
        started_at: fields.started_at.map(Text),
        last_update: fields.last_update.map(Text),
        completed_at: fields.completed_at.map(Text),
        active,
        progress_bytes: None,
        format: Format::Json,
        scope,
        registry: path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_large_registry_come_in_order_and_stop_where_they_are_told_to() {
        let count = 3 * BATCH * WAITING + 7;
        let entry = |number: usize| format!("\"a{number}\": {{\"task_id\": \"{number}\"}}");
        let entries: Vec<String> = (0..count).map(entry).collect();
        let text = format!("{{\"agents\": {{{}}}}}", entries.join(","));
        let layout = Layout::of(&text).unwrap();
        for last in [0, 1, BATCH, count / 2, count - 1, count] {
            let mut seen = Vec::new();
            let stopped = each_entry(&layout, &text, &mut |entry| {
                assert_eq!(entry.fields.task_id.as_deref(), Some(&entry.id[1..]));
                seen.push(entry.id);
                if seen.len() > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!(stopped.is_break(), last < count);
            assert_eq!(seen.len(), count.min(last + 1));
            assert!(seen.iter().enumerate().all(|(at, id)| *id == format!("a{at}")));
        }
    }
}
