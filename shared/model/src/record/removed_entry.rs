//! An entry that a registry had, and what putting it back needs.

use serde::{Deserialize, Serialize};

use super::text::Text;

/// An entry that was removed or changed: what putting it back needs, by the format of its
/// registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RemovedEntry<'t> {
    /// Of a JSON file.
    #[serde(borrow)]
    Json(JsonEntry<'t>),
    /// Of a database.
    #[serde(borrow)]
    Sqlite(SqliteEntry<'t>),
}

impl RemovedEntry<'_> {
    /// The id of the agent.
    pub fn id(&self) -> &str {
        match self {
            RemovedEntry::Json(entry) => &entry.id,
            RemovedEntry::Sqlite(entry) => &entry.agent_id,
        }
    }

    /// Whether it was marked as over, not taken out.
    pub fn is_marked(&self) -> bool {
        match self {
            RemovedEntry::Json(entry) => entry.replaced_by.is_some(),
            RemovedEntry::Sqlite(_) => true,
        }
    }
}

/// An entry that was removed from a JSON file, or marked in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonEntry<'t> {
    /// The id of the agent.
    #[serde(borrow)]
    pub id: Text<'t>,
    /// Its text, with the key where it had one.
    pub text: Text<'t>,
    /// How many entries of the same id stood before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copy: usize,
    /// The id of the entry that stood right before it.
    pub after: Option<Text<'t>>,
    /// How many entries of that one's id stood before that one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after_copy: usize,
    /// The text between that entry, or the opening bracket, and this one.
    pub gap_before: Text<'t>,
    /// The text between this entry and the next one, or the closing bracket.
    pub gap_behind: Text<'t>,
    /// The text that replaced it when it was marked; `None` when it was removed.
    pub replaced_by: Option<Text<'t>>,
    /// What the same write did to the counters; at the first entry of a write only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Box<CounterEdit<'t>>>,
}

/// What one write did to the counters of a JSON file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterEdit<'t> {
    /// Those that had another value.
    #[serde(borrow)]
    pub changed: Vec<CounterChange<'t>>,
    /// The text of those that were not there, as it was put behind the last member of the file.
    pub added: Option<Text<'t>>,
    /// What the entries amounted to before, in the order of the names of the counters.
    pub computed: Vec<i64>,
}

/// A counter that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterChange<'t> {
    /// Its name.
    #[serde(borrow)]
    pub name: Text<'t>,
    /// The JSON text of its value before.
    pub before: Text<'t>,
    /// That of the value which was written.
    pub after: Text<'t>,
}

impl CounterEdit<'_> {
    fn into_owned(self) -> CounterEdit<'static> {
        let own = |text: Text<'_>| Text::from(text.into_owned());
        let changed = self.changed.into_iter().map(|change| CounterChange {
            name: own(change.name),
            before: own(change.before),
            after: own(change.after),
        });
        CounterEdit {
            changed: changed.collect(),
            added: self.added.map(own),
            computed: self.computed,
        }
    }
}

impl JsonEntry<'_> {
    /// The same with bytes of its own.
    pub fn into_owned(self) -> JsonEntry<'static> {
        let own = |text: Text<'_>| Text::from(text.into_owned());
        JsonEntry {
            id: own(self.id),
            text: own(self.text),
            copy: self.copy,
            after: self.after.map(own),
            after_copy: self.after_copy,
            gap_before: own(self.gap_before),
            gap_behind: own(self.gap_behind),
            replaced_by: self.replaced_by.map(own),
            counters: self.counters.map(|edit| Box::new(edit.into_owned())),
        }
    }
}

/// A row of a database that was set to a status that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqliteEntry<'t> {
    /// Its key.
    pub agent_id: String,
    /// The task that it belongs to.
    pub task_id: String,
    /// What it said before.
    pub before: RowState,
    /// What was written.
    pub written: RowState,
    /// The entries of the same id that were marked in the workspace's JSON files.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<JsonPlace<'t>>,
}

/// An entry that was marked in a JSON file, because the agent stands there too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonPlace<'t> {
    /// Absolute path of the file.
    pub registry: String,
    /// The entry.
    #[serde(borrow)]
    pub entry: JsonEntry<'t>,
}

/// The columns of a row that ending an agent changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowState {
    /// `status`
    pub status: Option<String>,
    /// `completed_at`, as the orchestrator spells times.
    pub completed_at: Option<String>,
    /// `last_update`
    pub last_update: Option<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
