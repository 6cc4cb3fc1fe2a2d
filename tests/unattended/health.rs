//! The health check: what is wrong, and what cannot be known, by its exit status.

use std::fs;

use super::{agent, by_hand, installed};
use crate::manual_recipes::recipes;
use crate::world::{Entry, Registry, privately};

const AGENTS: [&str; 2] = ["live-101010-aaaaaa", "ghost-101010-bbbbbb"];

#[test]
fn the_health_check_tells_fine_from_drift_from_unknown() {
    privately(|| {
        let world = installed();
        let [check, plugin] = &recipes("A health check")[..] else { panic!("two recipes") };
        agent(&world, AGENTS[0]);
        let plugin_path = world.path().join("plugin");
        fs::write(&plugin_path, plugin).unwrap();
        let plugin = format!("sh '{}'", plugin_path.display());
        let tells = |what: &str, status: i32, nagios: i32, word: &str| {
            let ran = by_hand(&world, check, &[]);
            assert_eq!((ran.code, ran.out.as_str()), (status, ""), "{what}: {}", ran.err);
            let ran = by_hand(&world, &plugin, &[]);
            assert_eq!(ran.code, nagios, "{what}: {}", ran.err);
            assert!(ran.out.starts_with(word) && ran.out.lines().count() == 1, "{what}: {ran:?}");
        };

        world.write_global(&Registry::new([Entry::new(AGENTS[0])]));
        tells("an agent at work", 0, 0, "OK: ");
        world.write_global(&Registry::new(AGENTS.map(Entry::new)));
        tells("a ghost", 1, 1, "WARNING: ");

        // A lister that fails, and those that are not there.
        let registry = fs::read(world.global_path()).unwrap();
        fs::write(world.global_path(), &registry[..registry.len() / 2]).unwrap();
        tells("a torn registry", 2, 3, "UNKNOWN: ");
        world.write_global(&Registry::new([Entry::new(AGENTS[0])]));
        tells("a whole one again", 0, 0, "OK: ");
        for missing in ["lsagents", "lssessions", "lsclaude", "agentdiff"] {
            let renamed = |text: &str| text.replace(missing, &format!("{missing}-not-there"));
            let ran = by_hand(&world, &renamed(check), &[]);
            let codes = if missing == "agentdiff" { 127 } else { 2 };
            assert_eq!((ran.code, ran.out.as_str()), (codes, ""), "{missing}: {}", ran.err);
            fs::write(&plugin_path, renamed(&recipes("A health check")[1])).unwrap();
            let ran = by_hand(&world, &plugin, &[]);
            assert_eq!((ran.code, ran.out.as_str()), (3, "UNKNOWN: could not scan\n"), "{missing}");
        }
    });
}
