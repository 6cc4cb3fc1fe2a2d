//! What the user's keep file says to keep is held.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::world::{
    AGENTS, Entry, Registry, User, World, alive, of_kind, privately_with_users, records, run,
    wait_until,
};

/// Writes the keep file of the world's user.
fn keep(world: &World, text: &str) -> PathBuf {
    let path = world.path().join(".config/agentutils/keep");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn reason(findings: &str, kind: &str) -> Value {
    let found = of_kind(findings, kind);
    let [finding] = &found[..] else { panic!("{kind}: {findings}") };
    assert_eq!(finding["action"], json!(null), "{finding}");
    finding["reason"].clone()
}

#[test]
fn what_a_line_matches_is_held_and_the_reason_names_the_line() {
    let world = World::new();
    let sample = world.sample();
    let path = keep(
        &world,
        &format!(
            "# what must stay\n\n.type == \"process\" and .pid == {}\n\
             .type == \"session\" and .name == \"{}\"\n\
             .type == \"agent\" and (.id | startswith(\"ghost-\"))\n",
            sample.leaked.pid, sample.zombie
        ),
    );
    let ran = world.diff(&world.scan(), &[]).ok();
    let by = |line: u32| json!(format!("kept by line {line} of {}", path.display()));
    assert_eq!(reason(&ran.out, "untracked_process"), by(3));
    assert_eq!(reason(&ran.out, "busy_session"), by(4));
    assert_eq!(reason(&ran.out, "kept_agent"), by(5));
    assert!(records(&ran.out).iter().all(|record| record["action"].is_null()), "{}", ran.out);

    // Findings that were made before the lines were written.
    let ran = world.prune(&sample.findings, &["--yes"]).expect(&[1]);
    let actions = ran.records();
    assert_eq!(actions.iter().filter(|action| action["result"] == "skipped").count(), 4);
    let kept = actions.iter().filter(|a| a["reason"].as_str().unwrap().starts_with("kept by line"));
    assert_eq!(kept.count(), 3, "{}", ran.out);
    world.assert_untouched(&sample, "kept");

    // The scripts show it, and all is well.
    let ran = run(&mut world.script("verify_cleanup.sh"), "").ok();
    assert!(
        ran.out.contains("Entries without a session that the keep file keeps: 1"),
        "{}",
        ran.out
    );
    let ran = run(world.script("cleanup_leaked_agents.sh").arg("--yes"), "").ok();
    assert!(ran.out.contains("Nothing to clean up.\n"), "{}", ran.out);
    assert!(ran.out.contains("kept by line 5 of "), "{}", ran.out);
    world.assert_untouched(&sample, "the script");

    // Lines that match nothing, and no file at all.
    for text in ["", "# nothing\n", "false\n.type == \"process\" and .pid == 1\n"] {
        keep(&world, text);
        let ran = world.diff(&world.scan(), &[]).expect(&[1]);
        assert_eq!(of_kind(&ran.out, "ghost_agent").len(), 2, "{text}: {}", ran.out);
    }
    fs::remove_file(path).unwrap();
    assert_eq!(world.prune(&sample.findings, &["--yes"]).ok().records().len(), 4);
}

#[test]
fn a_descendant_that_a_line_matches_is_left_by_tree() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    world.session("work", "exec sleep 3600");
    let file = world.path().join("child");
    let child = format!(
        "sleep 600 </dev/null >/dev/null 2>&1 & echo $! >'{0}.new'; mv '{0}.new' '{0}'",
        file.display()
    );
    for (text, ends) in [
        (".type == \"process\" and (.args | any(. == \"600\"))\n", false),
        (".type == \"process\" and .name == \"sleep\" and (.pid | error)\n", false),
        (".type == \"process\" and (.args | any(. == \"601\"))\n", true),
    ] {
        let _ = fs::remove_file(&file);
        let leaked = world.leaked(&[("STANDIN_REAPS", &child)]).pid;
        wait_until(|| "the child", || file.exists());
        let pid: i32 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        keep(&world, text);
        let findings = world.findings(&["-Q", &format!(".target == \"process {leaked}\"")]);
        let ran = world.prune(&findings, &["--yes", "--tree"]).ok();
        assert_eq!((alive(leaked), alive(pid)), (false, !ends), "{text}: {}{}", ran.out, ran.err);
        assert_eq!(ran.err.contains("keep"), !ends, "{}", ran.err);
    }
}

#[test]
fn a_keep_file_that_cannot_be_understood_is_trouble() {
    let world = World::new();
    let sample = world.sample();
    let scan = world.scan();
    let refused = |what: &str, says: &str| {
        let ran = world.diff(&scan, &[]).expect(&[2]);
        let [end] = &ran.records()[..] else { panic!("{what}: {}", ran.out) };
        assert_eq!(end["complete"], false, "{what}");
        assert!(ran.err.contains(says), "{what}: {}", ran.err);
        assert!(ran.err.contains("no conclusion is drawn"), "{what}: {}", ran.err);
        world.prune(&ran.out, &["--yes"]).expect(&[2]);
        // Findings that were made without it.
        let ran = world.prune(&sample.findings, &["--yes"]).expect(&[2]);
        assert!(ran.err.contains(says) && ran.err.contains("nothing was done"), "{}", ran.err);
        assert_eq!(ran.out, "", "{what}");
        let ran = run(world.script("cleanup_leaked_agents.sh").arg("--yes"), "").expect(&[2]);
        assert!(ran.err.contains("nothing was changed"), "{what}: {}", ran.err);
        let ran = run(&mut world.script("verify_cleanup.sh"), "").expect(&[2]);
        assert!(!ran.out.contains("PASS"), "{what}: {}", ran.out);
        world.assert_untouched(&sample, what);
    };
    for (text, says) in [
        ("true\n.name ==\n", "keep: line 2: filter \".name ==\": it ends too early"),
        ("nonsense(1)\n", "keep: line 1: filter"),
        // It is an error for a record that has no name.
        (".name | startswith(\"agent_\")\n", "it is asked of every agent"),
        ("# \n.type == \"process\" and (.pid | error)\n", "keep: line 2: filter"),
    ] {
        keep(&world, text);
        refused(text, says);
    }
    let path = keep(&world, "");
    fs::write(&path, [b'#', 0xff, b'\n']).unwrap();
    refused("not text", "UTF-8");
    fs::File::create(&path).unwrap().set_len(2 << 20).unwrap();
    refused("large", "larger than 1048576 bytes");
    fs::remove_file(&path).unwrap();
    run(world.command("mkfifo").arg(&path), "").ok();
    refused("a FIFO", "not a regular file");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("a directory", "not a regular file");
    fs::remove_dir(&path).unwrap();
    if nix::unistd::geteuid().is_root() {
        let path = keep(&world, "true\n");
        chown(&path, Some(12345), None).unwrap();
        refused("another user's", "it belongs to uid 12345");
        fs::remove_file(&path).unwrap();
    }
    // A link to a file of one's own is as good as the file.
    fs::write(world.path().join("dotfile"), "true\n").unwrap();
    std::os::unix::fs::symlink(world.path().join("dotfile"), &path).unwrap();
    world.diff(&scan, &[]).ok();
}

#[test]
fn the_keep_file_is_that_of_the_user_of_the_run() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.write_global(&Registry::new([Entry::new(AGENTS[1])]));
        let listers = ["lsagents", "lssessions", "lsclaude"];
        let kinds = |for_alice: bool, config: Option<&str>, home: &str| {
            let mut scan = String::new();
            for name in listers.into_iter().chain(["agentdiff"]) {
                let mut command = crate::users::tool(&world, name);
                command.env_remove("XDG_CONFIG_HOME").env("HOME", home);
                command.envs(config.map(|config| ("XDG_CONFIG_HOME", config)));
                if for_alice {
                    command.args(["--user", "alice"]);
                }
                if name == "lsagents" {
                    command.arg("--workspace").arg(world.path());
                }
                let ran = run(&mut command, if name == "agentdiff" { &scan } else { "" });
                match name {
                    "agentdiff" => scan = ran.out,
                    _ => scan += &ran.out,
                }
            }
            let found = records(&scan).into_iter().filter(|record| record["type"] == "finding");
            found.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        // Root keeps everything: that is root's business.
        for directory in ["/tmp/root/.config/agentutils", "/tmp/xdg/agentutils"] {
            fs::create_dir_all(directory).unwrap();
            fs::write(format!("{directory}/keep"), "true\n").unwrap();
        }
        for config in [None, Some("/tmp/xdg")] {
            assert_eq!(kinds(true, config, "/tmp/root"), ["ghost_agent"]);
        }
        let path = keep(&world, ".type == \"agent\"\n");
        // Hers, in a directory of root's: not a file by which she instructs a run.
        assert!(kinds(true, Some("/tmp/xdg"), "/tmp/root").is_empty());
        alice.own(&world.path().join(".config"));
        assert_eq!(kinds(true, Some("/tmp/xdg"), "/tmp/root"), ["kept_agent"]);
        fs::remove_file(path).unwrap();

        // As himself, a user has his own; a relative XDG_CONFIG_HOME does not count.
        fs::remove_file(world.global_path()).unwrap();
        let roots = World::with_default_names();
        roots.write_global(&Registry::new([Entry::new(AGENTS[1])]));
        for (config, home, expected) in [
            ("/tmp/xdg", "/nowhere", "kept_agent"),
            ("xdg", "/tmp/root", "kept_agent"),
            ("/nowhere", "/tmp/root", "ghost_agent"),
        ] {
            let mut diff = roots.tool("agentdiff");
            diff.env("XDG_CONFIG_HOME", config).env("HOME", home);
            let listers = [roots.lsagents(), roots.tool("lssessions"), roots.lsclaude()];
            let scan = listers.map(|mut lister| run(&mut lister, "").ok().out).concat();
            let ran = run(&mut diff, &scan);
            assert_eq!(of_kind(&ran.out, expected).len(), 1, "{config} {home}: {}", ran.out);
        }
    });
}
