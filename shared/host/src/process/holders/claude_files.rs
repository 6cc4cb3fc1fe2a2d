//! What a Claude process says about itself, and where it keeps its files.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use model::parse;
use model::parse::claude_environment::Environment;
use model::parse::claude_files::{Identity, any_session_file, session_file};
use model::record::{ClaudeEnvironment, SessionFile};
use nix::fcntl::OFlag;

use crate::process::proc::file;
use crate::process::stat::{ProcessMap, ProcessStat};

/// What is known of one Claude beyond the process table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfClaude {
    /// Its working directory.
    pub cwd: Option<String>,
    /// What its environment says. None where that could not be read.
    pub environment: Option<ClaudeEnvironment>,
    /// What it wrote into its session file.
    pub session_file: Option<SessionFile>,
    /// Its own directories.
    pub directories: Directories,
}

/// The directories in which Claude keeps its own files: what is open there holds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directories {
    /// `CLAUDE_CONFIG_DIR`, else `~/.claude`.
    pub config: Option<PathBuf>,
    all: Vec<PathBuf>,
    /// Where they are when no link is followed any more, which is what `/proc` shows.
    real: OnceCell<Vec<PathBuf>>,
}

/// The session files of the Claudes of one user, read once for each config directory.
#[derive(Debug)]
pub struct SessionFiles<'t> {
    uid: u32,
    processes: &'t ProcessMap,
    /// By directory, all of it.
    read: HashMap<PathBuf, Vec<SessionFile>>,
}

impl<'t> SessionFiles<'t> {
    /// Those of the user `uid`, given all processes.
    pub fn new(uid: u32, processes: &'t ProcessMap) -> Self {
        SessionFiles { uid, processes, read: HashMap::new() }
    }

    /// The file of a session. Of several, one whose Claude lives, else the latest.
    pub fn of(&mut self, session: &str, directories: &Directories) -> Option<SessionFile> {
        let directory = directories.config.as_ref()?.join("sessions");
        if !self.read.contains_key(&directory) {
            let files = self.read_all(&directory);
            self.read.insert(directory.clone(), files);
        }
        let files = self.read.get(&directory)?.iter().filter(|file| file.id == session);
        files.max_by_key(|file| (file.live, file.updated, file.started)).cloned()
    }

    fn read_all(&self, directory: &Path) -> Vec<SessionFile> {
        /// More files than any user has Claudes; Claude itself removes old ones.
        const MOST: usize = 4096;
        let living = |pid: i32| {
            let stat = self.processes.get(&pid).filter(|stat| !stat.is_dead())?;
            Some(Identity { pid, start: stat.start, started: stat.started })
        };
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().take(MOST);
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .filter_map(|path| any_session_file(&text(&path, self.uid)?, &living))
            .collect()
    }
}

impl Directories {
    /// Those of a process with this environment.
    pub fn of(environ: &[u8], uid: u32) -> Directories {
        let directory = |name| {
            let value = String::from_utf8_lossy(parse::proc::environ(environ, name)?).into_owned();
            Some(PathBuf::from(value)).filter(|path| path.is_absolute())
        };
        let home = directory("HOME");
        let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let config = directory("CLAUDE_CONFIG_DIR").or_else(|| in_home(".claude"));
        let temporary = PathBuf::from(format!("/tmp/claude-{uid}"));
        let own = [config.clone(), in_home(".npm/_logs"), Some(temporary)];
        Directories { config, all: own.into_iter().flatten().collect(), real: OnceCell::new() }
    }

    /// Whether a path as `/proc` shows it is in one of them.
    pub fn have(&self, path: &str) -> bool {
        let path = Path::new(path.strip_suffix(" (deleted)").unwrap_or(path));
        let have = |all: &[PathBuf]| all.iter().any(|directory| path.starts_with(directory));
        let resolve = || self.all.iter().filter_map(|path| path.canonicalize().ok()).collect();
        have(&self.all) || have(self.real.get_or_init(resolve))
    }
}

/// Reads it. `environ`: its environment, where that can be read. Every file that belongs to
/// another user is passed over.
pub fn of_claude(pid: i32, stat: &ProcessStat, uid: u32, environ: Option<&[u8]>) -> OfClaude {
    let directories = environ.map(|environ| Directories::of(environ, uid)).unwrap_or_default();
    let identity = Identity { pid, start: stat.start, started: stat.started };
    let session_file = directories.config.as_deref().and_then(|config| {
        session_file(&text(&config.join(format!("sessions/{pid}.json")), uid)?, identity)
    });
    OfClaude {
        cwd: file::link(pid, "cwd").ok(),
        environment: environ.map(|environ| Environment::of(environ).record),
        session_file,
        directories,
    }
}

/// The text of a small regular file of this user.
pub fn text(path: &Path, uid: u32) -> Option<String> {
    const LARGEST: u64 = 1 << 20;
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    let metadata = opened.metadata().ok()?;
    let is_good = metadata.is_file() && metadata.uid() == uid && metadata.len() <= LARGEST;
    let mut text = String::new();
    let read = is_good.then(|| opened.take(LARGEST).read_to_string(&mut text).ok());
    read.flatten().map(|_| text)
}
