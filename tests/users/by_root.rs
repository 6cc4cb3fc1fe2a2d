//! Root, in the workspace of somebody else.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{by_root, executable, listers_for, tool, tool_for};
use crate::world::{
    AGENTS, Entry, Live, Registry, User, World, living, of_kind, privately_with_users, records,
    run, wait_until,
};

const SCRIPTS: [(&str, &str); 2] = [
    ("cleanup_leaked_agents.sh", include_str!("../../tools/cleanup_leaked_agents.sh")),
    ("verify_cleanup.sh", include_str!("../../tools/verify_cleanup.sh")),
];

/// A live agent, a ghost, and an agent whose session is a zombie.
fn furnish(world: &World) -> Live {
    world.write_global(&Registry::new(AGENTS.map(Entry::new)));
    let live = world.agent_session(AGENTS[0], &[]);
    world.session(&format!("agent_{}", AGENTS[2]), "sleep 3600");
    live
}

/// What is found and said once there are so many zombies: a session is none until its shell
/// runs what it was started with, and for the scripts until it is old enough.
fn findings(
    world: &World,
    all: impl Fn() -> [Command; 3],
    min_age: &str,
    zombies: usize,
) -> (String, String) {
    let mut judged = None;
    wait_until(
        || "the zombie",
        || {
            let scan = all().map(|mut lister| run(&mut lister, "").ok().out).concat();
            let mut diff = tool(world, "agentdiff");
            let ran = run(diff.args(["--min-age", min_age]), &scan);
            let found = of_kind(&ran.out, "zombie_session").len() == zombies;
            judged = Some((ran.out, ran.err));
            found
        },
    );
    judged.unwrap()
}

#[test]
fn h34_root_without_a_user_concludes_nothing_about_another_users_agents() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        let live = furnish(&world);
        let before = living(live.claude.pid).expect("the agent");
        let registry = fs::read(world.global_path()).unwrap();
        let all = || {
            let mut listers = ["lsagents", "lssessions", "lsclaude"].map(|name| tool(&world, name));
            listers[0].arg("--workspace").arg(world.path());
            listers
        };
        let scan = all().map(|mut lister| run(&mut lister, "").ok().out).concat();
        let mut diff = tool(&world, "agentdiff");
        let judged = run(diff.args(["--min-age", "0s"]), &scan);
        assert!(records(&judged.out).iter().all(|record| record["action"].is_null()));
        assert!(judged.err.contains("--user 12345"), "{}", judged.err);
        let mut prune = tool(&world, "agentprune");
        run(prune.arg("--yes"), &judged.out);
        assert_eq!(living(live.claude.pid), Some(before));
        assert_eq!(fs::read(world.global_path()).unwrap(), registry);

        // The command that is named works.
        let (found, notes) = findings(&world, || listers_for(&alice, &world), "0s", 1);
        assert_eq!(of_kind(&found, "ghost_agent").len(), 2, "{found}{notes}");
        let mut prune = tool_for(&alice, &world, "agentprune");
        run(prune.arg("--yes"), &found).ok();
        assert_eq!(living(live.claude.pid), Some(before));
        assert_eq!(world.session_names(), [live.session]);
        let entries = run(&mut world.lsagents(), "").ok().records();
        assert_eq!(entries[0]["id"], AGENTS[0]);
        assert_eq!(entries.len(), 3, "{entries:?}");
        use std::os::unix::fs::MetadataExt;
        for file in fs::read_dir(world.global_path().parent().unwrap()).unwrap().flatten() {
            assert_eq!(file.metadata().unwrap().uid(), alice.uid, "{file:?}");
        }
    });
}

#[test]
fn h34_roots_script_does_it_as_the_owner_of_the_workspace() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        let live = furnish(&world);
        findings(&world, || listers_for(&alice, &world), "2s", 1);
        let script = |name: &str| {
            let (_, text) = SCRIPTS.iter().find(|(script, _)| *script == name).unwrap();
            by_root(&world, executable(&Path::new("/opt/scripts").join(name), text))
        };
        let says = "belongs to uid 12345; running as that user";
        let inside = world.path().join("src/deep");
        fs::create_dir_all(&inside).unwrap();
        // Where the workspace is, is said in every way that there is.
        let own = world.path().to_str().unwrap();
        for (variable, option, directory) in [
            (None, Some(own), Path::new("/")),
            (Some(own), None, Path::new("/")),
            (None, None, inside.as_path()),
        ] {
            let mut verify = script("verify_cleanup.sh");
            verify.current_dir(directory).env_remove("CLAUDE_ORCHESTRATOR_WORKSPACE");
            verify.envs(variable.map(|path| ("CLAUDE_ORCHESTRATOR_WORKSPACE", path)));
            verify.args(option.iter().flat_map(|path| ["--workspace", path]));
            let ran = run(&mut verify, "").expect(&[1]);
            assert!(ran.err.contains(says), "{}", ran.err);
            assert!(ran.out.contains("Ghost agents in registry: 2"), "{}", ran.out);
            assert!(ran.out.contains("Tmux sessions active: 2"), "{}", ran.out);
        }
        let mut clean = script("cleanup_leaked_agents.sh");
        let ran = run(clean.args(["--yes", "--workspace", own]), "").ok();
        assert!(ran.err.contains(says), "{}", ran.err);
        let before = living(live.claude.pid).expect("the agent lives");
        assert_eq!(before.0, live.claude.pid);
        assert_eq!(world.session_names(), [live.session]);
        // Given by name, it is not said.
        let mut verify = script("verify_cleanup.sh");
        let ran = run(verify.args(["--user", "alice", "--workspace", own]), "").ok();
        assert!(!ran.err.contains(says), "{}", ran.err);
    });
}
