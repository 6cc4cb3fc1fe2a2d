//! Databases that Python makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every script begins with.
const PRELUDE: &str = include_str!("../../../../tests/sqlite/database.py");

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
