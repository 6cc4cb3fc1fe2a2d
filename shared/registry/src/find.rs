//! Where the registries are.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory that an orchestrator keeps in the project it works on.
const WORKSPACE: &str = ".agent-workspace";
/// The variable of the environment that names such a directory.
pub const WORKSPACE_VARIABLE: &str = "CLAUDE_ORCHESTRATOR_WORKSPACE";

/// Which registries of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `registry/GLOBAL_REGISTRY.json`
    Global,
    /// Every `TASK-*/AGENT_REGISTRY.json`
    Tasks,
    /// Both.
    All,
}

/// Registries to read.
#[derive(Debug, Default)]
pub struct Found {
    /// Their paths.
    pub registries: Vec<PathBuf>,
    /// What could not be looked through.
    pub trouble: Vec<String>,
}

/// Finds the registries of the workspaces given, else of the one that `from_environment`, the
/// value of [`WORKSPACE_VARIABLE`], names, else of the nearest `.agent-workspace` from the
/// current directory up. A workspace may be given as itself or as the directory it is in.
///
/// # Errors
/// Every place that was tried, when there is no workspace in any.
pub fn find(
    workspaces: &[PathBuf],
    which: Which,
    from_environment: Option<OsString>,
) -> Result<Found, String> {
    let workspaces = if workspaces.is_empty() {
        vec![default_workspace(from_environment)?]
    } else {
        workspaces.iter().map(|given| given_workspace(given)).collect::<Result<_, _>>()?
    };
    let mut found = Found::default();
    for workspace in workspaces {
        if which != Which::Tasks {
            found.registries.push(workspace.join("registry/GLOBAL_REGISTRY.json"));
        }
        if which != Which::Global {
            match task_registries(&workspace) {
                Ok(paths) => found.registries.extend(paths),
                Err(error) => found.trouble.push(format!("{}: {error}", workspace.display())),
            }
        }
    }
    Ok(found)
}

fn given_workspace(given: &Path) -> Result<PathBuf, String> {
    let inside = given.join(WORKSPACE);
    if inside.is_dir() {
        return Ok(inside);
    }
    if given.ends_with(WORKSPACE) || has_registries(given) {
        return Ok(given.to_owned());
    }
    let why = match fs::metadata(given) {
        Ok(found) if found.is_dir() => {
            format!("no workspace: there is neither {WORKSPACE} nor registry nor TASK-* in it")
        }
        Ok(_) => "not a folder".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("{}: {why}", given.display()))
}

/// Whether a folder is laid out as a workspace. One that cannot be read may be.
fn has_registries(folder: &Path) -> bool {
    folder.join("registry").is_dir()
        || task_registries(folder).map_or(folder.is_dir(), |found| !found.is_empty())
}

fn default_workspace(from_environment: Option<OsString>) -> Result<PathBuf, String> {
    if let Some(value) = from_environment.filter(|value| !value.is_empty()) {
        return given_workspace(Path::new(&value))
            .map_err(|error| format!("{WORKSPACE_VARIABLE}: {error}"));
    }
    let current = env::current_dir().map_err(|error| format!("current folder: {error}"))?;
    let tried: Vec<PathBuf> = current.ancestors().map(|folder| folder.join(WORKSPACE)).collect();
    tried.iter().find(|path| path.is_dir()).cloned().ok_or_else(|| {
        let tried: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
        format!(
            "no workspace found: {WORKSPACE_VARIABLE} is not set, and there is no {}; \
             name one with --workspace, or a registry with --registry",
            tried.join(", no ")
        )
    })
}

fn task_registries(workspace: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(workspace)? {
        let entry = entry?;
        let registry = entry.path().join("AGENT_REGISTRY.json");
        // One that cannot be looked for is listed: reading it then says why.
        let may_exist = registry.try_exists().unwrap_or(true);
        if entry.file_name().to_string_lossy().starts_with("TASK-") && may_exist {
            paths.push(registry);
        }
    }
    paths.sort();
    Ok(paths)
}
