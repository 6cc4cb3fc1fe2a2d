//! Agent sessions in which no Claude is seen, and something works all the same.

use std::fs;

use serde_json::Value;

use crate::world::{Entry, Registry, World, living, of_kind, records, run};

#[test]
fn h27_a_renamed_claude_is_busy_and_untouched() {
    for (count, renamed) in [(1, true), (2, true), (5, true), (5, false)] {
        let world = World::new();
        // Another executable name, and another name in the kernel; or only the latter.
        let name = if renamed { "clod" } else { world.name() };
        if renamed {
            fs::hard_link(world.executable(), world.path().join("bin").join(name)).unwrap();
        }
        let ids: Vec<String> = (0..count).map(|number| format!("renamed-1-{number}")).collect();
        world.write_global(&Registry::new(ids.iter().map(|id| Entry::new(id))));
        let agents: Vec<_> = (ids.iter())
            .map(|id| {
                let command = world.agent_command(id).replace(world.name(), name);
                let comm = [("STANDIN_COMM", "MainThread")];
                world.live_session(&format!("agent_{id}"), &command, &comm)
            })
            .collect();
        let before: Vec<_> = agents.iter().map(|agent| living(agent.claude.pid)).collect();
        let findings = world.findings(&[]);
        let busy = of_kind(&findings, "busy_session");
        assert_eq!(records(&findings).len(), busy.len() + 1, "nothing else: {findings}");
        if renamed {
            assert_eq!(busy.len(), count, "{findings}");
            for finding in &busy {
                assert_eq!(finding["action"], Value::Null);
                let reason = finding["reason"].as_str().unwrap();
                assert!(reason.contains("clod") && reason.contains("MainThread"), "{reason}");
            }
        } else {
            // Its executable still says what it is.
            assert_eq!(busy.len(), 0);
        }
        let pruned = world.prune(&findings, &["--yes"]).ok();
        assert_eq!(pruned.out, "");
        let after: Vec<_> = agents.iter().map(|agent| living(agent.claude.pid)).collect();
        assert!(before == after && before.iter().all(Option::is_some), "{before:?} {after:?}");
        assert_eq!(world.session_names().len(), count);
        assert_eq!(run(&mut world.lsagents(), "").ok().records().len(), count + 2);
    }
}
