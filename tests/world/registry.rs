//! Registry files as the orchestrator writes them: Python's `json.dump(…, indent=2)`.

use std::fmt::{self, Write};
use std::fs;
use std::path::PathBuf;

use super::World;

/// A JSON value that keeps the order of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// A whole number.
    Number(i64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Json {
        Json::Number(number)
    }
}

/// As Python's `json.dump(…, indent=2)` writes it: in ASCII, no newline at the end.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Json {
    /// An object with these members.
    pub fn object<'m>(members: impl IntoIterator<Item = (&'m str, Json)>) -> Json {
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Number(number) => write!(f, "{number}"),
            Json::Text(text) => quote(f, text),
            Json::List(items) => {
                block(f, depth, ['[', ']'], items, |f, item| item.write(f, depth + 1))
            }
            Json::Object(members) => block(f, depth, ['{', '}'], members, |f, (name, value)| {
                quote(f, name)?;
                f.write_str(": ")?;
                value.write(f, depth + 1)
            }),
        }
    }
}

fn block<T>(
    f: &mut fmt::Formatter<'_>,
    depth: usize,
    [open, close]: [char; 2],
    items: &[T],
    mut write: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(open)?;
    for (number, item) in items.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        write!(f, "{comma}\n{:1$}", "", 2 * (depth + 1))?;
        write(f, item)?;
    }
    if !items.is_empty() {
        write!(f, "\n{:1$}", "", 2 * depth)?;
    }
    f.write_char(close)
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            ' '..='~' => f.write_char(character)?,
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            }
        }
    }
    f.write_char('"')
}

/// An entry of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    id: String,
    fields: Vec<(String, Json)>,
}

impl Entry {
    /// The entry of a newly deployed agent: it has no status yet. Its type is what is
    /// before the first dash of its id.
    pub fn new(id: &str) -> Entry {
        let agent_type = id.split('-').next().unwrap_or(id);
        let started = "2025-10-29T23:25:23.104729";
        let prompt = format!("You are {agent_type}.\n\tSay \"r\u{e9}sum\u{e9}\" \\ \u{1f44d}");
        let entry = Entry { id: id.to_owned(), fields: Vec::new() };
        entry
            .set("id", id)
            .set("type", agent_type)
            .set("tmux_session", format!("agent_{id}").as_str())
            .set("parent", "orchestrator")
            .set("depth", 1)
            .set("started_at", started)
            .set("progress", 0)
            .set("last_update", started)
            .set("prompt", prompt.as_str())
    }

    /// With this value for a field, new or not.
    pub fn set(mut self, field: &str, value: impl Into<Json>) -> Entry {
        let value = value.into();
        match self.fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, old)) => *old = value,
            None => self.fields.push((field.to_owned(), value)),
        }
        self
    }

    /// Without this field.
    pub fn unset(mut self, field: &str) -> Entry {
        self.fields.retain(|(name, _)| name != field);
        self
    }

    fn status(&self) -> Option<&str> {
        match self.fields.iter().find(|(name, _)| name == "status") {
            Some((_, Json::Text(status))) => Some(status),
            _ => None,
        }
    }
}

/// A registry, with counters that are true unless set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    entries: Vec<Entry>,
    counters: Option<(i64, i64)>,
}

impl Registry {
    /// A registry of these entries.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Registry {
        Registry { entries: entries.into_iter().collect(), counters: None }
    }

    /// With these counters: of all agents, and of the active ones.
    pub fn counters(mut self, all: i64, active: i64) -> Registry {
        self.counters = Some((all, active));
        self
    }

    /// As `GLOBAL_REGISTRY.json`.
    pub fn global(&self) -> String {
        let active = self.count(|status| !matches!(status, Some("completed" | "terminated")));
        let (all, active) = self.counters.unwrap_or((self.count(|_| true), active));
        let task = Json::object([
            ("description", "Nettoyer l\u{e0}-bas".into()),
            ("created_at", "2025-10-29T23:24:47.550121".into()),
            ("status", "ACTIVE".into()),
        ]);
        let entries = self.entries.iter().map(|entry| (&*entry.id, object(entry)));
        Json::object([
            ("created_at", "2025-10-20T09:00:00.000123".into()),
            ("total_tasks", 1.into()),
            ("active_tasks", 1.into()),
            ("total_agents_spawned", all.into()),
            ("active_agents", active.into()),
            ("max_concurrent_agents", 45.into()),
            ("tasks", Json::object([("TASK-20251029-232447-3bf85ff8", task)])),
            ("agents", Json::object(entries)),
        ])
        .to_string()
    }

    /// As the `AGENT_REGISTRY.json` of this task.
    pub fn task(&self, task: &str) -> String {
        let active = ["running", "working", "blocked", "reviewing"].map(Some);
        let active = self.count(|status| active.contains(&status));
        let (all, active) = self.counters.unwrap_or((self.count(|_| true), active));
        let ids = self.entries.iter().map(|entry| entry.id.as_str().into()).collect();
        Json::object([
            ("task_id", task.into()),
            ("created_at", "2025-10-29T23:24:47.550121".into()),
            ("status", "INITIALIZED".into()),
            ("max_agents", 45.into()),
            ("agents", Json::List(self.entries.iter().map(object).collect())),
            ("agent_hierarchy", Json::object([("orchestrator", Json::List(ids))])),
            ("total_spawned", all.into()),
            ("active_count", active.into()),
            ("completed_count", self.count(|status| status == Some("completed")).into()),
        ])
        .to_string()
    }

    fn count(&self, holds: impl Fn(Option<&str>) -> bool) -> i64 {
        self.entries.iter().filter(|entry| holds(entry.status())).count() as i64
    }
}

fn object(entry: &Entry) -> Json {
    Json::Object(entry.fields.clone())
}

impl World {
    /// Path of the global registry.
    pub fn global_path(&self) -> PathBuf {
        self.path.join(".agent-workspace/registry/GLOBAL_REGISTRY.json")
    }

    /// Writes the global registry; returns its text.
    pub fn write_global(&self, registry: &Registry) -> String {
        let text = registry.global();
        fs::write(self.global_path(), &text).expect("a registry of the world");
        self.give(&self.global_path());
        text
    }

    /// Writes the registry of a task; returns its path.
    pub fn write_task(&self, task: &str, registry: &Registry) -> PathBuf {
        let directory = self.path.join(".agent-workspace").join(task);
        fs::create_dir_all(&directory).expect("a directory of the world");
        let path = directory.join("AGENT_REGISTRY.json");
        fs::write(&path, registry.task(task)).expect("a registry of the world");
        self.give(&directory);
        path
    }
}
