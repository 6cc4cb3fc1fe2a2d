//! Two programs at once on the same findings, and the same findings again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;

use serde_json::Value;

use crate::world::{Entry, Ran, Registry, World, records, run};

/// A world with three leaks, one of which ignores SIGTERM, a zombie session and a ghost.
fn world_with_leftovers(with_others: bool) -> (World, String) {
    let world = World::new();
    let entries = ["ghost-101010-aaaaaa", "zombie-101010-bbbbbb", "live-101010-cccccc"];
    world.write_global(&Registry::new(entries.map(Entry::new)).counters(7, 7));
    world.session("agent_zombie-101010-bbbbbb", "sleep 3600");
    if with_others {
        world.agent_session("live-101010-cccccc", &[]);
    }
    for ignored in ["TERM", "", ""] {
        world.leaked(&[("STANDIN_IGNORE", ignored)]);
    }
    let findings = world.findings_with_zombies(&[], 1);
    (world, findings)
}

#[test]
fn h25_two_runs_at_once_and_a_second_run_do_each_thing_once() {
    for round in 0..6 {
        // Where the zombie session is the only one, the server ends with it.
        let (world, findings) = world_with_leftovers(round % 2 == 0);
        let twice = format!("{findings}{findings}");
        let input = if round < 4 { &findings } else { &twice };
        let mut both = [world.tool("agentprune"), world.tool("agentprune")];
        let ran = thread::scope(|scope| {
            let started = both.each_mut().map(|command| {
                command.args(["--yes", "--grace", "1s"]);
                scope.spawn(move || run(command, input))
            });
            started.map(|thread| thread.join().unwrap().ok())
        });
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        let mut targets = BTreeSet::new();
        for action in ran.iter().flat_map(Ran::records) {
            let text = |field: &str| action[field].as_str().unwrap().to_owned();
            let result = text("result");
            assert!(["done", "gone"].contains(&result.as_str()), "round {round}: {action}");
            targets.insert(text("target"));
            if result == "done" {
                *done.entry(text("target")).or_default() += 1;
            }
        }
        let judged = records(&findings);
        let judged = judged.iter().filter(|finding| !finding["action"].is_null());
        let judged: BTreeSet<String> =
            judged.map(|finding| finding["target"].as_str().unwrap().to_owned()).collect();
        assert_eq!(targets, judged);
        assert_eq!(done.keys().cloned().collect::<BTreeSet<_>>(), judged, "round {round}");
        for (target, count) in done {
            // A process or session that both have told to end, both have ended.
            assert!(count == 1 || !target.starts_with("agent "), "{target}: done {count} times");
        }
        let registry = fs::read(world.global_path()).unwrap();
        let again = world.prune(input, &["--yes"]).ok();
        assert!(again.records().iter().all(|action| action["result"] == "gone"), "{}", again.out);
        assert_eq!(fs::read(world.global_path()).unwrap(), registry);
        let parsed: Value = serde_json::from_slice(&registry).unwrap();
        let left = if round % 2 == 0 { 1 } else { 0 };
        assert_eq!(parsed["agents"].as_object().unwrap().len(), left);
        assert_eq!(parsed["total_agents_spawned"], left);
    }
}
