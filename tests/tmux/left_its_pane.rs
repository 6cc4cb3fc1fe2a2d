//! A Claude that has left the pane in which it was started.

use crate::world::{Entry, Registry, World, living, of_kind, wait_until};

/// An agent session with bash at its prompt, from which a Claude was started that is in a
/// session of its own now, without a terminal, its parent gone.
fn detached(world: &World, id: &str) -> (i32, i32) {
    let session = format!("agent_{id}");
    let pane = world.session(&session, "exec bash --norc --noprofile");
    let ready = world.ready();
    let line = format!(
        "STANDIN_READY='{}' setsid --fork {} --print x </dev/null >/dev/null 2>&1",
        ready.directory().display(),
        world.name(),
    );
    world.tmux(&["send-keys", "-t", &format!("={session}:"), &line, "Enter"]).ok();
    (pane, ready.wait().pid)
}

#[test]
fn h46_a_claude_that_has_left_its_pane_keeps_the_session() {
    let world = World::new();
    if world.reads_ps() {
        // ps does not show where a process was started.
        return;
    }
    world.write_global(&Registry::new(["left-1-1", "linked-1-1"].map(Entry::new)));
    let (pane, claude) = detached(&world, "left-1-1");
    // A second session with the same window.
    world.session("agent_linked-1-1", "exec sleep 3600");
    world.tmux(&["link-window", "-k", "-s", "=agent_left-1-1:0", "-t", "=agent_linked-1-1:0"]).ok();
    let before = [pane, claude].map(living);
    for _ in 0..2 {
        let findings = world.findings(&[]);
        assert_eq!(of_kind(&findings, "zombie_session").len(), 0, "{findings}");
        let held = of_kind(&findings, "untracked_process");
        assert_eq!(held[0]["process"]["pid"], claude, "{findings}");
        world.prune(&findings, &["--yes"]).ok();
        assert_eq!([pane, claude].map(living), before);
        assert_eq!(world.session_names(), ["agent_left-1-1", "agent_linked-1-1"]);
    }
    // Between the scan and the action it starts: then it is there when it is judged again.
    world.tmux(&["unlink-window", "-t", "=agent_linked-1-1:0"]);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(claude), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    let mut findings = String::new();
    wait_until(
        || "the zombie",
        || {
            findings = world.findings(&[]);
            of_kind(&findings, "zombie_session")
                .iter()
                .any(|f| f["target"] == "session agent_left-1-1")
        },
    );
    let ready = world.ready();
    let line = format!(
        "STANDIN_READY='{}' setsid --fork {} --print x </dev/null >/dev/null 2>&1",
        ready.directory().display(),
        world.name(),
    );
    world.tmux(&["send-keys", "-t", "=agent_left-1-1:", &line, "Enter"]).ok();
    let again = ready.wait().pid;
    let ran = world.prune(&findings, &["--yes"]).expect(&[1]);
    assert!(ran.out.contains("Claude runs in it"), "{}", ran.out);
    assert!(living(again).is_some() && living(pane) == before[0]);
}
