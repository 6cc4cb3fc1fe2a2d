//! Who holds a Claude whose parent is gone, and what is a leak although much of its line lives.
//!
//! Each world goes through the whole pipeline, with `--yes`. What holds is a real program: an init
//! of a container, a debugger, a supervisor, a terminal.

mod background;
mod chains;
mod containers;
mod firm;
mod gone;
mod installations;
mod true_positives;
mod used;

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::world::{Ready, Registry, World, alive, records, run, skip, stat, wait_until};

/// A world with an empty registry, and a session `work` that keeps a tmux server alive.
fn world() -> World {
    let world = World::new();
    world.write_global(&Registry::default());
    world.session("work", "exec sleep 3600");
    world
}

/// A shell with this script, in which `$CLAUDE` is the stand-in that announces itself in `ready`.
fn shell(world: &World, ready: &Ready, script: &str) -> Command {
    let mut shell = world.command("bash");
    shell.args(["-c", script]).env("CLAUDE", world.name()).env("STANDIN_READY", ready.directory());
    shell
}

/// Runs a script in a session of its own, with nothing on its standard streams, and waits for the
/// stand-in that it starts or becomes.
fn detached(world: &World, script: &str) -> i32 {
    let ready = world.ready();
    let shell = shell(world, &ready, script);
    let mut setsid = world.command("setsid");
    setsid.arg("--fork").arg(shell.get_program()).args(shell.get_args());
    setsid.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
    setsid.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(setsid.status().unwrap().success(), "{script}");
    ready.wait().pid
}

/// Starts a Python program that lives on, and waits for the stand-in that it starts. Its function
/// `claude(**options)` starts that as an orphan, as `subprocess.Popen` with these options would.
fn python(world: &World, program: &str) -> (i32, i32) {
    const PRELUDE: &str = "
import os, signal, socket, subprocess, sys, time
def claude(prepare=lambda: None, **options):
    for stream in ['stdin', 'stdout', 'stderr']:
        options.setdefault(stream, subprocess.DEVNULL)
    if os.fork() == 0:
        subprocess.Popen([os.environ['CLAUDE'], '--print', 'x'], start_new_session=True, **options)
        os._exit(0)
    os.wait()
";
    let ready = world.ready();
    let mut python = world.command("python3");
    python.arg("-c").arg(format!("{PRELUDE}{program}\ntime.sleep(3600)\n"));
    python.env("CLAUDE", world.name()).env("STANDIN_READY", ready.directory());
    let program = world.spawn(python);
    let claude = ready.wait().pid;
    wait_until(|| "a new parent", || stat(claude).is_some_and(|stat| stat.ppid != program));
    (program, claude)
}

/// Whether a program is installed; where it is not, says that the test skips it.
fn has(test: &str, program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let has = env::split_paths(&path).any(|directory| directory.join(program).exists());
    if !has {
        skip(test, &format!("{program} is not installed"));
    }
    has
}

/// Ends a process that a test has started, and waits until it is gone.
fn end(pid: i32) {
    // It may have ended by itself meanwhile.
    run(Command::new("kill").args(["-KILL", &pid.to_string()]), "");
    wait_until(|| format!("{pid} to end"), || !alive(pid));
}

/// The pid that stands in a file of the world, when it does.
fn pid_in(world: &World, name: &str) -> i32 {
    let mut pid = None;
    let read = || fs::read_to_string(world.path().join(name)).ok()?.trim().parse().ok();
    wait_until(
        || name,
        || {
            pid = read();
            pid.is_some()
        },
    );
    pid.unwrap()
}

/// Starts a stand-in as an orphan by `script`, which starts a child by the command `child`;
/// returns both.
fn parent_and_child(world: &World, script: &str, child: &str) -> (i32, i32) {
    let ready = world.ready();
    fs::write(
        world.path().join("bear.sh"),
        format!("STANDIN_READY='{}' {child} &\n", ready.directory().display()),
    )
    .unwrap();
    let parent = detached(world, &format!("export STANDIN_REAPS='. ./bear.sh'; {script}"));
    let child = ready.wait().pid;
    wait_until(|| "its parent", || stat(child).is_some_and(|stat| stat.ppid == parent));
    (parent, child)
}

/// Kind and reason of the finding about a process.
fn judged(findings: &str, pid: i32) -> (String, String) {
    let of_pid = |finding: &Value| finding["process"]["pid"] == pid;
    let all = records(findings);
    let finding = all.iter().find(|finding| of_pid(finding));
    let finding = finding.unwrap_or_else(|| panic!("nothing is said of {pid}: {findings}"));
    let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    (text("kind"), text("reason"))
}

/// Checks that a process is held, and that the reason says this, and that it outlives the
/// pipeline.
#[track_caller]
fn assert_held(world: &World, options: &[&str], pid: i32, says: &str) {
    let findings = world.findings(options);
    let (kind, reason) = judged(&findings, pid);
    assert!(kind == "untracked_process" && reason.contains(says), "{says}: {kind}: {reason}");
    world.prune(&findings, &["--yes"]).ok();
    assert!(alive(pid), "{reason}");
}

/// Checks that a process is a leak, and that the pipeline ends it.
#[track_caller]
fn assert_leak(world: &World, options: &[&str], pid: i32, what: &str) {
    let findings = world.findings(options);
    let (kind, reason) = judged(&findings, pid);
    assert_eq!(kind, "leaked_process", "{what}: {reason}");
    let ran = world.prune(&findings, &["--yes"]);
    assert!(ran.code == 0 && !alive(pid), "{what}: {ran:?}");
}
