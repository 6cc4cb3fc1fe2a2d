//! Run by somebody else than the user whose agents these are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use crate::world::{Ran, World, alive, privately, run, skip, through};

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
        drop(world);
        the_stranger_on_roots();
        a_server_that_was_named_wrong();
    });
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
        assert_eq!(sessions_end["uid"], json!(OWNER));
        assert_eq!(sessions_end["count"], u64::from(own));
        let scan = [agents.out, sessions.out, processes.out].concat();
        let judged = world.diff(&scan, &[]).expect(&[2]);
        let [end] = &judged.records()[..] else { panic!("{}", judged.out) };
        assert_eq!(end["complete"], false);
        let why = "3 agents not judged: owned by uid 0, and the scan is for uid 12345";
        assert!(judged.err.contains(why), "{}", judged.err);
        assert!(judged.err.contains("2 processes not judged"), "{}", judged.err);
    }
    // With -S he is told whose it is.
    let listed = as_owner(&world.lssessions(), "").expect(&[2]);
    assert!(listed.err.contains("the socket belongs to uid 0"), "{}", listed.err);

    // Root's findings in his hands are not his to act on.
    let mut prune = world.tool("agentprune");
    prune.arg("--yes");
    let scan = all(&world).map(|mut lister| run(&mut lister, "").ok().out).concat();
    let of_all_servers = world.diff(&scan, &[]).expect(&[1]).out;
    for findings in [&sample.findings, &of_all_servers] {
        let ran = as_owner(&prune, findings).expect(&[1]);
        let actions = ran.records();
        assert_eq!(actions.len(), 4, "{}", ran.out);
        for action in actions {
            assert_eq!(action["result"], "refused", "{action}");
            let reason = action["reason"].as_str().unwrap();
            assert!(reason.starts_with("found for uid 0, this run is for uid 12345"), "{action}");
        }
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
