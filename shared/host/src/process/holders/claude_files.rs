//! What a Claude process says about itself, and where it keeps its files.

use std::cell::OnceCell;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use model::parse;
use model::parse::claude_files::{Identity, session_file};
use model::record::{ClaudeEnvironment, SessionFile};
use nix::fcntl::OFlag;

use crate::process::proc::file;
use crate::process::stat::ProcessStat;

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

impl Directories {
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
    let directories = environ.map(|environ| directories(environ, uid)).unwrap_or_default();
    let identity = Identity { pid, start: stat.start, started: stat.started };
    let session_file = directories.config.as_deref().and_then(|config| {
        session_file(&text(&config.join(format!("sessions/{pid}.json")), uid)?, identity)
    });
    OfClaude {
        cwd: file::link(pid, "cwd").ok(),
        environment: environ.map(environment),
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

fn environment(environ: &[u8]) -> ClaudeEnvironment {
    let text = |name| {
        let value = parse::proc::environ(environ, name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    ClaudeEnvironment {
        session: text("CLAUDE_CODE_SESSION_ID"),
        entrypoint: text("CLAUDE_CODE_ENTRYPOINT"),
        project: text("CLAUDE_PROJECT_DIR"),
        child: text("CLAUDE_CODE_CHILD_SESSION").is_some(),
    }
}

fn directories(environ: &[u8], uid: u32) -> Directories {
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
