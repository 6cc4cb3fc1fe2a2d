//! Databases that Python makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every script begins with. `connect` opens as the orchestrator does; `schema` makes
/// the tables of one of its versions.
const PRELUDE: &str = r#"
import sqlite3, sys, os, json, time
path = sys.argv[1]
def connect(timeout=10):
    c = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    c.row_factory = sqlite3.Row
    c.execute("PRAGMA journal_mode=WAL;")
    c.execute("PRAGMA synchronous=NORMAL;")
    c.execute("PRAGMA foreign_keys=ON;")
    c.execute("PRAGMA busy_timeout=%d;" % (timeout * 1000))
    return c
OPTIONAL = {"january": [], "migrated": [], "today": [], "next": ["zeal REAL"]}
def schema(c, version):
    late = ["model TEXT", "claude_pid INTEGER", "cursor_pid INTEGER", "tracked_files TEXT"]
    reviews = ["review_id TEXT", "final_verdict TEXT"]
    first = ["agent_id TEXT PRIMARY KEY", "task_id TEXT NOT NULL", "type TEXT"]
    middle = ["tmux_session TEXT", "parent TEXT", "depth INTEGER", "phase_index INTEGER"]
    last = ["started_at TEXT", "completed_at TEXT", "status TEXT", "progress INTEGER",
            "last_update TEXT", "prompt_preview TEXT"]
    key = ["FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE"]
    whole = version in ("today", "next")
    columns = first + (late[:1] if whole else []) + middle + (late[1:] if whole else []) + last
    c.execute("""CREATE TABLE tasks(task_id TEXT PRIMARY KEY, workspace TEXT, workspace_base TEXT,
        description TEXT, status TEXT, priority TEXT, client_cwd TEXT, created_at TEXT,
        updated_at TEXT, current_phase_index INTEGER)""")
    c.execute("CREATE TABLE agents(%s)" % ", ".join(columns + key))
    c.execute("""CREATE TABLE agent_progress_latest(task_id TEXT NOT NULL, agent_id TEXT NOT NULL,
        timestamp TEXT, status TEXT, progress INTEGER, message TEXT,
        PRIMARY KEY (task_id, agent_id),
        FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE)""")
    c.execute("CREATE INDEX idx_agents_status ON agents(status)")
    added = {"january": [], "migrated": late + reviews, "today": reviews,
             "next": reviews + ["zeal REAL", "region TEXT NOT NULL DEFAULT 'here'"]}[version]
    for column in added:
        c.execute("ALTER TABLE agents ADD COLUMN " + column)
def task(c, task_id="TASK-1"):
    c.execute("INSERT INTO tasks(task_id, status, updated_at) VALUES(?, 'ACTIVE', 'then')", (task_id,))
def agent(c, agent_id, status="running", task_id="TASK-1", **more):
    row = dict(agent_id=agent_id, task_id=task_id, type="builder", parent="orchestrator",
        tmux_session="agent_" + agent_id, status=status, progress=10, phase_index=0,
        started_at="2026-02-03T04:05:06.000007", last_update="2026-02-03T04:06:00.000000")
    row.update(more)
    c.execute("INSERT INTO agents(%s) VALUES(%s)" % (", ".join(row), ", ".join("?" * len(row))),
        tuple(row.values()))
"#;

/// A workspace whose database this is.
pub struct Database {
    pub workspace: tempfile::TempDir,
}

impl Database {
    /// A workspace without a database.
    pub fn none() -> Database {
        let workspace = tempfile::tempdir().unwrap();
        std::fs::create_dir(workspace.path().join("registry")).unwrap();
        Database { workspace }
    }

    /// One made by a script, which gets its path as `path`.
    pub fn new(script: &str) -> Database {
        let database = Database::none();
        database.python(script);
        database
    }

    /// One of this version of the orchestrator, with agents that the script adds by `c`.
    pub fn of(version: &str, script: &str) -> Database {
        Database::new(&format!(
            "c = connect()\nschema(c, '{version}')\ntask(c)\n{script}\nc.close()"
        ))
    }

    pub fn path(&self) -> PathBuf {
        self.workspace.path().canonicalize().unwrap().join("registry/state.sqlite3")
    }

    /// Runs a script on it and returns what it printed.
    pub fn python(&self, script: &str) -> String {
        python(&self.path(), script)
    }

    /// Starts a script on it, which goes on until it is done or its standard input ends.
    pub fn start(&self, script: &str) -> std::process::Child {
        command(&self.path(), script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }
}

pub fn command(path: &Path, script: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", &format!("{PRELUDE}\n{script}")]).arg(path);
    command
}

pub fn python(path: &Path, script: &str) -> String {
    let output = command(path, script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{script}");
    String::from_utf8(output.stdout).unwrap()
}
