//! A user who cannot see what the agents' owner has running: then nothing is known.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::executable;
use crate::world::{
    AGENTS, Entry, Live, Ran, Registry, User, World, living, of_kind, privately_with_users, run,
};

const SCRIPTS: [(&str, &str); 2] = [
    ("cleanup_leaked_agents.sh", include_str!("../../tools/cleanup_leaked_agents.sh")),
    ("verify_cleanup.sh", include_str!("../../tools/verify_cleanup.sh")),
];

/// A script, run by this user on the workspace of a world.
fn script(user: &User, world: &World, name: &str, options: &[&str]) -> Ran {
    let (_, text) = SCRIPTS.iter().find(|(script, _)| *script == name).unwrap();
    let path = executable(&Path::new("/opt/scripts").join(name), text);
    let mut command = Command::new(path);
    command.current_dir("/").env_clear();
    for (variable, value) in world.command("true").get_envs() {
        command.env(variable, value.unwrap_or_default());
    }
    user.run(command.arg("--workspace").arg(world.path()).args(options), "")
}

/// A live agent and two ghosts, in a workspace that others may read.
fn furnish(world: &World) -> Live {
    world.write_global(&Registry::new(AGENTS.map(Entry::new)));
    for directory in [world.path(), world.global_path().parent().unwrap()] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
    world.agent_session(AGENTS[0], &[])
}

fn assert_unknown(user: &User, world: &World, checks: &[&str]) {
    let ran = script(user, world, "verify_cleanup.sh", &[]).expect(&[2]);
    for check in checks {
        assert!(ran.out.contains(&format!("? UNKNOWN: {check} (")), "{check}: {}", ran.out);
    }
    let before = fs::read(world.global_path()).unwrap();
    let ran = script(user, world, "cleanup_leaked_agents.sh", &["--yes"]).expect(&[2]);
    assert!(!ran.out.contains("Nothing to clean up"), "{}{}", ran.out, ran.err);
    assert_eq!(fs::read(world.global_path()).unwrap(), before);
}

const ABOUT_ENTRIES: [&str; 2] =
    ["Registry and tmux sessions synchronized", "No ghost agents in registry"];

#[test]
fn h55_a_stranger_in_the_workspace_learns_nothing_and_is_told_so() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        let world = World::of(&alice);
        let live = furnish(&world);
        let all = ["Active agent count matches reality", "No leaked Claude processes"];
        let all = [&ABOUT_ENTRIES[..], &all, &["No zombie sessions"]].concat();
        for hides in [false, true] {
            if hides {
                hide_processes();
            }
            assert_unknown(&bob, &world, &all);
            let ran = script(&bob, &world, "verify_cleanup.sh", &[]);
            assert!(!ran.out.contains("PASS"), "{}", ran.out);
            assert!(ran.out.contains("owned by uid 12345"), "{}", ran.out);
        }
        // Alice sees everything that is hers, but not whether somebody else works here.
        assert_unknown(&alice, &world, &ABOUT_ENTRIES);
        let ran = script(&alice, &world, "verify_cleanup.sh", &["--ignore-unasked"]).expect(&[1]);
        assert!(ran.out.contains("FAIL: Ghost agents in registry: 2"), "{}", ran.out);
        assert!(living(live.claude.pid).is_some());
    });
}

fn hide_processes() {
    run(Command::new("mount").args(["-o", "remount,hidepid=2", "/proc"]), "").ok();
}

#[test]
fn h55_no_ghosts_in_a_shared_registry_while_other_users_are_hidden() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        // The registry is Bob's and everybody may write it; the agents in it are Alice's.
        let bobs = World::of(&bob);
        bobs.write_global(&Registry::new(AGENTS.map(Entry::new)));
        let alices = World::of(&alice);
        let live = AGENTS.map(|id| alices.agent_session(id, &[]).claude.pid);
        let file = bobs.global_path();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        let scan = || {
            let listers = [bobs.lsagents(), bobs.tool("lssessions"), bobs.lsclaude()];
            listers.map(|lister| bob.run(&lister, "").ok().out).concat()
        };
        let judged = |options: &[&str]| {
            let mut diff = bobs.tool("agentdiff");
            diff.args(options);
            bob.run(&diff, &scan())
        };
        // Her server is seen, and that it has Claude.
        let ran = judged(&[]).expect(&[2]);
        assert!(ran.err.contains("of uid 12345 was not asked"), "{}", ran.err);
        let earlier = judged(&["--ignore-unasked"]).expect(&[1]).out;
        let earlier = earlier.replace(r#""ignore_unasked":true"#, r#""ignore_unasked":false"#);
        assert_eq!(of_kind(&earlier, "ghost_agent").len(), 3, "{earlier}");

        hide_processes();
        let ran = judged(&[]).expect(&[2]);
        assert!(ran.err.contains("processes of other users are hidden"), "{}", ran.err);
        assert_eq!(of_kind(&ran.out, "ghost_agent").len(), 0, "{}", ran.out);
        assert_unknown(&bob, &bobs, &ABOUT_ENTRIES);
        // Nor at the moment of acting.
        let before = fs::read(&file).unwrap();
        let ran = bob.run(bobs.tool("agentprune").arg("--yes"), &earlier).expect(&[1]);
        for action in ran.records() {
            assert_eq!(action["result"], "skipped", "{action}");
            assert!(action["reason"].as_str().unwrap().contains("are hidden"), "{action}");
        }
        assert_eq!(fs::read(&file).unwrap(), before);
        // His word is enough.
        assert_eq!(of_kind(&judged(&["--ignore-unasked"]).out, "ghost_agent").len(), 3);
        assert!(live.into_iter().all(|pid| living(pid).is_some()));
    });
}
