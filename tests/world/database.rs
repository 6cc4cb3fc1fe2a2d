//! The workspace of today's orchestrator, whose agents stand in a database.

use std::path::PathBuf;

use rusqlite::{Connection, params};
use serde_json::Value;

use super::{GuideCase, Registry, World};

/// The tables that hold agents, with the columns of the orchestrator's version of April 2026.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE tasks(
        task_id TEXT PRIMARY KEY, workspace TEXT, workspace_base TEXT, description TEXT,
        status TEXT, priority TEXT, client_cwd TEXT, created_at TEXT, updated_at TEXT,
        current_phase_index INTEGER);
    CREATE TABLE agents(
        agent_id TEXT PRIMARY KEY, task_id TEXT NOT NULL, type TEXT, model TEXT,
        tmux_session TEXT, parent TEXT, depth INTEGER, phase_index INTEGER, claude_pid INTEGER,
        cursor_pid INTEGER, tracked_files TEXT, started_at TEXT, completed_at TEXT, status TEXT,
        progress INTEGER, last_update TEXT, prompt_preview TEXT,
        FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE);
    CREATE TABLE agent_progress_latest(
        task_id TEXT NOT NULL, agent_id TEXT NOT NULL, timestamp TEXT, status TEXT,
        progress INTEGER, message TEXT, PRIMARY KEY (task_id, agent_id),
        FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE);
    INSERT INTO tasks(task_id, status) VALUES ('TASK-1', 'ACTIVE');";

impl World {
    /// The database of the world's workspace.
    pub fn database(&self) -> PathBuf {
        self.path().join(".agent-workspace/registry/state.sqlite3")
    }

    /// Moves the agents of the guide's case into a database, each of them active: what is over
    /// stays in a database as history, and is no ghost.
    ///
    /// # Panics
    /// When the workspace cannot be written.
    pub fn move_to_database(&self, case: &GuideCase) {
        let registry: Value = serde_json::from_str(&case.registry).expect("a registry");
        let agents = registry["agents"].as_object().expect("its agents");
        let database = Connection::open(self.database()).expect("a database");
        database.execute_batch(SCHEMA).expect("its tables");
        let row = "INSERT INTO agents(agent_id, task_id, type, tmux_session, parent, status,
            started_at, last_update) VALUES (?, 'TASK-1', ?, ?, 'orchestrator', ?, ?, ?)";
        for (id, agent) in agents {
            let text = |name: &str| agent[name].as_str();
            let status = text("status").filter(|status| *status == "working");
            let values = params![
                id,
                text("agent_type"),
                text("tmux_session"),
                status.unwrap_or("running"),
                text("started_at"),
                text("last_update")
            ];
            database.execute(row, values).expect("a row");
        }
        // The global registry is still made, and gets tasks only.
        self.write_global(&Registry::default());
    }
}
