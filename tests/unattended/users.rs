//! The loop over users: root cleans up for each of them, as that user.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use super::{agent, ids, installed, leak};
use crate::manual_recipes::recipe;
use crate::world::{Entry, Ran, Registry, World, alive, privately_with_users, records, run};

const AGENTS: [&str; 2] = ["ghost-101010-aaaaaa", "live-101010-bbbbbb"];

/// The loop of the manual, run by root; everything in a world is young.
fn for_all() -> Ran {
    let recipe = recipe("For several users");
    assert!(recipe.contains("--min-age 1m"), "{recipe}");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &recipe.replace("--min-age 1m", "--min-age 0")]).current_dir("/");
    shell.env_clear().env("HOME", "/tmp").env("PATH", "/usr/local/bin:/usr/bin:/bin");
    run(&mut shell, "")
}

/// Only root can read it.
fn roots(path: &str, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn the_loop_cleans_up_for_each_user_as_that_user() {
    privately_with_users(|[alice, bob, carol]| {
        let _roots = installed();
        // The manual names alice and bob; carol's are nobody's business.
        let worlds = [&alice, &bob, &carol].map(|user| {
            let world = World::of(user);
            symlink(".", world.path().join("project")).unwrap();
            world.write_global(&Registry::new(AGENTS.map(Entry::new)));
            user.own(&world.global_path());
            world
        });
        let live = worlds.each_ref().map(|world| agent(world, AGENTS[1]).claude.pid);
        let leaks = worlds.each_ref().map(|world| leak(world).pid);

        let ran = for_all();
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
        for (world, user) in worlds.iter().zip([&alice, &bob]) {
            assert_eq!(ids(world), [AGENTS[1]], "{user:?}");
            let log = world.path().join("agentprune.log");
            for file in [&log, &world.global_path()] {
                assert_eq!(fs::metadata(file).unwrap().uid(), user.uid, "{}", file.display());
            }
            let log = records(&fs::read_to_string(log).unwrap());
            let done = log.iter().filter(|action| action["result"] == "done").count();
            assert_eq!(done, 2, "{log:?}");
        }
        assert_eq!(ids(&worlds[2]), AGENTS);
        assert!(live.into_iter().all(alive));
        assert_eq!(leaks.map(alive), [false, false, true]);

        // Bob's registry and log lead to files of root's. Alice is cleaned up all the same.
        let registry = Registry::new(AGENTS.map(Entry::new));
        worlds[0].write_global(&registry);
        roots("/tmp/registry", &registry.global());
        roots("/tmp/log", "root's\n");
        let log = worlds[1].path().join("agentprune.log");
        for (path, target) in [(worlds[1].global_path(), "/tmp/registry"), (log, "/tmp/log")] {
            fs::remove_file(&path).unwrap();
            symlink(target, path).unwrap();
        }
        let ran = for_all();
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains("ermission denied"), "{}", ran.err);
        assert_eq!(ids(&worlds[0]), [AGENTS[1]]);
        assert_eq!(fs::read_to_string("/tmp/registry").unwrap(), registry.global());
        assert_eq!(fs::read_to_string("/tmp/log").unwrap(), "root's\n");
        assert!(live.into_iter().all(alive));
    });
}
