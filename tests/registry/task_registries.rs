//! The registries of tasks.

use std::fs;

use serde_json::Value;

use super::{diff, litter, live, world};
use crate::world::{Entry, Registry, run};

#[test]
fn h36_one_corrupt_registry_does_not_stop_the_other_49() {
    let world = world();
    world.write_global(&Registry::default());
    let paths: Vec<_> = (0..50)
        .map(|number| {
            let entries = [
                Entry::new("ghost-101010-aaaaaa").set("status", "working"),
                live("live-101010-bbbbbb"),
                Entry::new("over-101010-cccccc").set("status", "completed"),
            ];
            world.write_task(&format!("TASK-{number:02}"), &Registry::new(entries))
        })
        .collect();
    let corrupt = &paths[7];
    let text = fs::read_to_string(corrupt).unwrap();
    fs::write(corrupt, &text[..text.len() / 2]).unwrap();
    let half = fs::read(corrupt).unwrap();

    let agents = run(world.lsagents().arg("--all"), "").expect(&[2]);
    assert!(agents.err.contains(&corrupt.display().to_string()), "{}", agents.err);
    assert!(agents.err.contains("line "), "{}", agents.err);
    let scan = agents.out + &run(&mut world.lssessions(), "").ok().out;
    let findings = diff(&world, &scan).expect(&[2]);
    let pruned = world.prune(&findings.out, &["--yes"]).ok();
    assert_eq!(pruned.records().iter().filter(|r| r["result"] == "done").count(), 49);
    assert_eq!(fs::read(corrupt).unwrap(), half);
    for path in paths.iter().filter(|path| *path != corrupt) {
        let end: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let statuses: Vec<&Value> =
            end["agents"].as_array().unwrap().iter().map(|entry| &entry["status"]).collect();
        assert_eq!(statuses, ["terminated", "working", "completed"]);
        assert_eq!(end["agents"][0]["termination_reason"], "session_not_found");
        assert_eq!((&end["active_count"], &end["total_spawned"]), (&1.into(), &3.into()));
        assert_eq!(litter(path), Vec::<String>::new());
    }
}

#[test]
fn entries_of_a_task_that_share_an_id_are_left_alone() {
    let world = world();
    let twice = Entry::new("twice-101010-aaaaaa").set("status", "running");
    let entries = [
        twice.clone().set("started_at", "2025-10-28T00:00:00"),
        twice,
        Entry::new("ghost-101010-bbbbbb").set("status", "running"),
    ];
    let path = world.write_task("TASK-1", &Registry::new(entries));
    let findings = super::found(&world, &[&path]);
    let pruned = world.prune(&findings, &["--yes"]).expect(&[1]);
    let end: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let statuses: Vec<&Value> =
        end["agents"].as_array().unwrap().iter().map(|entry| &entry["status"]).collect();
    assert_eq!(statuses, ["running", "running", "terminated"], "{}", pruned.out);
    assert!(pruned.out.contains("more than one entry has this id"), "{}", pruned.out);
}
