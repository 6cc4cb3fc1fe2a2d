//! Agent sessions that no entry names: those of other projects.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::world::{Entry, Ran, Registry, World, alive, living, of_kind, run, wait_until};

const OTHER: &str = "agent_other-1-1";

/// A world whose registry has one agent, at work, and a session of another project.
fn world() -> (World, i32) {
    let world = World::new();
    world.write_global(&Registry::new([Entry::new("own-1-1")]));
    world.agent_session("own-1-1", &[]);
    let pane = world.session(OTHER, "exec sleep 3600");
    wait_until(
        || "the other session",
        || of_kind(&world.findings(&["--unregistered"]), "zombie_session").len() == 1,
    );
    (world, pane)
}

/// A directory with a tmux that says of every session that it was last active so many seconds
/// earlier: nobody wants to wait ten minutes.
fn aged(world: &World, seconds: u32) -> PathBuf {
    let directory = world.path().join(format!("aged-{seconds}"));
    fs::create_dir(&directory).unwrap();
    let text = format!(
        "#!/bin/sh\nPATH=${{PATH#*:}}\ncase \"$*\" in\n\
         *list-panes*) tmux \"$@\" | awk -F '\\t' -v OFS='\\t' \
         '{{ $4 -= {seconds}; $8 -= {seconds}; print }}' ;;\n*) exec tmux \"$@\" ;;\nesac\n",
    );
    fs::write(directory.join("tmux"), text).unwrap();
    fs::set_permissions(directory.join("tmux"), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// Runs a command with that tmux.
fn run_aged(command: &mut Command, directory: &Path, input: &str) -> Ran {
    let path = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
    let mut with_wrapper = directory.as_os_str().to_owned();
    with_wrapper.push(":");
    with_wrapper.push(path);
    run(command.env("PATH", with_wrapper), input)
}

#[test]
fn h53_another_projects_idle_session_is_left_alone_and_named() {
    let (world, pane) = world();
    let before = living(pane);
    let findings = world.findings(&[]);
    assert_eq!(of_kind(&findings, "zombie_session").len(), 0, "{findings}");
    let [recent] = &of_kind(&findings, "recent_session")[..] else { panic!("{findings}") };
    assert_eq!(recent["action"], Value::Null);
    let reason = recent["reason"].as_str().unwrap();
    assert!(reason.contains("no entry names it and it was active at 20"), "{reason}");
    world.prune(&findings, &["--yes"]).ok();
    assert_eq!(living(pane), before);

    let verified = run(&mut world.script("verify_cleanup.sh"), "").expect(&[2]).out;
    for unknown in ["No zombie sessions", "Registry and tmux sessions synchronized"] {
        assert!(verified.contains(&format!("? UNKNOWN: {unknown}")), "{verified}");
    }
    assert!(verified.contains(&format!("session {OTHER}")), "{verified}");
    assert!(verified.contains("a zombie from 20"), "{verified}");
    let mut cleanup = world.script("cleanup_leaked_agents.sh");
    let cleaned = run(cleanup.arg("--yes"), "").expect(&[0, 1]).out;
    assert!(cleaned.contains(OTHER) && cleaned.contains("yet"), "{cleaned}");
    assert_eq!(living(pane), before);

    // Somebody says that it is to be ended.
    wait_until(
        || "the zombie, which is too young at first",
        || {
            let mut verify = world.script("verify_cleanup.sh");
            let verified = run(verify.arg("--unregistered"), "").expect(&[0, 1]).out;
            verified.contains("FAIL: Zombie sessions: 1")
        },
    );
    let mut cleanup = world.script("cleanup_leaked_agents.sh");
    run(cleanup.args(["--yes", "--unregistered"]), "").ok();
    assert_eq!(world.session_names(), ["agent_own-1-1"]);
    let verified = run(&mut world.script("verify_cleanup.sh"), "").ok().out;
    assert!(!verified.contains("UNKNOWN"), "{verified}");
}

#[test]
fn h53_a_registry_that_names_it_or_ten_idle_minutes_make_it_a_zombie() {
    let (world, pane) = world();
    let listed = |seconds: u32| {
        let mut lister = world.lssessions();
        let sessions = run_aged(&mut lister, &aged(&world, seconds), "").ok().out;
        let others = [world.lsagents(), world.lsclaude()].map(|mut l| run(&mut l, "").ok().out);
        others.concat() + &sessions
    };
    let almost = world.diff(&listed(540), &[]).ok().out;
    assert_eq!(of_kind(&almost, "recent_session").len(), 1, "{almost}");
    let idle = world.diff(&listed(660), &[]).expect(&[1]).out;
    let zombies = of_kind(&idle, "zombie_session");
    assert_eq!(zombies[0]["session"]["name"], OTHER, "{idle}");
    // It has been active since the scan.
    let ran = world.prune(&idle, &["--yes"]).expect(&[1]);
    assert!(ran.out.contains("no entry names it and it was active at"), "{}", ran.out);
    assert!(alive(pane));
    // It is still idle.
    let mut prune = world.tool("agentprune");
    run_aged(prune.arg("--yes"), &world.path().join("aged-660"), &idle).ok();
    assert_eq!(world.session_names(), ["agent_own-1-1"]);

    // An entry of a registry that was read.
    world.session(OTHER, "exec sleep 3600");
    world.write_global(&Registry::new(["own-1-1", "other-1-1"].map(Entry::new)));
    let mut findings = String::new();
    wait_until(
        || "the zombie",
        || {
            findings = world.findings(&["-Q", ".kind == \"zombie_session\""]);
            of_kind(&findings, "zombie_session").len() == 1
        },
    );
    assert_eq!(of_kind(&findings, "zombie_session")[0]["agent"]["id"], "other-1-1");
    // Renamed since, it is not the one that the entry names.
    world.tmux(&["rename-session", "-t", &format!("={OTHER}"), "agent_another"]).ok();
    let ran = world.prune(&findings, &["--yes"]).expect(&[1]);
    assert!(ran.out.contains("no entry names it"), "{}", ran.out);
    world.tmux(&["rename-session", "-t", "=agent_another", OTHER]).ok();
    world.prune(&findings, &["--yes"]).ok();
    assert_eq!(world.session_names(), ["agent_own-1-1"]);
}

#[test]
fn output_of_a_window_is_activity_of_its_session() {
    let world = World::new();
    run(world.command("mkfifo").arg("fifo"), "").ok();
    world.session("agent_prints", "read -r x <fifo; echo hello; exec sleep 3600");
    let activity = || {
        let listed = run(&mut world.lssessions(), "").ok().records();
        listed[0]["activity"].as_str().unwrap().to_owned()
    };
    let before = activity();
    // tmux counts in seconds.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    fs::write(world.path().join("fifo"), "go\n").unwrap();
    wait_until(|| "later activity", || activity() > before);
}
