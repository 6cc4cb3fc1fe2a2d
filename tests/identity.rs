//! Hazards of identity: what is Claude, who holds it, and who therefore lives.
//!
//! What is to be left alone goes through the whole pipeline, with `--yes`, and is known
//! afterwards by pid and start time.

mod appearance;
mod held;
mod own;
mod pane;
mod reaped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::world::{Ran, Registry, World, alive, records, run, stat};

/// A world with an empty registry, and a session `work` that keeps a tmux server alive.
fn world() -> World {
    let world = World::new();
    world.write_global(&Registry::default());
    world.session("work", "exec sleep 3600");
    world
}

/// Processes that are to live.
struct Lives(Vec<(i32, u64)>);

impl Lives {
    fn of(pids: impl IntoIterator<Item = i32>) -> Lives {
        let start = |pid| stat(pid).unwrap_or_else(|| panic!("process {pid} is not there")).start;
        Lives(pids.into_iter().map(|pid| (pid, start(pid))).collect())
    }

    #[track_caller]
    fn assert_alive(&self, when: &str) {
        for &(pid, start) in &self.0 {
            let same = alive(pid) && stat(pid).is_some_and(|stat| stat.start == start);
            assert!(same, "process {pid} was to live {when}");
        }
    }
}

/// Starts a stand-in, whatever it is called, as a child of this process.
fn start(world: &World, mut command: Command) -> i32 {
    let ready = world.ready();
    command.env("STANDIN_READY", ready.directory());
    world.spawn(command);
    ready.wait().pid
}

/// Scans, judges with these options, acts; returns the findings and what was done.
fn prune(world: &World, options: &[&str]) -> (String, Ran) {
    let findings = world.findings(options);
    let ran = world.prune(&findings, &["--yes"]);
    (findings, ran)
}

/// Kind and reason of the finding about a process; there may be none.
fn judgement(findings: &str, pid: i32) -> Option<(String, String)> {
    let of_pid = |finding: &Value| finding["process"]["pid"] == pid;
    let finding = records(findings).into_iter().find(of_pid)?;
    let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    Some((text("kind"), text("reason")))
}

/// Checks kind and reason of the finding about a process. The reason may say more.
#[track_caller]
fn assert_judged(findings: &str, pid: i32, kind: &str, reason: &str) {
    let Some((its_kind, its_reason)) = judgement(findings, pid) else {
        panic!("nothing is said of process {pid}: {findings}");
    };
    assert!(its_kind == kind && its_reason.contains(reason), "{pid}: {its_kind}: {its_reason}");
}

/// The pids that `lsclaude` lists by a rule given as options; by the default rule if
/// there is none.
fn listed(world: &World, options: &[&str]) -> Vec<i32> {
    let ran = run(world.tool("lsclaude").args(options), "").ok();
    let pids = ran.records().into_iter().filter(|record| record["type"] == "process");
    pids.map(|record| record["pid"].as_i64().unwrap() as i32).collect()
}

/// The pipeline as a shell runs it: it leaves its findings in `findings`, what was done
/// in `actions`.
pub fn pipeline(world: &World, options: &str) -> String {
    format!(
        "{{ lsagents; lssessions -S '{}'; lsclaude --name {}; }} \
         | agentdiff --min-age 0s {options} | tee findings | agentprune --yes >actions 2>errors",
        world.socket().display(),
        world.name(),
    )
}

/// A shell by another name. It is a copy: by its own path it would be known as a shell.
fn shell_as(world: &World, path: &str) -> PathBuf {
    let copy = world.path().join(path);
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    run(Command::new("cp").arg("-L").arg("/bin/sh").arg(&copy), "").ok();
    copy
}

/// The stand-in by another name.
fn standin_as(world: &World, path: impl AsRef<Path>) -> PathBuf {
    let copy = world.path().join(path);
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    run(Command::new("ln").arg("-f").arg(world.executable()).arg(&copy), "").ok();
    copy
}
