//! A service and a timer of a user's service manager: a real one, in namespaces and a
//! control group of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{agent, ids, installed, leak};
use crate::evidence::earlier;
use crate::manual_recipes::recipes;
use crate::world::{
    Entry, Ran, Registry, World, alive, hierarchies, living, of_kind, privately, records, run,
    skip, wait_until,
};

const AGENTS: [&str; 2] = ["ghost-101010-aaaaaa", "live-101010-bbbbbb"];

/// Units by their names in the manual's order: service and timer.
const UNITS: [&str; 2] = ["agentprune.service", "agentprune.timer"];

/// Enters the control group `$1` and becomes the manager `$2`. It runs only where the
/// system manager seems to be systemd.
const START: &str = r#"
set -eu
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
mkdir -m 700 /run/manager
echo $$ >"$1/cgroup.procs"
exec "$2" --user --log-target=null
"#;

/// A user's service manager; it ends with this, and its control groups go.
struct Manager {
    group: PathBuf,
    pid: i32,
}

impl Manager {
    fn start(world: &World) -> Result<Manager, String> {
        let programs = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
        let program = programs.into_iter().find(|path| Path::new(path).exists());
        let program = program.ok_or("no systemd")?;
        let name = format!("agentutils-manager-{}", world.name());
        let groups = hierarchies()?.into_iter().map(|directory| directory.join(&name));
        let group = groups.into_iter().find(|group| fs::create_dir(group).is_ok());
        let group = group.ok_or("no control group can be made")?;
        let mut shell = world.command("sh");
        shell.args(["-c", START, "sh"]).arg(&group).arg(program);
        shell.env("XDG_RUNTIME_DIR", "/run/manager");
        let manager = Manager { group, pid: world.spawn(shell) };
        let deadline = Instant::now() + Duration::from_secs(60);
        while alive(manager.pid) && Instant::now() < deadline {
            if manager.systemctl(world, &["is-system-running"]).out.trim() == "running" {
                return Ok(manager);
            }
            thread::sleep(Duration::from_millis(100));
        }
        let said = manager.systemctl(world, &["is-system-running"]);
        Err(format!("the manager does not come up: {said:?}"))
    }

    /// A command of the user whose manager it is.
    fn command(&self, world: &World, program: &str, arguments: &[&str]) -> Ran {
        let mut command = world.command(program);
        command.args(arguments).env("XDG_RUNTIME_DIR", "/run/manager");
        run(&mut command, "")
    }

    fn systemctl(&self, world: &World, arguments: &[&str]) -> Ran {
        self.command(world, "systemctl", &[&["--user"], arguments].concat())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        for _ in 0..100 {
            let _ = fs::write(self.group.join("cgroup.kill"), "1");
            remove(&self.group);
            if !self.group.exists() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Removes a control group and those in it, and ends what is still in them.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in members.lines().filter_map(|line| line.parse().ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = fs::remove_dir(group);
}

/// Writes the units of the manual where the manual says.
fn units(directory: &Path) -> [PathBuf; 2] {
    let [service, timer, _] = &recipes("With systemd")[..] else { panic!("three recipes") };
    fs::create_dir_all(directory).unwrap();
    let written = UNITS.map(|name| directory.join(name));
    fs::write(&written[0], service).unwrap();
    fs::write(&written[1], timer).unwrap();
    written
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let there = Command::new("systemd-analyze").arg("--version").output();
    if !there.is_ok_and(|ran| ran.status.success()) {
        return skip("systemd_finds_nothing_wrong_with_the_units", "no systemd-analyze");
    }
    let world = World::new();
    let directory = world.path().join(".config/systemd/user");
    let [service, timer] = units(&directory);
    let verify = || {
        let mut command = world.command("systemd-analyze");
        command.args(["verify", "--user"]).args([&service, &timer]);
        run(command.env("XDG_RUNTIME_DIR", world.path()), "")
    };
    let ran = verify();
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    // It would report a mistake.
    let wrong = recipes("With systemd")[0].replace("oneshot", "onshot");
    fs::write(&service, wrong).unwrap();
    assert!(verify().err.contains("service type"), "{:?}", verify());
}

#[test]
fn the_service_cleans_up_and_holds_what_it_has_started() {
    privately(|| {
        let world = installed();
        world.write_global(&Registry::new(AGENTS.map(Entry::new)));
        let live = agent(&world, AGENTS[1]);
        let leaked = leak(&world);
        let manager = match Manager::start(&world) {
            Ok(manager) => manager,
            Err(reason) => {
                let name =
                    "unattended::systemd::the_service_cleans_up_and_holds_what_it_has_started";
                return skip(name, &reason);
            }
        };
        units(&world.path().join(".config/systemd/user"));
        for line in recipes("With systemd")[2].lines() {
            manager.command(&world, "sh", &["-c", line]).ok();
        }
        let next = ["show", "agentprune.timer", "-P", "NextElapseUSecRealtime"];
        let next = manager.systemctl(&world, &next).ok().out;
        assert!(next.trim().ends_with("UTC") && next.contains("0:00"), "when: {next}");

        // A Claude that runs as a service, beside the leak.
        let ready = world.ready();
        let directory = format!("--setenv=STANDIN_READY={}", ready.directory().display());
        let mark = format!("--setenv=STANDIN_WORLD={}", world.path().display());
        let path = "--setenv=PATH=/usr/local/bin:/usr/bin:/bin";
        let unit = ["--user", "--unit=worker", "--property=Type=exec", &directory, &mark, path];
        let unit = [&unit[..], &["claude", "--print", "work"]].concat();
        manager.command(&world, "systemd-run", &unit).ok();
        let worker = ready.wait().pid;
        let judged = judged_now(&world, "--min-age 0");
        let [held] = &of_kind(&judged, "untracked_process")[..] else { panic!("{judged}") };
        assert_eq!(held["process"]["pid"], worker);
        assert!(held["reason"].as_str().unwrap().contains("service worker.service"), "{held}");
        assert_eq!(of_kind(&judged, "leaked_process").len(), 1, "{judged}");

        let others = [live.pane, live.claude.pid, leaked.pid, worker].map(living);
        // The first run only looks; the second is ten minutes later.
        manager.systemctl(&world, &["start", UNITS[0]]).ok();
        assert_eq!(ids(&world), AGENTS);
        let last = world.path().join("agentdiff.last");
        fs::write(&last, earlier(&fs::read_to_string(&last).unwrap(), 600)).unwrap();
        manager.systemctl(&world, &["start", UNITS[0]]).ok();
        assert_eq!(ids(&world), [AGENTS[1]]);
        let log = fs::read_to_string(world.path().join("agentprune.log")).unwrap();
        let done = records(&log).iter().filter(|action| action["result"] == "done").count();
        assert_eq!(done, 1, "{log}");
        // The leak is too young: that is judged by a later run.
        assert_eq!([live.pane, live.claude.pid, leaked.pid, worker].map(living), others);

        // A run that fails is shown as failed.
        let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
        let server = Pid::from_raw(server.trim().parse().unwrap());
        kill(server, Signal::SIGSTOP).unwrap();
        let failed = manager.systemctl(&world, &["start", UNITS[0]]);
        kill(server, Signal::SIGCONT).unwrap();
        assert_ne!(failed.code, 0, "{failed:?}");
        let failed = manager.systemctl(&world, &["--failed", "--plain", "--no-legend"]).ok().out;
        assert!(failed.starts_with(UNITS[0]), "{failed}");
        assert!(others.iter().flatten().all(|&(pid, _)| alive(pid)));
        wait_until(|| "tmux to go on", || world.session_names().len() == 1);
    });
}

/// The findings of the pipeline on the whole machine, with this option for agentdiff.
fn judged_now(world: &World, option: &str) -> String {
    let pipeline = format!(
        "{{ lsagents --all --workspace project; lssessions; lsclaude; }} | agentdiff {option}"
    );
    super::by_hand(world, &pipeline, &[]).expect(&[0, 1]).out
}
