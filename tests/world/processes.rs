//! Starting processes outside tmux, and asking the kernel about any process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::teardown::pids_in;
use super::{PROMPT, World};

/// Longer than anything takes on a busy machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// A stand-in that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standin {
    /// Its process.
    pub pid: i32,
    /// Its children, stand-ins too.
    pub children: Vec<i32>,
}

/// A stand-in and the process that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldStandin {
    /// The process that waits for it.
    pub holder: i32,
    /// The stand-in.
    pub claude: Standin,
}

/// The directory in which one stand-in announces that it is set up. Each start has its own, so
/// that an announcement belongs to one start.
#[derive(Debug)]
pub struct Ready {
    directory: PathBuf,
}

impl Ready {
    /// The value for `STANDIN_READY`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits for the stand-in and its children.
    ///
    /// # Panics
    /// When they do not come in time.
    pub fn wait(&self) -> Standin {
        let mut ready = None;
        let what = || format!("a stand-in to announce itself in {}", self.directory.display());
        wait_until(what, || {
            ready = self.announced();
            ready.is_some()
        });
        ready.expect("it was waited for")
    }

    fn announced(&self) -> Option<Standin> {
        let pid = pids_in(&self.directory).next()?;
        Some(Standin { pid, children: pids_in(&self.directory.join("children")).collect() })
    }
}

impl World {
    /// A new directory for the next stand-in to announce itself in.
    pub fn ready(&self) -> Ready {
        let directory = self.path.join("ready").join(self.next().to_string());
        fs::create_dir(&directory).expect("a directory of the world");
        self.give(&directory);
        Ready { directory }
    }

    /// Starts a child that ends with the world. Its standard streams are /dev/null.
    pub fn spawn(&self, mut command: Command) -> i32 {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let pid = child.id() as i32;
        self.children.borrow_mut().push(child);
        pid
    }

    /// A leak, as a crashed session leaves it: a Claude whose parent is gone, in a session of
    /// its own, without terminal and output. `environment` is added to the stand-in's.
    pub fn leaked(&self, environment: &[(&str, &str)]) -> Standin {
        let mut command = self.command(&self.name);
        command.args(["--print", "--output-format", "stream-json", PROMPT]);
        command.envs(environment.iter().copied());
        self.orphan(&command)
    }

    /// Starts a command that runs the stand-in as an orphan, as [`World::leaked`] does. Only
    /// its program, arguments and environment are used.
    pub fn orphan(&self, command: &Command) -> Standin {
        let ready = self.ready();
        let mut setsid = self.command("setsid");
        setsid.arg("--fork").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            setsid.env(name, value.unwrap_or_default());
        }
        self.begin(setsid, &ready);
        ready.wait()
    }

    /// Starts many leaks, as [`World::leaked`]. Returns their pids.
    pub fn crowd(&self, count: usize, environment: &[(&str, &str)]) -> Vec<i32> {
        const LOOP: &str = r#"
            at=0
            while [ "$at" -lt "$2" ]; do
                "$1" --print "word $at" &
                at=$((at + 1))
            done"#;
        let ready = self.ready();
        let mut command = self.command("setsid");
        command.args(["sh", "-c", LOOP, "sh", &self.name, &count.to_string()]);
        command.envs(environment.iter().copied());
        self.begin(command, &ready);
        let announced = || pids_in(ready.directory());
        wait_until(|| format!("{count} stand-ins"), || announced().count() == count);
        announced().collect()
    }

    /// A Claude without a terminal that a living script waits for, as cron would run it.
    pub fn held_by_script(&self) -> HeldStandin {
        self.held_by_script_that(":")
    }

    /// The same, by a script that runs this command first.
    pub fn held_by_script_that(&self, first: &str) -> HeldStandin {
        let script = self.path.join(format!("hold-{}.sh", self.next()));
        // With a command after it, the shell cannot become the stand-in.
        fs::write(&script, format!("{first}\n{} --print '{PROMPT}'\nexit\n", self.name))
            .expect("a script of the world");
        let ready = self.ready();
        let mut command = self.command("setsid");
        command.arg("sh").arg(script).env("STANDIN_READY", ready.directory());
        let holder = self.spawn(command);
        HeldStandin { holder, claude: ready.wait() }
    }

    /// A Claude started with nohup, its output to a file, its shell and terminal gone.
    pub fn nohup_to_file(&self) -> Standin {
        let ready = self.ready();
        let mut command = self.command("setsid");
        let log = format!("nohup-{}.log", self.next());
        command.args(["sh", "-c"]);
        command.arg(format!("nohup {} --print '{PROMPT}' >{log} 2>&1 </dev/null &", self.name));
        self.begin(command, &ready);
        ready.wait()
    }

    /// A process with `claude.md` on its command line that is not Claude. Returns its pid.
    pub fn editor(&self) -> i32 {
        fs::write(self.path.join("claude.md"), "# What Claude should know\n")
            .expect("a file of the world");
        let mut command = self.command("tail");
        command.args(["-f", "claude.md"]);
        self.spawn(command)
    }

    /// Runs a command that starts a stand-in and ends, and waits for its end: then the
    /// stand-in has its new parent.
    fn begin(&self, mut command: Command, ready: &Ready) {
        command.env("STANDIN_READY", ready.directory());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(status.success(), "{command:?}: {status}");
    }
}

/// What the kernel says of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The short name.
    pub name: String,
    /// A letter as in ps(1).
    pub state: char,
    /// The parent.
    pub ppid: i32,
    /// The session, in the sense of setsid(2).
    pub sid: i32,
    /// When it started, in ticks since boot: with the pid, an identity.
    pub start: u64,
}

/// The entry of a process in the process table; none when there is no such process.
pub fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // `pid (name) state ppid pgid sid …`; the name may hold anything.
    let (head, tail) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    Some(Stat {
        name: head.split_once('(')?.1.to_owned(),
        state: fields.first()?.chars().next()?,
        ppid: fields.get(1)?.parse().ok()?,
        sid: fields.get(3)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// Whether a process runs; one that is dead and not reaped does not.
pub fn alive(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Waits for something.
///
/// # Panics
/// When it does not come in time, with `what`.
pub fn wait_until<S: AsRef<str>>(what: impl FnOnce() -> S, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            panic!("waited {PATIENCE:?} in vain for {}", what().as_ref());
        }
        thread::sleep(Duration::from_millis(5));
    }
}
