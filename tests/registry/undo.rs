//! `agentprune --undo`, end to end.

use std::fs;

use serde_json::Value;

use super::{found, litter, live, mixed, world};
use crate::world::{Entry, Ran, Registry, World, run};

fn undo(world: &World, arguments: &[&str]) -> Ran {
    run(world.tool("agentprune").args(["--undo", "log"]).args(arguments), "")
}

fn results(ran: &Ran) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    ran.records().iter().map(|r| (word(&r["action"]), word(&r["result"]))).collect()
}

#[test]
fn undo_brings_back_the_bytes_that_were_there() {
    let world = world();
    let global = world.global_path();
    let before = world.write_global(&mixed(30, 3).counters(95, 15));
    let entries = [
        Entry::new("ghost-101010-aaaaaa").set("status", "working"),
        live("live-101010-bbbbbb"),
        Entry::new("ghost-101010-cccccc").set("status", "blocked").unset("last_update"),
    ];
    let task = world.write_task("TASK-1", &Registry::new(entries));
    let task_before = fs::read_to_string(&task).unwrap();

    let findings = found(&world, &[&global, &task]);
    world.prune(&findings, &["--yes", "--log", "log"]).ok();
    let pruned = fs::read_to_string(&global).unwrap();
    assert_ne!(pruned, before);
    assert_ne!(fs::read_to_string(&task).unwrap(), task_before);

    let dry = undo(&world, &[]).ok();
    assert_eq!(dry.records().len(), 32);
    assert!(results(&dry).iter().all(|r| *r == ("restore_entry".into(), "planned".into())));
    assert_eq!(fs::read_to_string(&global).unwrap(), pruned);

    let undone = undo(&world, &["--yes"]).ok();
    assert!(results(&undone).iter().all(|r| *r == ("restore_entry".into(), "done".into())));
    assert_eq!(fs::read_to_string(&global).unwrap(), before);
    assert_eq!(fs::read_to_string(&task).unwrap(), task_before);

    let again = undo(&world, &["--yes"]).expect(&[1]);
    assert_eq!(again.records().len(), 32);
    assert!(results(&again).iter().all(|r| *r == ("restore_entry".into(), "skipped".into())));
    assert_eq!(fs::read_to_string(&global).unwrap(), before);
    assert_eq!(fs::read_to_string(&task).unwrap(), task_before);
    for path in [&global, &task] {
        assert_eq!(litter(path), Vec::<String>::new());
    }
}

/// A log may hold more than one prune, and what was undone of them.
#[test]
fn undo_takes_back_what_was_done_since_the_last_undo() {
    let world = world();
    let global = world.global_path();
    let before = world.write_global(&mixed(6, 2));
    let prune = || {
        let findings = found(&world, &[&global]);
        assert_eq!(world.prune(&findings, &["--yes", "--log", "log"]).ok().records().len(), 6);
    };
    prune();
    undo(&world, &["--yes", "--log", "log"]).ok();
    assert_eq!(undo(&world, &["--yes"]).ok().records().len(), 0);
    assert_eq!(fs::read_to_string(&global).unwrap(), before);
    prune();
    assert_eq!(undo(&world, &["--yes"]).ok().records().len(), 6);
    assert_eq!(fs::read_to_string(&global).unwrap(), before);
    // This time nobody noted that it was undone.
    prune();
    let twice = undo(&world, &["--yes"]).expect(&[1]);
    assert_eq!(results(&twice).iter().filter(|r| r.1 == "done").count(), 6);
    assert_eq!(fs::read_to_string(&global).unwrap(), before);
}

#[test]
fn undo_keeps_what_others_have_written_since() {
    let world = world();
    let global = world.global_path();
    world.write_global(&mixed(4, 1));
    let findings = found(&world, &[&global]);
    world.prune(&findings, &["--yes", "--log", "log"]).ok();
    let mut now: Value = serde_json::from_slice(&fs::read(&global).unwrap()).unwrap();
    now["agents"]["new-101010-dddddd"] = serde_json::json!({"tmux_session": super::SESSION});
    now["agents"]["ghost-00002-aaaaaa"] = serde_json::json!({"status": "again"});
    now["late"] = 1.into();
    fs::write(&global, now.to_string()).unwrap();
    let undone = undo(&world, &["--yes"]).expect(&[1]);
    assert_eq!(results(&undone).iter().filter(|r| r.1 == "skipped").count(), 1);
    let end: Value = serde_json::from_slice(&fs::read(&global).unwrap()).unwrap();
    assert_eq!(end["agents"].as_object().unwrap().len(), 6);
    assert_eq!(end["agents"]["ghost-00002-aaaaaa"]["status"], "again");
    assert_eq!((&end["late"], &end["total_agents_spawned"]), (&1.into(), &6.into()));
}

#[test]
fn an_entry_that_is_marked_is_not_marked_again() {
    let world = world();
    let global = world.global_path();
    let before = world.write_global(&mixed(3, 1));
    for results in [["done"; 3], ["gone"; 3]] {
        let findings = found(&world, &[&global]);
        let marked = world.prune(&findings, &["--yes", "--ghosts", "mark", "--log", "log"]).ok();
        let became: Vec<Value> = marked.records().iter().map(|r| r["result"].clone()).collect();
        assert_eq!(became, results);
    }
    undo(&world, &["--yes"]).ok();
    assert_eq!(fs::read_to_string(&global).unwrap(), before);
}
