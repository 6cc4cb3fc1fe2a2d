//! The records of a database.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use model::record::{Agent, Counter, Format, Registry, RegistryFile, Scope, Text, is_active};

use super::rows::{Row, Rows};
use super::sizes::Sizes;
use super::tasks::Tasks;
use super::workspace::Workspace;
use crate::clock::instants;
use crate::seam::Snapshot;

/// What a database held when it was read.
#[derive(Debug)]
pub(super) struct DatabaseSnapshot {
    pub path: String,
    pub facts: RegistryFile,
    pub rows: Rows,
    /// How many agents an interrupted run has ended by half.
    pub unfinished: usize,
    pub notes: Vec<String>,
    pub workspace: Workspace,
}

impl Snapshot for DatabaseSnapshot {
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn list(
        &self,
        scan: &str,
        each: &mut dyn FnMut(&Agent<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<(), Registry> {
        let (tasks, mut sizes) = (Tasks::new(&self.workspace), Sizes::new(&self.workspace));
        let mut active = 0;
        for row in self.rows.iter() {
            // Only what is active can be ended, and needs a look at its progress file.
            let is_active = is_active(Scope::State, row.status);
            active += i64::from(is_active);
            let mut size = || sizes.of(&tasks.progress(row.task_id, row.id)).ok();
            let progress_bytes = if is_active { size() } else { None };
            each(&agent(&row, (is_active, progress_bytes), scan, &self.path))?;
        }
        // The orchestrator counts the rows whenever it wants a number.
        let computed = |computed| Counter { stored: None, computed };
        let mut counters = BTreeMap::from([
            ("total_agents".to_owned(), computed(self.rows.len() as i64)),
            ("active_agents".to_owned(), computed(active)),
        ]);
        // A number that should be 0: putting it right is finishing them.
        if self.unfinished > 0 {
            let counter = Counter { stored: Some(self.unfinished as i64), computed: 0 };
            counters.insert("unfinished_ends".to_owned(), counter);
        }
        ControlFlow::Continue(Registry {
            scan: scan.to_owned(),
            path: self.path.clone(),
            format: Format::Sqlite,
            scope: Scope::State,
            file: self.facts.clone(),
            agents: self.rows.len() as u64,
            counters,
        })
    }
}

fn agent<'a>(
    row: &Row<'a>,
    (active, progress_bytes): (bool, Option<u64>),
    scan: &'a str,
    path: &'a str,
) -> Agent<'a> {
    let (started, updated) = instants(row.started_at, row.last_update, row.completed_at);
    let text = |text: Option<&'a str>| text.map(Text::from);
    Agent {
        scan: scan.into(),
        id: row.id.into(),
        agent_type: text(row.agent_type),
        task_id: Some(row.task_id.into()),
        parent: text(row.parent),
        status: text(row.status),
        tmux_session: text(row.tmux_session),
        started_at: text(row.started_at),
        last_update: text(row.last_update),
        completed_at: text(row.completed_at),
        started,
        updated,
        active,
        progress_bytes,
        format: Format::Sqlite,
        scope: Scope::State,
        registry: path.into(),
    }
}
