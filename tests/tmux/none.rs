//! No server: zero sessions, and that is known.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::world::{Entry, Registry, World, of_kind, privately, run};

const LOCALES: [&str; 6] = ["", "C", "POSIX", "C.UTF-8", "de_DE.UTF-8", "ja_JP.eucJP"];

/// What lssessions says about all servers, in every locale.
fn is_zero(world: &World, what: &str) {
    for locale in LOCALES {
        let mut lister = world.tool("lssessions");
        lister.env_remove("LANG");
        if !locale.is_empty() {
            lister.env("LC_ALL", locale).env("LANGUAGE", "de");
        }
        let listed = run(&mut lister, "").ok();
        let [end] = &listed.records()[..] else { panic!("{what}, {locale}: {}", listed.out) };
        assert_eq!(
            [&end["type"], &end["complete"], &end["filtered"], &end["count"], &end["servers"]],
            [&json!("end"), &json!(true), &json!(false), &json!(0), &json!("all")],
            "{what}, {locale}"
        );
        assert_eq!(end["error"], json!(null), "{what}, {locale}");
        assert_eq!(listed.err, "", "{what}, {locale}");
    }
}

#[test]
fn h06_no_server_is_zero_sessions_and_complete() {
    privately(|| {
        let world = World::new();
        is_zero(&world, "never started");

        let directory = world.path().join(format!("tmux/tmux-{}", nix::unistd::getuid()));
        DirBuilder::new().mode(0o700).create(&directory).unwrap();
        is_zero(&world, "an empty directory");
        // Dropped, it leaves its file behind, with nobody who listens.
        drop(UnixListener::bind(directory.join("default")).unwrap());
        assert!(directory.join("default").exists());
        fs::write(directory.join("notes"), "no socket").unwrap();
        is_zero(&world, "a stale socket");

        for _ in 0..5 {
            world.session("agent_a", "sleep 3600");
            assert_eq!(run(&mut world.tool("lssessions"), "").ok().records().len(), 2);
            world.tmux(&["kill-server"]).ok();
            // It may still be about to end.
            let listed = run(&mut world.tool("lssessions"), "").ok();
            assert_eq!(listed.records().len(), 1, "{}", listed.out);
        }
        is_zero(&world, "just ended");

        // A server without a session is one all the same.
        world.tmux(&["start-server", ";", "set", "-g", "exit-empty", "off"]).ok();
        let listed = run(&mut world.tool("lssessions"), "").ok().records();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0]["sockets"], json!([world.socket()]));
        world.tmux(&["kill-server"]).ok();

        world.write_global(&Registry::new(["a-1-2", "b-1-2"].map(Entry::new)));
        let others = [world.lsagents(), world.tool("lssessions"), world.lsclaude()];
        let scan = others.map(|mut lister| run(&mut lister, "").ok().out).concat();
        let ghosts = of_kind(&world.diff(&scan, &[]).expect(&[1]).out, "ghost_agent");
        assert_eq!(ghosts.len(), 2);
        let reason =
            format!("no tmux server for uid {}: all 2 entries are ghosts", nix::unistd::getuid());
        assert!(ghosts.iter().all(|ghost| ghost["reason"] == reason.as_str()), "{ghosts:?}");
    });
}
