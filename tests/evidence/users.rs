//! Run by somebody else than the user whose agents these are.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{
    AGENTS, Entry, Ran, Registry, World, alive, living, of_kind, privately, records, run, skip,
    through, wait_until,
};

const OWNER: u32 = 12345;

const AS_OWNER: [&str; 6] = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"];

/// What a tool says to uid 12345.
fn as_owner(command: &Command, input: &str) -> Ran {
    run(&mut through(&AS_OWNER, command), input)
}

fn all(world: &World) -> [Command; 3] {
    [world.lsagents(), world.tool("lssessions"), world.lsclaude()]
}

#[test]
fn h34_another_user_sees_no_ghosts_among_the_living() {
    privately(|| {
        let world = World::new();
        if as_owner(&world.command("true"), "").code != 0 {
            return skip("h34", "setpriv is not permitted");
        }
        root_for_the_owner(&world);
        drop(world);
        the_stranger_on_roots();
        a_server_that_was_named_wrong();
    });
}

/// Registry and tmux server are uid 12345's; root, through sudo, cleans up.
fn root_for_the_owner(world: &World) {
    let tmpdir = world.path().join("owner");
    for folder in ["", "ready", "logs", ".agent-workspace", ".agent-workspace/registry"] {
        let folder = world.path().join(folder);
        chown(&folder, Some(OWNER), Some(OWNER)).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::create_dir(&tmpdir).unwrap();
    chown(&tmpdir, Some(OWNER), Some(OWNER)).unwrap();
    world.write_global(&Registry::new(AGENTS.map(Entry::new)));
    chown(world.global_path(), Some(OWNER), Some(OWNER)).unwrap();
    let start = |id: &str, command: &str| {
        let ready = world.ready();
        chown(ready.directory(), Some(OWNER), Some(OWNER)).unwrap();
        let mut tmux = world.command("tmux");
        tmux.env("TMUX_TMPDIR", &tmpdir).args(["-f", "/dev/null", "new-session", "-d"]);
        tmux.arg("-e").arg(format!("STANDIN_READY={}", ready.directory().display()));
        as_owner(tmux.args(["-s", &format!("agent_{id}"), command]), "").ok();
        ready
    };
    let live = start(AGENTS[0], &world.agent_command(AGENTS[0])).wait();
    start(AGENTS[2], "sleep 3600");
    // Root has a server too, in which there is nothing of this.
    world.session("mine", "sleep 3600");

    let mut findings = String::new();
    wait_until(
        || "the owner's zombie",
        || {
            let scan = all(world).map(|mut lister| run(&mut lister, "").ok().out).concat();
            assert!(scan.contains("\"uids\":\"all\""), "{scan}");
            findings = world.diff(&scan, &[]).expect(&[1]).out;
            of_kind(&findings, "zombie_session").len() == 1
        },
    );
    let ghosts = of_kind(&findings, "ghost_agent");
    let mut ids: Vec<_> = ghosts.iter().map(|ghost| ghost["agent"]["id"].clone()).collect();
    ids.sort_by_key(Value::to_string);
    assert_eq!(ids, [json!(AGENTS[1]), json!(AGENTS[2])]);
    assert_eq!(records(&findings).len(), 4, "{findings}");
    let session = &of_kind(&findings, "zombie_session")[0]["session"];
    assert_eq!(session["uid"], OWNER);

    let before = living(live.pid).expect("the agent");
    world.prune(&findings, &["--yes"]).ok();
    assert_eq!(living(live.pid), Some(before));
    let listed = run(&mut world.tool("lssessions"), "").ok().records();
    let names: Vec<_> = listed.iter().filter_map(|session| session["name"].as_str()).collect();
    assert!(names.contains(&"mine") && names.contains(&&*format!("agent_{}", AGENTS[0])));
    assert_eq!(names.len(), 2);
    let metadata = fs::metadata(world.global_path()).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (OWNER, OWNER));
    // The owner comes to the same conclusion.
    let [agents, mut sessions, processes] = all(world);
    sessions.env("TMUX_TMPDIR", &tmpdir);
    let scan = [agents, sessions, processes].map(|lister| as_owner(&lister, "").ok().out);
    let judged = world.diff(&scan.concat(), &[]).ok();
    assert_eq!(judged.records().len(), 1, "{}", judged.out);
    assert_eq!(judged.err, "");
    let registry = run(&mut world.lsagents(), "").ok().records();
    assert_eq!(registry[0]["id"], AGENTS[0]);
}

/// Registry, server and processes are root's; uid 12345 may read the registry.
fn the_stranger_on_roots() {
    let world = World::new();
    let sample = world.sample();
    for (path, mode) in [
        (world.path().to_owned(), 0o755),
        (world.global_path(), 0o666),
        (world.path().join("tmux"), 0o1777),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    // He has no server, or one of his own.
    for own in [false, true] {
        if own {
            let mut tmux = world.command("tmux");
            tmux.args(["-f", "/dev/null", "new-session", "-d", "-s", "his", "sleep 3600"]);
            as_owner(&tmux, "").ok();
        }
        let [agents, sessions, processes] = all(&world).map(|lister| as_owner(&lister, "").ok());
        let sessions_end = sessions.records().pop().unwrap();
        assert_eq!(sessions_end["uids"], json!([OWNER]));
        assert_eq!(sessions_end["count"], u64::from(own));
        let scan = [agents.out, sessions.out, processes.out].concat();
        let judged = world.diff(&scan, &[]).ok();
        let [end] = &judged.records()[..] else { panic!("{}", judged.out) };
        assert_eq!(end["complete"], true);
        let why = "3 agents not judged: the sessions of uid 0 were not looked at";
        assert!(judged.err.contains(why), "{}", judged.err);
        assert!(judged.err.contains("2 processes not judged"), "{}", judged.err);
    }
    // With -S he is told that he may not.
    let listed = as_owner(&world.lssessions(), "").expect(&[2]);
    assert!(listed.err.contains("Permission denied"), "{}", listed.err);

    // Root's findings in his hands: he cannot look again, so he may not act.
    let mut prune = world.tool("agentprune");
    prune.arg("--yes");
    let ran = as_owner(&prune, &sample.findings).expect(&[2]);
    assert!(ran.err.contains("Permission denied"), "{}", ran.err);
    let scan = all(&world).map(|mut lister| run(&mut lister, "").ok().out).concat();
    let findings = world.diff(&scan, &[]).expect(&[1]).out;
    let ran = as_owner(&prune, &findings).expect(&[1]);
    let actions = ran.records();
    assert_eq!(actions.len(), 4, "{}", ran.out);
    for action in actions {
        assert_eq!(action["result"], "refused", "{action}");
        assert!(action["reason"].as_str().unwrap().contains("uid 0"), "{action}");
    }
    world.assert_untouched(&sample, "a stranger");
    assert!(alive(sample.leaked.pid));
}

/// A typo in `-S` or `-L`.
fn a_server_that_was_named_wrong() {
    let world = World::new();
    let sample = world.sample();
    let socket = world.socket().to_str().unwrap();
    let typo = format!("{socket}s");
    let long = format!("/tmp/{}", "x".repeat(200));
    for wrong in [
        &["-S", &typo][..],
        &["-S", socket, "-S", &typo],
        &["-S", "socket/"],
        &["-S", "/dev/null"],
        &["-S", &long],
        &["-L", "typo"],
    ] {
        let mut lister = world.tool("lssessions");
        let listed = run(lister.args(wrong), "").expect(&[2]);
        let end = listed.records().pop().expect("an end");
        assert_eq!(end["complete"], false, "{wrong:?}");
        assert!(!listed.err.is_empty(), "{wrong:?}");
        let others = [world.lsagents(), world.lsclaude()].map(|mut l| run(&mut l, "").ok().out);
        let judged = world.diff(&(listed.out + &others.concat()), &[]).expect(&[2]);
        assert_eq!(judged.records().len(), 1, "{wrong:?}: {}", judged.out);
        world.prune(&judged.out, &["--yes"]).expect(&[2]);
    }
    world.assert_untouched(&sample, "a typo");
}
