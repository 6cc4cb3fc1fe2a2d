//! Pid namespaces with an init of their own, and control groups.

use std::fs;
use std::thread;
use std::time::Duration;

use super::{assert_held, assert_leak, detached, has, judged, world};
use crate::world::{ControlGroup, World, alive, run, skip, stat, wait_until};

/// A pid namespace, as that of a container, whose process 1 is a real program. It ends with the
/// world.
struct Container<'w> {
    world: &'w World,
    /// Process 1, as it is seen from outside.
    init: i32,
}

impl<'w> Container<'w> {
    /// Runs this command as process 1.
    ///
    /// # Errors
    /// A sentence that says why that is not permitted here.
    fn new(world: &'w World, command: &[&str]) -> Result<Self, String> {
        let unshare = || {
            let mut unshare = world.command("unshare");
            unshare.args((!nix::unistd::geteuid().is_root()).then_some("--map-root-user"));
            unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
            unshare
        };
        let permitted = run(unshare().arg("true"), "");
        if permitted.code != 0 {
            return Err(format!("no pid namespace: {}", permitted.err.trim()));
        }
        let mut unshare = unshare();
        unshare.args(command);
        let outside = world.spawn(unshare);
        let mut init = None;
        wait_until(
            || "process 1",
            || {
                init =
                    child_of(outside).filter(|pid| stat(*pid).is_some_and(|s| s.name != "unshare"));
                init.is_some()
            },
        );
        Ok(Container { world, init: init.unwrap() })
    }

    /// Runs a script in it.
    fn run(&self, script: &str) -> String {
        let mut nsenter = self.world.command("nsenter");
        if !nix::unistd::geteuid().is_root() {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        let script = format!("cd '{}' && {{ {script}\n}}", self.world.path().display());
        nsenter.args(["--target", &self.init.to_string(), "--pid", "--mount", "sh", "-c", &script]);
        run(&mut nsenter, "").ok().out
    }

    /// Starts a stand-in in it by a script, in which it is `$CLAUDE`; returns its pid there.
    fn start(&self, script: &str) -> i32 {
        let ready = self.world.ready();
        let directory = ready.directory().display();
        let name = self.world.name();
        self.run(&format!(
            "export CLAUDE={name} STANDIN_READY='{directory}'; {script} </dev/null >/dev/null 2>&1"
        ));
        ready.wait().pid
    }

    /// Runs the pipeline in it, with a tmux server of its own; returns the findings.
    fn prune(&self) -> String {
        let socket = self.world.path().join("inner");
        let pipeline = super::super::identity::pipeline(self.world, "")
            .replace(&self.world.socket().display().to_string(), &socket.display().to_string());
        let tmux = format!("tmux -f /dev/null -S '{}'", socket.display());
        self.run(&format!(
            "{tmux} has-session 2>/dev/null || {tmux} new-session -d 'exec sleep 3600'\n{pipeline}"
        ));
        fs::read_to_string(self.world.path().join("findings")).unwrap()
    }

    /// Whether a process with this pid lives in it.
    fn has(&self, pid: i32) -> bool {
        self.run(&format!("grep -q '^State:.*[RSD] ' /proc/{pid}/status && echo yes || :"))
            == "yes\n"
    }
}

fn child_of(parent: i32) -> Option<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| stat(*pid).is_some_and(|stat| stat.ppid == parent))
}

/// An orphan: what started it is dead, and the leader of its session too.
const ORPHAN: &str = "setsid sh -c '$CLAUDE --print x & :'";

#[track_caller]
fn assert_spared(container: &Container<'_>, held: &[i32], says: &str) {
    // The first-born is told from others by its start, in ticks of 10 ms.
    thread::sleep(Duration::from_millis(30));
    let orphan = container.start(ORPHAN);
    let findings = container.prune();
    for pid in held {
        let (kind, reason) = judged(&findings, *pid);
        assert!(reason.starts_with("process 1 ("), "{reason}");
        assert!(kind == "untracked_process" && reason.contains(says), "{says}: {kind}: {reason}");
        assert!(container.has(*pid), "{reason}");
    }
    if says.contains("python3") {
        // It may have started that one too.
        return assert_eq!(judged(&findings, orphan).0, "untracked_process");
    }
    let (kind, reason) = judged(&findings, orphan);
    assert_eq!(kind, "leaked_process", "{says}: {reason}");
    assert!(!container.has(orphan), "{says}");
}

#[test]
fn h45_the_first_born_of_the_init_of_a_container_is_its_command() {
    const NAME: &str = "h45_the_first_born_of_the_init_of_a_container_is_its_command";
    // dumb-init gives its command a session of its own.
    for init in [&["dumb-init"][..], &["tini", "-g", "--"], &["catatonit", "--"]] {
        if !has(NAME, init[0]) {
            continue;
        }
        let world = world();
        let ready = world.ready();
        let directory = format!("STANDIN_READY={}", ready.directory().display());
        let command = ["env", &directory, world.name(), "--print", "x"];
        match Container::new(&world, &[init, &command].concat()) {
            Ok(container) => {
                let first = ready.wait().pid;
                assert_spared(&container, &[first], &format!("({} ", init[0]));
            }
            Err(reason) => return skip(NAME, &reason),
        }
    }
}

#[test]
fn h45_process_1_that_is_the_orchestrator_may_have_started_it() {
    const ORCHESTRATOR: &str = "
import os, subprocess, time
null = dict.fromkeys(['stdin', 'stdout', 'stderr'], subprocess.DEVNULL)
child = subprocess.Popen([os.environ['CLAUDE'], '--print', 'x'], start_new_session=True, **null)
time.sleep(3600)
";
    let world = world();
    let ready = world.ready();
    let directory = format!("STANDIN_READY={}", ready.directory().display());
    let name = format!("CLAUDE={}", world.name());
    let command = ["env", &directory, &name, "python3", "-c", ORCHESTRATOR];
    match Container::new(&world, &command) {
        Ok(container) => {
            let agent = ready.wait().pid;
            assert_spared(&container, &[agent], "bin/python3 -c");
        }
        Err(reason) => skip("h45_process_1_that_is_the_orchestrator_may_have_started_it", &reason),
    }
}

#[test]
fn h71_what_a_shell_as_process_1_has_started_is_no_orphan() {
    let world = world();
    let ready = world.ready();
    let script = format!(
        "export STANDIN_READY='{}'\nsetsid {} --print x </dev/null >/dev/null 2>&1 &\nwait\n",
        ready.directory().display(),
        world.name()
    );
    fs::write(world.path().join("start.sh"), script).unwrap();
    let start = world.path().join("start.sh").display().to_string();
    match Container::new(&world, &["bash", &start]) {
        Ok(container) => {
            let agent = ready.wait().pid;
            assert_spared(&container, &[agent], "(bash ");
        }
        Err(reason) => skip("h71_what_a_shell_as_process_1_has_started_is_no_orphan", &reason),
    }
}

#[test]
fn h49_scopes_and_containers_hold_by_their_control_group() {
    let world = world();
    for (path, says) in [
        ("run-r{}.scope", "scope run-r"),
        ("docker-{}0a1b.scope", "scope docker-"),
        ("libpod-{}0a1b.scope/container", "scope libpod-"),
        ("kubepods/pod{}", "scope kubepods/pod"),
        ("lxc.payload.{}", "scope lxc.payload."),
        ("agents-{}.service", "service agents-"),
    ] {
        let claude = detached(&world, "exec $CLAUDE --print x");
        let taken = ControlGroup::new(path).and_then(|group| {
            group.take(claude).map_err(|error| error.to_string())?;
            Ok(group)
        });
        let group = match taken {
            Ok(group) => group,
            Err(reason) => {
                return skip("h49_scopes_and_containers_hold_by_their_control_group", &reason);
            }
        };
        assert_held(&world, &[], claude, says);
        super::end(claude);
        drop(group);
    }
    for path in ["app-terminal-{}.scope", "session-{}.scope", "tmux-spawn-{}.scope"] {
        let claude = detached(&world, "exec $CLAUDE --print x");
        let group = ControlGroup::new(path).unwrap();
        group.take(claude).unwrap();
        assert_leak(&world, &[], claude, path);
        assert!(!alive(claude));
    }
}
