//! Where the registries of the tasks say that progress files are.

use std::cell::RefCell;
use std::io::Read;
use std::path::{Path, PathBuf};

use foldhash::HashMap;
use nix::fcntl::OFlag;
use serde_json::Value;

use super::progress::ProgressFile;
use super::workspace::Workspace;

/// The longest registry of a task that is read here, in bytes. Those of the orchestrators
/// that have a database hold few agents.
const LONGEST: u64 = 1 << 26;

/// The progress files of a workspace's agents.
#[derive(Debug)]
pub struct Tasks<'w> {
    workspace: &'w Workspace,
    /// By task and agent, the paths that are named.
    named: RefCell<HashMap<String, HashMap<String, PathBuf>>>,
}

impl<'w> Tasks<'w> {
    /// Of this workspace.
    pub fn new(workspace: &'w Workspace) -> Tasks<'w> {
        Tasks { workspace, named: RefCell::default() }
    }

    /// The progress file of an agent.
    pub fn progress(&self, task: &str, agent: &str) -> ProgressFile<'w> {
        let mut named = self.named.borrow_mut();
        if !named.contains_key(task) {
            named.insert(task.to_owned(), named_in(self.workspace, task).unwrap_or_default());
        }
        let path = named[task].get(agent).map(PathBuf::as_path);
        ProgressFile::of(self.workspace, task, agent, path)
    }
}

/// What `tracked_files.progress_file` of the entries says; None where that cannot be read.
fn named_in(workspace: &Workspace, task: &str) -> Option<HashMap<String, PathBuf>> {
    let path = Path::new(task).join("AGENT_REGISTRY.json");
    let (file, _) = workspace.open(&path, OFlag::O_RDONLY).ok()?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    let registry: Value = serde_json::from_slice(&bytes).ok()?;
    let entry = |entry: &Value| {
        let id = entry.get("id").or_else(|| entry.get("agent_id"))?.as_str()?;
        let path = entry.get("tracked_files")?.get("progress_file")?.as_str()?;
        Some((id.to_owned(), PathBuf::from(path)))
    };
    Some(registry.get("agents")?.as_array()?.iter().filter_map(entry).collect())
}
