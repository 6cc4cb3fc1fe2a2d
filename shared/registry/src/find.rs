//! Where the registries are.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use foldhash::HashSet;

use crate::sqlite::{KnownWorkspace, known_workspaces};
use crate::wait::WaitBudget;

/// The directory that an orchestrator keeps in the project it works on.
const WORKSPACE: &str = ".agent-workspace";
/// The variable of the environment that names such a directory.
pub const WORKSPACE_VARIABLE: &str = "CLAUDE_ORCHESTRATOR_WORKSPACE";
/// Where the orchestrator keeps what belongs to no project, below the home directory.
const AT_HOME: &str = ".claude-orchestrator/workspaces";
/// The database of a workspace.
const DATABASE: &str = "registry/state.sqlite3";
/// The registry of the orchestrators that have none.
const GLOBAL: &str = "registry/GLOBAL_REGISTRY.json";

/// Which registries of a workspace. Its database, where it has one, is always one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `registry/GLOBAL_REGISTRY.json`
    Global,
    /// Every `TASK-*/AGENT_REGISTRY.json`
    Tasks,
    /// Both.
    All,
}

/// What the environment says of the user of this run, who is not always the one who started it.
#[derive(Debug, Default)]
pub struct Environment {
    /// The value of [`WORKSPACE_VARIABLE`].
    pub workspace: Option<OsString>,
    /// That of `HOME`.
    pub home: Option<OsString>,
}

impl Environment {
    fn home(&self) -> Result<PathBuf, String> {
        let home = self.home.as_ref().filter(|home| !home.is_empty());
        home.map(PathBuf::from).ok_or_else(|| "HOME is not set".to_owned())
    }
}

/// The registries of one workspace.
#[derive(Debug, Default)]
pub struct FoundWorkspace {
    /// `registry/state.sqlite3`, where it has one. What that says of an agent counts, also
    /// where the agent stands in a JSON file too.
    pub database: Option<PathBuf>,
    /// Its JSON files.
    pub json: Vec<PathBuf>,
}

/// Registries to read.
#[derive(Debug, Default)]
pub struct Found {
    /// By workspace.
    pub workspaces: Vec<FoundWorkspace>,
    /// What could not be looked through.
    pub trouble: Vec<String>,
    /// What is not there, and need not be.
    pub notes: Vec<String>,
}

impl Found {
    /// These registries, each for itself.
    pub fn given(paths: &[PathBuf]) -> Found {
        let alone = |path: &PathBuf| FoundWorkspace { database: None, json: vec![path.clone()] };
        Found { workspaces: paths.iter().map(alone).collect(), ..Found::default() }
    }
}

/// Finds the registries of the workspaces given, else of the one that the environment names,
/// else of the nearest `.agent-workspace` from the current directory up, else of the
/// orchestrator's own in the home directory. A workspace may be given as itself or as the
/// directory it is in.
///
/// The orchestrator uses a project's before that of the variable. Here the variable is what
/// the user says, and a `.agent-workspace` somewhere above is only a guess.
///
/// # Errors
/// Every place that was tried, when there is no workspace in any.
pub fn find(
    workspaces: &[PathBuf],
    which: Which,
    environment: Environment,
) -> Result<Found, String> {
    let workspaces = if workspaces.is_empty() {
        vec![default_workspace(environment)?]
    } else {
        workspaces.iter().map(|given| given_workspace(given)).collect::<Result<_, _>>()?
    };
    let mut found = Found::default();
    for workspace in workspaces {
        let database = database_of(&workspace);
        add(&workspace, database, which, &mut found);
    }
    Ok(found)
}

/// Finds the registries of all workspaces that the orchestrator of this user knows.
///
/// # Errors
/// When its index of them cannot be read.
pub fn find_all(
    which: Which,
    environment: &Environment,
    wait: &mut WaitBudget,
) -> Result<Found, String> {
    let home = environment.home()?;
    let index = home.join(".claude-orchestrator/global_registry.sqlite3");
    let known = known_workspaces(&index, wait).map_err(|error| error.to_string())?;
    let mut found = Found::default();
    let mut seen = HashSet::default();
    for KnownWorkspace { base, project } in known {
        let meant = meanings(&base, project.as_deref(), &home);
        let (mut there, mut trouble) = (None, None);
        for path in meant {
            match resolved(&path) {
                Ok(found) if there.is_none() => there = found,
                Ok(_) => {}
                Err(error) => trouble = Some(format!("{}: {error}", path.display())),
            }
        }
        let Some((workspace, identity)) = there else {
            // What cannot be looked at may be there.
            if let Some(trouble) = trouble {
                found.trouble.push(trouble);
                continue;
            }
            found.notes.push(format!("{base}: the orchestrator knows this workspace, it is gone"));
            continue;
        };
        // The orchestrator knows some under several names.
        if !seen.insert(identity) {
            continue;
        }
        let database = database_of(&workspace);
        if database.is_none() && !may_have_files(&workspace) {
            found.notes.push(format!("{}: no registry in it", workspace.display()));
            continue;
        }
        add(&workspace, database, which, &mut found);
    }
    Ok(found)
}

/// A directory by its real path, device and inode; None where there is none.
fn resolved(path: &Path) -> io::Result<Option<(PathBuf, (u64, u64))>> {
    let found = path.canonicalize().and_then(|real| Ok((fs::metadata(&real)?, real)));
    match found {
        Ok((metadata, real)) if metadata.is_dir() => {
            Ok(Some((real, (metadata.dev(), metadata.ino()))))
        }
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The paths that a name of a workspace may mean. It stands in the index as it was given:
/// `~` and `${workspaceFolder}` are names of directories where nobody replaced them.
fn meanings(base: &str, project: Option<&str>, home: &Path) -> Vec<PathBuf> {
    let mut meant = vec![PathBuf::from(base)];
    let replaced = |variable: &str, by: &Path| {
        let rest = &base[base.find(variable)? + variable.len()..];
        Some(by.join(rest.trim_start_matches('/')))
    };
    meant.extend(project.and_then(|project| replaced("${workspaceFolder}", Path::new(project))));
    if base.starts_with("~/") || base.contains("/~/") {
        meant.extend(replaced("~/", home));
    }
    meant
}

/// The database of a workspace. One that cannot be looked at is one: reading it says why.
fn database_of(workspace: &Path) -> Option<PathBuf> {
    let database = workspace.join(DATABASE);
    let is_missing =
        fs::symlink_metadata(&database).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    (!is_missing).then_some(database)
}

fn add(workspace: &Path, database: Option<PathBuf>, which: Which, found: &mut Found) {
    let mut json = Vec::new();
    let global = workspace.join(GLOBAL);
    // Where there is a database, the orchestrator needs no other registry.
    if which != Which::Tasks && (database.is_none() || global.try_exists().unwrap_or(true)) {
        json.push(global);
    }
    if which != Which::Global {
        match task_registries(workspace) {
            Ok(paths) => json.extend(paths),
            Err(error) => found.trouble.push(format!("{}: {error}", workspace.display())),
        }
    }
    found.workspaces.push(FoundWorkspace { database, json });
}

/// Whether a workspace has registry files, or that cannot be asked.
fn may_have_files(workspace: &Path) -> bool {
    workspace.join(GLOBAL).try_exists().unwrap_or(true)
        || task_registries(workspace).map_or(true, |paths| !paths.is_empty())
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
        Ok(_) => "not a directory".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("{}: {why}", given.display()))
}

/// Whether a directory is laid out as a workspace. One that cannot be read may be.
fn has_registries(directory: &Path) -> bool {
    directory.join("registry").is_dir()
        || task_registries(directory).map_or(directory.is_dir(), |found| !found.is_empty())
}

fn default_workspace(environment: Environment) -> Result<PathBuf, String> {
    let home = environment.home();
    if let Some(value) = environment.workspace.filter(|value| !value.is_empty()) {
        return given_workspace(Path::new(&value))
            .map_err(|error| format!("{WORKSPACE_VARIABLE}: {error}"));
    }
    let current = env::current_dir().map_err(|error| format!("current directory: {error}"))?;
    let mut tried: Vec<PathBuf> =
        current.ancestors().map(|directory| directory.join(WORKSPACE)).collect();
    tried.extend(home.map(|home| home.join(AT_HOME)));
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
