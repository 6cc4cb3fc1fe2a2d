//! What a Claude has left behind, when it was killed and when it ended by itself: servers that nobody
//! can talk to any more are ended, everything else is left alone.
//!
//! Most worlds are made by a double of the CLI's habits in Python (`double.py`), which starts real
//! programs over real sockets, with the environment of each version of which that is known;
//! `real_cli.rs` has the same with the CLI itself. All are in pid namespaces of their own.

mod never;
mod real_cli;
mod servers;
mod tree;
mod zombies;

use std::cell::Cell;
use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::world::{Ran, Registry, World, alive, run, stat, wait_until};

/// The versions whose environments differ.
const VERSIONS: [&str; 4] = ["2.0.30", "2.1.100", "2.1.150", "2.1.197"];

/// No process.
const NONE: [i32; 0] = [];

/// A world with default names, and what the double starts.
struct Left {
    world: World,
    doubles: Cell<u32>,
}

/// A double that runs.
struct Double {
    pid: i32,
    session: String,
}

/// What a double starts: a server, a hook, a hook at its start, a tool.
type Start = (&'static str, &'static str);

impl Left {
    /// A world with an empty registry, and a session that keeps a tmux server alive.
    fn new() -> Left {
        let world = World::with_default_names();
        world.write_global(&Registry::default());
        world.session("work", "exec sleep 3600");
        for directory in ["double", "pids"] {
            fs::create_dir(world.path().join(directory)).unwrap();
        }
        let write = |name: &str, text: &str| fs::write(world.path().join(name), text).unwrap();
        write("double/claude", include_str!("left_behind/double.py"));
        write("server.py", include_str!("left_behind/server.py"));
        // As uvx runs uv, and that a program.
        write("run.py", "import subprocess, sys\nsys.exit(subprocess.call(sys.argv[1:]))\n");
        // As a proxy does: its child has pipes.
        write(
            "proxy.py",
            "import subprocess, sys\np = subprocess.Popen(sys.argv[1:], stdin=-1, stdout=-1)\n\
             for line in sys.stdin.buffer:\n    p.stdin.write(line)\np.wait()\n",
        );
        Left { world, doubles: Cell::new(0) }
    }

    /// The command of a double.
    fn command(&self, version: &str, start: &[Start]) -> (Command, Double, String) {
        let number = self.doubles.replace(self.doubles.get() + 1);
        let session = format!("{number:08x}-832d-4542-8d0c-1b1d0a1f7e55");
        let ready = format!("pids/double-{number}");
        let start: Vec<Value> = start
            .iter()
            .map(|(what, run)| {
                let run = match *what {
                    "tool" => vec![(*run).to_owned()],
                    _ => words(run),
                };
                json!({"what": what, "run": run})
            })
            .collect();
        let plan = json!({"version": version, "session": session, "ready": ready, "start": start});
        let mut command = self.world.command("python3");
        command.arg("double/claude").arg(plan.to_string());
        command.env("CLAUDE", self.world.executable());
        (command, Double { pid: 0, session }, ready)
    }

    /// Starts a double below the test, in a session of its own.
    fn double(&self, version: &str, start: &[Start]) -> Double {
        let (command, double, ready) = self.command(version, start);
        let mut setsid = self.world.command("setsid");
        setsid
            .arg(command.get_program())
            .args(command.get_args())
            .env("CLAUDE", self.world.executable());
        self.world.spawn(setsid);
        Double { pid: self.pid_in(&ready), ..double }
    }

    /// The pid that a process of the world has written into a file, when it stands there.
    fn pid_in(&self, file: &str) -> i32 {
        let mut pid = None;
        let read = || fs::read_to_string(self.world.path().join(file)).ok()?.trim().parse().ok();
        wait_until(
            || file,
            || {
                pid = read();
                pid.is_some()
            },
        );
        pid.unwrap()
    }

    /// The process that has announced itself under this name.
    fn pid(&self, name: &str) -> i32 {
        self.pid_in(&format!("pids/{name}"))
    }

    /// The three scans, with everything that a Claude has left.
    fn scan(&self) -> String {
        let mut lsclaude = self.world.tool("lsclaude");
        lsclaude.args(["--role", "claude,server,child"]);
        [self.world.lsagents(), self.world.lssessions(), lsclaude]
            .map(|mut lister| run(&mut lister, "").ok().out)
            .concat()
    }

    fn findings(&self, options: &[&str]) -> String {
        self.world.diff(&self.scan(), options).expect(&[0, 1]).out
    }

    /// Judges and acts.
    fn clean(&self, options: &[&str], prune: &[&str]) -> Ran {
        let findings = self.findings(options);
        let ran = self.world.prune(&findings, &[&["--yes", "--grace", "1s"], prune].concat());
        assert!(ran.code < 2, "{ran:?}");
        ran
    }

    /// Waits until these processes have been taken in by process 1.
    fn orphaned(&self, names: &[&str]) {
        for name in names {
            let pid = self.pid(name);
            wait_until(
                || format!("{name} to lose its parent"),
                || stat(pid).is_some_and(|s| s.ppid == 1),
            );
        }
    }
}

impl Double {
    fn kill(&self) {
        kill(Pid::from_raw(self.pid), Signal::SIGKILL).unwrap();
        self.gone();
    }

    /// Its normal end.
    fn end(&self) {
        kill(Pid::from_raw(self.pid), Signal::SIGUSR1).unwrap();
        self.gone();
    }

    fn gone(&self) {
        wait_until(|| "the end of the double", || !alive(self.pid));
    }
}

/// The words of a command; what is in apostrophes is one.
fn words(text: &str) -> Vec<String> {
    let parts = text.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_ascii_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

/// The pids of the findings of a kind.
fn of_kind(findings: &str, kind: &str) -> Vec<i32> {
    let records = crate::world::records(findings);
    let of_kind = records.iter().filter(|finding| finding["kind"] == kind);
    of_kind.map(|finding| finding["process"]["pid"].as_i64().unwrap() as i32).collect()
}

/// The reason of the finding of this kind about a process.
fn reason(findings: &str, kind: &str, pid: i32) -> String {
    let records = crate::world::records(findings);
    let finding =
        records.iter().find(|finding| finding["kind"] == kind && finding["process"]["pid"] == pid);
    let finding = finding.unwrap_or_else(|| panic!("no {kind} of {pid} in {}", brief(findings)));
    finding["reason"].as_str().unwrap().to_owned()
}

/// The findings as a person would note them.
fn brief(findings: &str) -> String {
    let records = crate::world::records(findings);
    let line = |finding: &Value| {
        let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        format!("\n  {} {}: {}", text("kind"), text("target"), text("reason"))
    };
    records.iter().map(line).collect()
}
