//! The tools run by Claude itself.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::{Lives, assert_judged, pipeline, shell_as, world};
use crate::world::{World, alive, records, wait_until};

/// What the process at the end of a line of shells does: it runs each `order` it finds.
const OBEY: &str = "
    echo $$ >obeys.pid
    while :; do
        if [ -e order ]; then
            mv order obeyed
            sh ./obeyed
            echo $? >status.new
            mv status.new status
        fi
        sleep 0.05
    done";

/// Has the process that [`OBEY`]s run a command; returns its exit status and the action
/// records it has left.
fn order(world: &World, command: &str) -> (i32, Vec<Value>) {
    let file = |name: &str| world.path().join(name);
    fs::write(file("order.new"), command).unwrap();
    fs::rename(file("order.new"), file("order")).unwrap();
    let mut status = None;
    wait_until(
        || format!("`{command}` to end"),
        || {
            status = fs::read_to_string(file("status")).ok();
            status.is_some()
        },
    );
    fs::remove_file(file("status")).unwrap();
    let actions = fs::read_to_string(file("actions")).unwrap();
    (status.unwrap().trim().parse().unwrap(), records(&actions))
}

fn pid_in(world: &World, file: &str) -> i32 {
    let mut pid = None;
    wait_until(
        || format!("a pid in {file}"),
        || {
            let text = fs::read_to_string(world.path().join(file)).unwrap_or_default();
            pid = text.strip_suffix('\n').map(|text| text.parse().unwrap());
            pid.is_some()
        },
    );
    pid.unwrap()
}

/// Scripts for a Claude that is the copy of a shell: `outer.sh` runs another Claude, that
/// one a shell, which obeys.
fn scripts(world: &World) -> String {
    let shell = shell_as(world, &format!("shell/{}", world.name()));
    let shell = shell.to_str().unwrap();
    let write = |name: &str, text: &str| fs::write(world.path().join(name), text).unwrap();
    write("obey.sh", OBEY);
    write("inner.sh", "echo $$ >inner.pid; sh ./obey.sh; exit\n");
    write("outer.sh", &format!("echo $$ >outer.pid; {shell} ./inner.sh; exit\n"));
    shell.to_owned()
}

/// Starts a command in a session of its own, in the sense of setsid(2), without parent,
/// terminal and output.
fn detached(world: &World, program: &str, arguments: &[&str]) {
    let mut setsid = world.command("setsid");
    setsid.arg("--fork").arg(program).args(arguments);
    setsid.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(setsid.status().unwrap().success());
}

/// Claude that is a leak for everybody but itself: `start` begins the line of it.
/// `premise`: options with which it is one.
fn outside_tmux(start: &str, claudes: &[&str], premise: &[&str]) {
    let world = world();
    let shell = scripts(&world);
    detached(&world, &shell, &[start]);
    let obeys = pid_in(&world, "obeys.pid");
    let claudes: Vec<i32> = claudes.iter().map(|file| pid_in(&world, file)).collect();
    let lives = Lives::of(claudes.iter().copied().chain([obeys]));
    for options in ["", "--outside-tmux --busy"] {
        let leaked = world.leaked(&[]).pid;
        let (status, actions) = order(&world, &pipeline(&world, options));
        lives.assert_alive(&format!("outside tmux, with {options:?}"));
        let findings = fs::read_to_string(world.path().join("findings")).unwrap();
        for claude in &claudes {
            assert_judged(&findings, *claude, "untracked_process", "it runs this command");
        }
        assert!(!alive(leaked), "it does kill");
        assert_eq!((status, actions.len()), (0, 1), "{actions:?}");
    }
    // For somebody else it is a leak. It is Claude that acts on what he has found.
    let findings = world.findings(premise);
    for claude in &claudes {
        assert_judged(&findings, *claude, "leaked_process", "");
    }
    fs::write(world.path().join("findings"), &findings).unwrap();
    let (status, actions) = order(&world, "agentprune --yes findings >actions 2>errors");
    lives.assert_alive("as the subject of findings");
    assert_eq!((status, actions.len()), (1, claudes.len()), "{actions:?}");
    for action in actions {
        let it = (&action["result"], action["reason"].as_str().unwrap());
        assert_eq!(it, (&"skipped".into(), "it is held now: it runs this command"));
    }
    world.prune(&findings, &["--yes"]).ok();
    assert!(!claudes.iter().any(|&pid| alive(pid)), "nothing else has held it");
}

/// A Claude in an agent's session.
fn in_tmux() {
    let world = world();
    let shell = scripts(&world);
    let pane = world.session("agent_own-1-1", &format!("{shell} ./outer.sh; exit"));
    let line = ["outer.pid", "inner.pid", "obeys.pid"].map(|file| pid_in(&world, file));
    let lives = Lives::of(line.into_iter().chain([pane]));
    let sessions = world.session_names();
    for options in ["", "--outside-tmux --busy"] {
        let leaked = world.leaked(&[]).pid;
        let (status, actions) = order(&world, &pipeline(&world, options));
        lives.assert_alive(&format!("in tmux, with {options:?}"));
        assert_eq!(world.session_names(), sessions);
        assert!(!alive(leaked), "it does kill");
        assert_eq!((status, actions.len()), (0, 1), "{actions:?}");
    }
}

/// An agent's session in which nothing is known as Claude, and in or from which the
/// tools run: `start` is what its pane runs.
fn own_session(start: &str, options: &str) {
    let world = world();
    scripts(&world);
    let pane = world.session("agent_own-1-1", start);
    let other = world.session("agent_other-1-1", "exec sleep 3600");
    // No entry names them.
    let options = &format!("{options} --unregistered");
    let lives = Lives::of([pid_in(&world, "obeys.pid"), pane]);
    wait_until(|| "the other pane", || super::stat(other).is_some_and(|s| s.name == "sleep"));
    let (status, actions) = order(&world, &pipeline(&world, options));
    lives.assert_alive(&format!("when {start:?}"));
    assert_eq!(world.session_names(), ["agent_own-1-1", "work"]);
    let result = |session: &str| {
        let target = format!("session {session}");
        let action = actions.iter().find(|action| action["target"] == target);
        action.map(|a| format!("{}: {}", a["result"], a["reason"]))
    };
    assert_eq!(result("agent_other-1-1").unwrap(), r#""done": "session ended""#);
    assert_eq!(result("agent_own-1-1").unwrap(), r#""refused": "this command runs in it""#);
    assert_eq!((status, actions.len()), (1, 2), "{actions:?}");
}

#[test]
fn h12_the_tools_never_end_who_runs_them() {
    outside_tmux("./inner.sh", &["inner.pid"], &[]);
    outside_tmux("./outer.sh", &["outer.pid", "inner.pid"], &["--outside-tmux"]);
    in_tmux();
    own_session("sh ./obey.sh; exit", "--busy");
    own_session("env -u TMUX -u TMUX_PANE sh ./obey.sh; exit", "--busy");
    // What remains in the pane waits; what works has left its line, but came from there.
    own_session("setsid --fork sh ./obey.sh </dev/null >/dev/null 2>&1; exec sleep 3600", "");
}
