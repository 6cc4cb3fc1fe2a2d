//! Every system call of runs by root for a user.

use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use super::{CANARY, listers_for, tool_for};
use crate::world::{
    AGENTS, Entry, Registry, User, World, living, privately_with_users, run, skip, through,
};

const CALLS: &str = "trace=%file,%network,%process,kill,tkill,tgkill,pidfd_open,pidfd_send_signal,\
                     setuid,setgid,setreuid,setregid,setresuid,setresgid,setfsuid,setfsgid,\
                     setgroups,capset";

/// Runs a program under strace. Returns what it printed, and the calls of it and its
/// children, a line each, in the order in which they ended.
fn traced(command: &Command, input: &str) -> (String, Vec<String>) {
    let log = Path::new("/tmp/trace");
    let strace = ["strace", "-f", "-v", "-s", "65535", "-e", "signal=none", "-e", CALLS, "-o"];
    let wrapper: Vec<&str> = strace.into_iter().chain(["/tmp/trace", "--"]).collect();
    let ran = run(&mut through(&wrapper, command), input).expect(&[0, 1]);
    let log = fs::read(log).unwrap();
    let lines = String::from_utf8_lossy(&log).lines().map(str::to_owned).collect();
    (ran.out, lines)
}

/// Checks that nothing of a user is touched before root has become alice, that there is no
/// way back, and that bob and root's environment are left alone altogether.
fn check(name: &str, calls: &[String]) {
    let changes = Regex::new(r"setresuid\(12345, 12345, 12345\) += 0").unwrap();
    let change = calls.iter().position(|line| changes.is_match(line));
    let change = change.unwrap_or_else(|| panic!("{name}: no change\n{}", calls.join("\n")));
    // The first line is root's call of the program, with root's environment.
    let (before, after) = (&calls[1..change], &calls[change + 1..]);
    let of_users = Regex::new(r"/tmp/home|/tmp/tmux-|/proc/\d").unwrap();
    for line in before {
        assert!(!of_users.is_match(line), "{name}, before: {line}");
        assert!(!line.contains("connect(") || line.contains("nscd"), "{name}, before: {line}");
        for call in ["execve(", "kill(", "pidfd_"] {
            assert!(!line.contains(call), "{name}, before: {line}");
        }
    }
    let groups = |line: &&String| line.contains("setgroups(") || line.contains("setresgid(");
    assert_eq!(before.iter().filter(groups).count(), 2, "{name}: {before:?}");
    let changes = Regex::new(r" (set\w*[ug]id|setgroups|capset)\(").unwrap();
    let mut tries = 0;
    for line in after {
        assert!(!line.contains(CANARY), "{name}: {line}");
        assert!(!line.contains("/tmp/home/bob") && !line.contains("/tmp/tmux-12346"), "{line}");
        if changes.is_match(line) {
            assert!(line.contains(" = -1 EPERM"), "{name}: {line}");
            tries += 1;
        }
    }
    assert!(tries >= 4, "{name}: it was not tried whether it can go back");
}

#[test]
fn nothing_of_a_user_is_touched_before_root_has_become_that_user() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        if Command::new("strace").arg("--version").output().is_err() {
            return skip("the trace of runs for a user", "no strace");
        }
        let (world, other) = (World::of(&alice), World::of(&bob));
        for world in [&world, &other] {
            world.write_global(&Registry::new(AGENTS.map(Entry::new)));
        }
        let lives = [&world, &other].map(|world| world.agent_session(AGENTS[0], &[]));
        let leaks = [&world, &other].map(|world| world.leaked(&[]));
        let (mut scan, mut asked) = (String::new(), String::new());
        for (lister, name) in listers_for(&alice, &world).iter().zip(["agents", "tmux", "claude"]) {
            let (listed, calls) = traced(lister, "");
            check(name, &calls);
            scan += &listed;
            if name == "tmux" {
                asked = calls.join("\n");
            }
        }
        // It has seen what it looks for: the socket, and a tmux that asks there.
        assert!(asked.contains("connect(") && asked.contains("/tmp/tmux-12345/default"), "{asked}");
        assert!(asked.contains("HOME=/tmp/home/alice"), "{asked}");
        let mut diff = tool_for(&alice, &world, "agentdiff");
        let (findings, calls) = traced(diff.args(["--min-age", "0s"]), &scan);
        check("agentdiff", &calls);
        assert!(findings.contains("leaked_process") && findings.contains("ghost_agent"));
        let mut prune = tool_for(&alice, &world, "agentprune");
        let (actions, calls) = traced(prune.arg("--yes"), &findings);
        check("agentprune", &calls);
        assert!(actions.contains("\"result\":\"done\""), "{actions}");
        assert!(calls.iter().any(|line| line.contains("pidfd_send_signal(")));
        assert!(living(leaks[0].pid).is_none());
        assert!(living(leaks[1].pid).is_some());
        assert!(lives.iter().all(|live| living(live.claude.pid).is_some()));
        let registry = other.global_path();
        assert_eq!(fs::read_to_string(registry).unwrap().matches("\"id\"").count(), 3);
    });
}
