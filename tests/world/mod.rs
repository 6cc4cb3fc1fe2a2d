//! A private world for tests and the demo: a directory, a tmux socket in it, stand-ins for
//! Claude under a name of their own, and tools that are told to use these.
//!
//! What a world starts knows nothing of the developer's machine, its tmux and its Claude
//! processes, and the other way round: the environment is cleared, the process name is
//! unique, the socket is the world's. So several worlds can live side by side.
//!
//! Everything in a world ends with it. A guard, the stand-in's executable once more,
//! waits for the [`World`] to be dropped or its owner to die, of Ctrl-C for example, ends
//! everything that was started in it, and removes its directory.

// The tests use one part of this, the demo another.
#![allow(dead_code, unused_imports)]

mod control_group;
mod database;
mod dispositions;
mod guide_case;
mod namespaces;
mod processes;
mod registry;
mod sample;
mod screen;
mod sessions;
mod skip;
mod teardown;
mod tools;
mod user;

pub use control_group::{ControlGroup, hierarchies};
pub use guide_case::GuideCase;
pub use namespaces::{privately, privately_offline};
pub use processes::{HeldStandin, Ready, Standin, Stat, alive, stat, wait_until};
pub use registry::{Entry, Json, Registry};
pub use sample::{AGENTS, Identity, Sample, living, of_kind};
pub use sessions::Live;
pub use skip::skip;
pub use tools::{COMMANDS, Ran, TOOLS, records, run, through};
pub use user::{TEAM, User, privately_with_users};

use std::cell::{Cell, RefCell};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use tempfile::TempDir;

/// A path of a Unix socket has 107 bytes; tmux in the world's own `TMUX_TMPDIR` needs
/// more of them than `tmux -S`.
const LONGEST_DIRECTORY: usize = 60;

/// The prompt of every Claude in a world. A search for substrings would misread it.
pub const PROMPT: &str = "You are an agent; read claude.md, then run claude --print";

/// See the [module](self).
pub struct World {
    path: PathBuf,
    name: String,
    socket: PathBuf,
    /// The user whose world it is; none is the user who runs the tests.
    owner: Option<User>,
    /// The value of `--proc-source`; none is the default of the tools.
    source: Option<&'static str>,
    starts: Cell<u32>,
    children: RefCell<Vec<Child>>,
    guard: Child,
    // Dropped last: something may still write to it until then.
    _directory: Option<TempDir>,
}

impl World {
    /// A world with an empty workspace and nothing running.
    ///
    /// # Panics
    /// When it cannot be made, or the stand-in was not built.
    pub fn new() -> World {
        let base = env::temp_dir();
        let base = if base.as_os_str().len() < LONGEST_DIRECTORY { base } else { "/tmp".into() };
        let directory = tempfile::Builder::new()
            .prefix("agentutils-")
            .tempdir_in(base)
            .expect("a temporary directory for the world");
        let path = directory.path().canonicalize().expect("the world's directory");
        let mut world = World::at(path);
        world._directory = Some(directory);
        world
    }

    fn at(path: PathBuf) -> World {
        dispositions::default_for_children();
        for subdirectory in ["bin", "logs", "ready", "tmux", ".agent-workspace/registry"] {
            fs::create_dir_all(path.join(subdirectory)).expect("a directory of the world");
        }
        let world = World {
            guard: guard(&path),
            name: unique_name(),
            socket: path.join("socket"),
            owner: None,
            // A build without /proc reads ps anyway.
            source: (!cfg!(feature = "proc")).then_some("ps"),
            path,
            starts: Cell::new(0),
            children: RefCell::default(),
            _directory: None,
        };
        place(&standin(), &world.executable());
        world
    }

    /// A world with default names: Claude is `claude`, and tmux takes its default socket. Only in
    /// [`privately`] is such a world alone.
    ///
    /// # Panics
    /// As [`World::new`].
    pub fn with_default_names() -> World {
        let mut world = World::new();
        world.name = "claude".to_owned();
        place(&standin(), &world.executable());
        let directory = world.path.join("tmux").join(format!("tmux-{}", nix::unistd::getuid()));
        // tmux refuses a directory that others can open.
        DirBuilder::new().mode(0o700).create(&directory).expect("a directory of the world");
        world.socket = directory.join("default");
        world
    }

    /// The world of another user of [`privately_with_users`]: everything in it is theirs and
    /// runs as them, in none but their own group. Its directory is their home, and names are
    /// as in [`World::with_default_names`], without a `TMUX_TMPDIR`.
    ///
    /// # Panics
    /// As [`World::new`].
    pub fn of(user: &User) -> World {
        let mut world = World::at(user.home.clone());
        world.name = "claude".to_owned();
        place(&standin(), &world.executable());
        let sockets = PathBuf::from(format!("/tmp/tmux-{}", user.uid));
        if !sockets.exists() {
            // tmux refuses a directory that others can open.
            DirBuilder::new().mode(0o700).create(&sockets).expect("a directory for the socket");
            user.own(&sockets);
        }
        world.socket = sockets.join("default");
        user.own(&world.path);
        world.owner = Some(user.clone());
        world
    }

    /// A world in which the tools read the process table from ps.
    ///
    /// # Panics
    /// As [`World::new`].
    pub fn by_ps() -> World {
        let mut world = World::new();
        world.source = Some("ps");
        world
    }

    /// Its directory: home, working directory, and the one that holds `.agent-workspace`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the tools read the process table from ps.
    pub fn reads_ps(&self) -> bool {
        self.source == Some("ps")
    }

    /// The name that Claude goes by here, short enough for the kernel to show it whole.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The world's tmux socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The stand-in's executable; it is on the world's `PATH`.
    pub fn executable(&self) -> PathBuf {
        self.path.join("bin").join(&self.name)
    }

    /// A command in the world's directory and environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path).env_clear().envs([
            ("PATH", self.search_path()),
            ("HOME", self.path.clone().into()),
            ("SHELL", "/bin/sh".into()),
            ("LANG", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
            ("STANDIN_WORLD", self.path.clone().into()),
        ]);
        match &self.owner {
            Some(user) => command.uid(user.uid).gid(user.uid),
            None => command.env("TMUX_TMPDIR", self.path.join("tmux")),
        };
        command
    }

    /// Gives a path that a test has made in this world to the user whose world it is.
    fn give(&self, path: &Path) {
        if let Some(user) = &self.owner {
            user.own(path);
        }
    }

    /// The tools under test, the stand-in, and what the machine has.
    fn search_path(&self) -> OsString {
        let machine = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let own = [built(), self.path.join("bin")];
        env::join_paths(own.into_iter().chain(env::split_paths(&machine)))
            .expect("directories without a colon")
    }

    /// A number that this world has not given out yet.
    fn next(&self) -> u32 {
        self.starts.replace(self.starts.get() + 1)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let guarded = self.guard.wait().is_ok_and(|status| status.success());
        assert!(guarded || thread::panicking(), "{}: something is left", self.path.display());
        for child in self.children.get_mut() {
            let _ = child.wait();
        }
    }
}

/// The directory with what cargo has built: of a test `target/PROFILE/deps/tests-…`, of the
/// demo `target/PROFILE/examples/demo`.
pub fn built() -> PathBuf {
    let own = env::current_exe().expect("the path of this program");
    own.ancestors().nth(2).expect("a directory of cargo's").to_owned()
}

fn standin() -> PathBuf {
    let standin = built().join("examples/standin");
    assert!(
        standin.exists(),
        "{}: not there; `cargo build -p agentutils --examples` makes it",
        standin.display()
    );
    standin
}

/// Starts the guard of the world in `directory`. Its standard input closes when this process
/// closes it or ends, however that comes; Ctrl-C does not reach its process group.
fn guard(directory: &Path) -> Child {
    Command::new(standin())
        .env_clear()
        .env("STANDIN_GUARD", directory)
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the guard of the world")
}

/// Unique among the worlds of this machine: by process, and in it by number.
fn unique_name() -> String {
    static WORLDS: AtomicU16 = AtomicU16::new(0);
    let number = WORLDS.fetch_add(1, Ordering::Relaxed) % 0x1000;
    format!("claude{:06x}{number:03x}", process::id() % 0x100_0000)
}

/// Puts an executable under another path. If no link is possible, another process copies
/// it: as long as any process has an executable open for writing it cannot be run, and a
/// process forked by another test's thread would hold our descriptor.
fn place(executable: &Path, at: &Path) {
    if fs::hard_link(executable, at).is_err() {
        let copied = Command::new("cp").args([executable, at]).status();
        assert!(copied.is_ok_and(|status| status.success()), "{}: no copy", at.display());
    }
}
