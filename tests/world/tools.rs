//! The tools under test, confined to a world, and how any command is run.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{World, built, dispositions, place, wait_until};

/// The programs and the scripts.
pub const COMMANDS: [&str; 7] = [
    "lsagents",
    "lssessions",
    "lsclaude",
    "agentdiff",
    "agentprune",
    "cleanup_leaked_agents.sh",
    "verify_cleanup.sh",
];

/// The programs.
pub const TOOLS: [&str; 5] = {
    let [tools @ .., _, _] = COMMANDS;
    tools
};

/// A tool that takes longer hangs. Some tests wait until something is a minute old.
const LIMIT: Duration = Duration::from_secs(120);

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Exit status; 128 and the number of the signal, if it was one.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Itself.
    ///
    /// # Panics
    /// Unless the exit status is 0.
    pub fn ok(self) -> Ran {
        self.expect(&[0])
    }

    /// Itself.
    ///
    /// # Panics
    /// Unless the exit status is one of these.
    pub fn expect(self, codes: &[i32]) -> Ran {
        let Ran { code, out, err } = &self;
        assert!(codes.contains(code), "exit status {code}\nstdout: {out}\nstderr: {err}");
        self
    }

    /// Standard output as one JSON value a line.
    pub fn records(&self) -> Vec<Value> {
        records(&self.out)
    }
}

/// The records in a text, one JSON value a line.
///
/// # Panics
/// When a line is none.
pub fn records(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

impl World {
    /// One of the five programs, by its name.
    pub fn tool(&self, name: &str) -> Command {
        let path = built().join(name);
        assert!(path.exists(), "{}: not there; `cargo build` makes it", path.display());
        self.command(path)
    }

    /// One of the two scripts, by its name, confined to this world. It runs from the
    /// world's `bin`: in its own directory it would prefer `../target/release`, which may
    /// hold another build than the one under test.
    pub fn script(&self, name: &str) -> Command {
        let path = self.path().join("bin").join(name);
        if !path.exists() {
            place(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &path);
        }
        let mut command = self.command(path);
        command.arg("--workspace").arg(&self.path);
        command.arg("-S").arg(&self.socket).args(["--name", &self.name]);
        command.args(self.source_option());
        command
    }

    /// The option for the process table, if this world has one.
    pub fn source_option(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.source.into_iter().flat_map(|source| ["--proc-source", source])
    }

    /// `lsagents` of this world's registries.
    pub fn lsagents(&self) -> Command {
        let mut command = self.tool("lsagents");
        command.arg("--workspace").arg(&self.path);
        command
    }

    /// `lssessions` of this world's server.
    pub fn lssessions(&self) -> Command {
        let mut command = self.tool("lssessions");
        command.arg("-S").arg(&self.socket).args(self.source_option());
        command
    }

    /// `lsclaude` of this world's stand-ins.
    pub fn lsclaude(&self) -> Command {
        let mut command = self.tool("lsclaude");
        command.args(["--name", &self.name]).args(self.source_option());
        command
    }

    /// What the three listers print.
    ///
    /// # Panics
    /// When one of them reports trouble.
    pub fn scan(&self) -> String {
        [self.lsagents(), self.lssessions(), self.lsclaude()]
            .map(|mut lister| run(&mut lister, "").ok().out)
            .concat()
    }

    /// Gives records to `agentdiff`. Unless the arguments have a `--min-age` or an `--entry-age`,
    /// it is 0: everything in a world is young.
    pub fn diff(&self, scan: &str, arguments: &[&str]) -> Ran {
        let mut command = self.tool("agentdiff");
        for age in ["--min-age", "--entry-age"] {
            if !arguments.iter().any(|argument| argument.starts_with(age)) {
                command.args([age, "0s"]);
            }
        }
        run(command.args(arguments), scan)
    }

    /// What `agentdiff` finds in a new scan.
    ///
    /// # Panics
    /// When there is trouble.
    pub fn findings(&self, arguments: &[&str]) -> String {
        self.diff(&self.scan(), arguments).expect(&[0, 1]).out
    }

    /// What `agentdiff` finds as soon as there are so many zombie sessions. Until it has called
    /// execve(2), what tmux starts looks like tmux.
    ///
    /// # Panics
    /// When there is trouble, or they never come.
    pub fn findings_with_zombies(&self, arguments: &[&str], count: usize) -> String {
        let mut findings = String::new();
        wait_until(
            || format!("{count} zombie sessions"),
            || {
                findings = self.findings(arguments);
                findings.matches("\"kind\":\"zombie_session\"").count() == count
            },
        );
        findings
    }

    /// Gives findings to `agentprune --yes`, and has tmux run a command on the world's
    /// server just before it is told to end a session.
    pub fn prune_while(&self, findings: &str, tmux: &str) -> Ran {
        let directory = self.path().join(format!("tmux-{}", self.next()));
        fs::create_dir(&directory).expect("a directory of the world");
        let wrapper = directory.join("tmux");
        let text = format!(
            "#!/bin/sh\nPATH=${{PATH#*:}}\ncase \"$*\" in *if-shell*) tmux -S '{}' {tmux};; esac\n\
             exec tmux \"$@\"\n",
            self.socket().display()
        );
        fs::write(&wrapper, text).expect("a file of the world");
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("its mode");
        let mut prune = self.tool("agentprune");
        let path = prune.get_envs().find(|(name, _)| *name == "PATH");
        let mut path_with_wrapper = OsString::from(directory);
        path_with_wrapper.push(":");
        path_with_wrapper.push(path.and_then(|(_, path)| path).expect("a PATH"));
        run(prune.arg("--yes").env("PATH", path_with_wrapper), findings)
    }

    /// Gives findings to `agentprune`.
    pub fn prune(&self, findings: &str, arguments: &[&str]) -> Ran {
        run(self.tool("agentprune").args(arguments), findings)
    }
}

/// The same command, run by a wrapper such as `setpriv … COMMAND`.
pub fn through(wrapper: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
    wrapped.env_clear();
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped
}

/// Runs a command with this standard input.
///
/// # Panics
/// When it cannot be run, or takes too long: then it is killed.
pub fn run(command: &mut Command, input: &str) -> Ran {
    dispositions::default_for_children();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.as_bytes().to_vec();
    // Threads, because a command may write before it has read everything, or not read.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let out = collect(child.stdout.take().expect("a pipe"));
    let err = collect(child.stderr.take().expect("a pipe"));
    let end = Instant::now() + LIMIT;
    let status = wait(&mut child, end).unwrap_or_else(|| {
        let _ = child.kill();
        let _ = child.wait();
        let err = err.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        panic!("{command:?}: not done after {LIMIT:?}; it said: {err}");
    });
    let text = |pipe: Receiver<String>| {
        // Something it left behind may hold the pipe open.
        pipe.recv_timeout(Duration::from_secs(5))
            .unwrap_or_else(|_| panic!("{command:?}: ended, but its output is still open"))
    };
    let signal = status.signal().map(|signal| 128 + signal);
    Ran {
        code: status.code().or(signal).expect("a status or a signal"),
        out: text(out),
        err: text(err),
    }
}

fn wait(child: &mut Child, end: Instant) -> Option<ExitStatus> {
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("the state of a child") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    None
}

fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
