//! Claude returns to a zombie session while others are ended.

use std::thread;

use crate::world::{Entry, Registry, World, living, of_kind, records, run, wait_until};

/// Ending them takes long enough for something to happen meanwhile.
const COUNT: usize = 300;

#[test]
fn h47_each_of_many_zombies_is_judged_right_before_its_own_end() {
    let world = World::new();
    let ids: Vec<String> = (0..COUNT).map(|number| format!("zombie-{number:03}")).collect();
    world.write_global(&Registry::new(ids.iter().map(|id| Entry::new(id))));
    for id in &ids {
        world.session(&format!("agent_{id}"), "exec sleep 3600");
    }
    let mut findings = String::new();
    wait_until(
        || "the zombies",
        || {
            findings = world.findings(&["-Q", ".kind == \"zombie_session\""]);
            of_kind(&findings, "zombie_session").len() == COUNT
        },
    );
    let last = format!("agent_{}", ids[COUNT - 1]);
    let target = format!("={last}:");
    let ready = world.ready();
    let mut prune = world.tool("agentprune");
    let (ran, claude) = thread::scope(|scope| {
        let findings = &findings;
        let running = scope.spawn(move || run(prune.arg("--yes"), findings));
        wait_until(|| "the first ends", || world.session_names().len() < COUNT);
        // The pane keeps its id.
        let variable = format!("STANDIN_READY={}", ready.directory().display());
        let command = format!("exec {} --print x", world.name());
        world.tmux(&["respawn-pane", "-k", "-t", &target, "-e", &variable, &command]).ok();
        let claude = ready.wait().pid;
        (running.join().expect("agentprune"), claude)
    });
    let actions = records(&ran.out);
    assert_eq!((ran.code, actions.len()), (1, COUNT), "{}", ran.err);
    for action in &actions {
        let is_last = action["target"] == format!("session {last}");
        let expected = if is_last { "skipped" } else { "done" };
        assert_eq!(action["result"], expected, "{action}");
        assert!(!is_last || action["reason"] == "Claude runs in it", "{action}");
    }
    assert_eq!(world.session_names(), [last]);
    assert!(living(claude).is_some());
}

#[test]
fn h47_a_pane_that_was_respawned_at_the_last_moment_is_another() {
    let world = World::new();
    world.write_global(&Registry::new([Entry::new("last-1-2")]));
    world.session("agent_last-1-2", "exec sleep 3600");
    let findings = world.findings_with_zombies(&[], 1);
    let change = "respawn-pane -k -t =agent_last-1-2: 'exec sleep 3600'";
    let ran = world.prune_while(&findings, change).expect(&[1]);
    let actions = records(&ran.out);
    let action = actions.iter().find(|a| a["target"] == "session agent_last-1-2").unwrap();
    assert_eq!(action["result"], "skipped", "{action}");
    assert!(action["reason"].as_str().unwrap().contains("changed at the last moment"), "{action}");
    assert_eq!(world.session_names(), ["agent_last-1-2"]);
    // Nothing else has kept it.
    world.prune(&world.findings(&[]), &["--yes"]).ok();
    assert_eq!(world.session_names(), [""; 0]);
}
