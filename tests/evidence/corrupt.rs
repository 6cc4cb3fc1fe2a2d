//! One registry that cannot be read, among many that can.

use std::fs;

use crate::world::{Entry, Registry, World, of_kind, records, run};

#[test]
fn h36_one_corrupt_registry_withholds_its_own_conclusions_only() {
    let world = World::new();
    let live = world.agent_session("live-1-2", &[]);
    world.write_global(&Registry::new([Entry::new("live-1-2")]));
    let task = |number: u32| format!("TASK-20251029-2324{number:02}-abcdef");
    let mut paths: Vec<_> = (0..50)
        .map(|number| {
            let entries = ["running", "completed"]
                .map(|status| Entry::new(&format!("{status}-{number}-2")).set("status", status));
            world.write_task(&task(number), &Registry::new(entries))
        })
        .collect();
    let corrupt = paths.remove(23);
    let text = fs::read_to_string(&corrupt).unwrap();
    fs::write(&corrupt, &text[..text.len() / 2]).unwrap();
    let name = corrupt.to_str().unwrap();

    let listed = run(world.lsagents().arg("--all"), "").expect(&[2]);
    assert!(listed.err.contains(&format!("{name}: line ")), "{}", listed.err);
    let end = listed.records().pop().unwrap();
    assert_eq!((&end["of"], &end["complete"]), (&"agents".into(), &false.into()));
    assert!(end["error"].as_str().unwrap().contains(name), "{end}");
    let registries = listed.records().iter().filter(|r| r["type"] == "registry").count();
    assert_eq!(registries, 50, "the global one and 49");

    let others = [world.lssessions(), world.lsclaude()].map(|mut l| run(&mut l, "").ok().out);
    let judged = world.diff(&(listed.out + &others.concat()), &[]).expect(&[2]);
    assert!(judged.err.contains(name), "{}", judged.err);
    let ghosts = of_kind(&judged.out, "ghost_agent");
    assert_eq!(ghosts.len(), 49, "{}", judged.out);
    for (path, number) in paths.iter().zip((0..50).filter(|number| *number != 23)) {
        let id = format!("running-{number}-2");
        let ghost = ghosts.iter().find(|ghost| ghost["agent"]["id"] == id.as_str()).expect(&id);
        assert_eq!(ghost["action"], "terminate_entry");
        assert_eq!(ghost["agent"]["registry"], path.to_str().unwrap());
    }
    // That nobody names a session cannot be said.
    world.agent_session("perhaps-1-2", &[]);
    let listed = run(world.lsagents().arg("--all"), "").expect(&[2]).out;
    let others = [world.lssessions(), world.lsclaude()].map(|mut l| run(&mut l, "").ok().out);
    let again = world.diff(&(listed + &others.concat()), &[]).expect(&[2]);
    assert!(of_kind(&again.out, "orphan_session").is_empty(), "{}", again.out);
    let why = "1 agent session that no entry names not judged: the scan of agents is incomplete";
    assert!(again.err.contains(why), "{}", again.err);
    assert_eq!(records(&again.out).len(), 50, "the ghosts and the end");
    assert!(crate::world::alive(live.claude.pid));
}
