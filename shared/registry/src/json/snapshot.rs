//! The records of a JSON registry.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use model::record::{Agent, Counter, Format, Registry, Scope, Text};

use super::counters::Tally;
use super::entry::Entry;
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
        for entry in layout.entries(text) {
            // Of several entries with one id the last counts, as in Python.
            if let Some(left) = left.get_mut(&*entry.id) {
                *left -= 1;
                if *left > 0 {
                    continue;
                }
            }
            let active = tally.add(layout.scope, entry.fields.status.as_deref());
            each(&agent(entry, (layout.scope, active), scan, &self.path))?;
        }
        ControlFlow::Continue(self.record(scan, tally))
    }
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
