//! Entries that were written a moment ago: their session may be about to come.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::sqlite::add_database;
use crate::world::{Entry, Ran, Registry, World, of_kind, records, run};

const ID: &str = "starting-101010-aaaaaa";

/// A time as the orchestrator spells it: local, which is UTC in a world.
fn ago(seconds: i64) -> String {
    let time = Timestamp::now() - SignedDuration::from_secs(seconds);
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}

fn entry(started: &str, updated: &str) -> Entry {
    Entry::new(ID).set("status", "starting").set("started_at", started).set("last_update", updated)
}

/// What agentdiff says by default, and to these options.
fn judged(world: &World, options: &[&str]) -> Ran {
    let mut diff = world.tool("agentdiff");
    run(diff.args(["--min-age", "0s"]).args(options), &world.scan())
}

/// A world in which nothing but the entry is wrong.
fn world() -> World {
    let world = World::new();
    world.session("work", "exec sleep 3600");
    world
}

#[test]
fn h54_an_entry_whose_session_is_about_to_come_is_too_young() {
    let world = world();
    for (started, updated, is_ghost) in
        [(5, 5, false), (600, 5, false), (600, 50, false), (600, 61, true), (61, 61, true)]
    {
        world.write_global(&Registry::new([entry(&ago(started), &ago(updated))]));
        let ran = judged(&world, &[]).expect(&[i32::from(is_ghost)]);
        let what = format!("{started} {updated}: {}{}", ran.out, ran.err);
        assert_eq!(of_kind(&ran.out, "ghost_agent").len(), usize::from(is_ghost), "{what}");
        let end = records(&ran.out).pop().unwrap();
        assert_eq!(end["too_young"], u64::from(!is_ghost), "{what}");
        let named = format!("1 too young to judge (under 60 s; see --entry-age): agent {ID} (");
        assert_eq!(ran.err.contains(&named), !is_ghost, "{what}");
    }
    // Without a time it is old; with one of another time zone or a wrong clock, nobody knows.
    world.write_global(&Registry::new([entry("", "")]));
    assert_eq!(of_kind(&judged(&world, &[]).out, "ghost_agent").len(), 1);
    world.write_global(&Registry::new([entry(&ago(-7200), &ago(-7200))]));
    let ran = judged(&world, &[]).expect(&[2]);
    assert!(ran.err.contains("written after they were read"), "{}", ran.err);
    let ran = judged(&world, &["--entry-age", "0s"]).expect(&[2]);
    assert_eq!(of_kind(&ran.out, "ghost_agent").len(), 0, "{}", ran.out);
    // The session comes: an agent as any other.
    world.write_global(&Registry::new([entry(&ago(0), &ago(0))]));
    world.agent_session(ID, &[]);
    let ran = judged(&world, &[]).ok();
    assert_eq!(records(&ran.out).pop().unwrap()["too_young"], 0, "{}", ran.out);
}

#[test]
fn h54_the_same_in_a_database() {
    let world = world();
    for (age, is_ghost) in [(5, false), (61, true)] {
        let path = world.path().join(".agent-workspace/registry/state.sqlite3");
        let _ = std::fs::remove_file(path);
        let script = format!("agent(c, '{ID}', started_at='{0}', last_update='{0}')", ago(age));
        add_database(&world, "today", &script);
        let ran = judged(&world, &[]).expect(&[i32::from(is_ghost)]);
        assert_eq!(of_kind(&ran.out, "ghost_agent").len(), usize::from(is_ghost), "{}", ran.out);
        assert_eq!(ran.err.contains(&format!("agent {ID} (")), !is_ghost, "{}", ran.err);
    }
}

#[test]
fn h54_an_entry_that_was_written_since_it_was_found_is_left() {
    let world = world();
    let started = ago(600);
    world.write_global(&Registry::new([entry(&started, &started)]));
    let findings = judged(&world, &[]).expect(&[1]).out;
    let evidence = &of_kind(&findings, "ghost_agent")[0]["evidence"];
    assert_eq!(evidence["entry_age_seconds"], 60);
    // The agent has reported: its session is there in a moment.
    let text = world.write_global(&Registry::new([entry(&started, &ago(2))]));
    let ran = world.prune(&findings, &["--yes"]).expect(&[1]);
    let [action] = &ran.records()[..] else { panic!("{}", ran.out) };
    assert_eq!(action["result"], "skipped", "{action}");
    assert!(action["reason"].as_str().unwrap().starts_with("it was written "), "{action}");
    assert_eq!(std::fs::read_to_string(world.global_path()).unwrap(), text);
    // A user who wants no age has his way in both programs.
    let findings = judged(&world, &["--entry-age", "0"]).expect(&[1]).out;
    let ran = world.prune(&findings, &["--yes"]).ok();
    assert_eq!(ran.records()[0]["result"], json!("done"));
}

#[test]
fn h54_the_scripts_name_it_and_do_not_say_that_all_is_well() {
    let world = world();
    world.write_global(&Registry::new([entry(&ago(5), &ago(5))]));
    let ran = run(&mut world.script("verify_cleanup.sh"), "").expect(&[2]);
    for line in [
        "? UNKNOWN: Registry and tmux sessions synchronized (not judged: 1)",
        "? UNKNOWN: No ghost agents in registry (not judged: 1)",
        "\u{2713} PASS: No leaked Claude processes",
        "\u{2713} PASS: No zombie sessions",
        "too young to judge (under 60 s; see --entry-age): agent starting-101010-aaaaaa (",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    let ran = run(world.script("cleanup_leaked_agents.sh").arg("--yes"), "").ok();
    assert!(ran.out.contains("Nothing to clean up yet: some are too young"), "{}", ran.out);
    assert!(ran.out.contains(&format!("agent {ID} (")), "{}", ran.out);
    // What is surely wrong is said first.
    world.leaked(&[]);
    let ran = run(&mut world.script("verify_cleanup.sh"), "").expect(&[1]);
    assert!(ran.out.contains("FAIL: Leaked Claude processes: 1"), "{}", ran.out);
    let mut verify = world.script("verify_cleanup.sh");
    let ran = run(verify.args(["--entry-age", "1s", "--min-age=1h"]), "").expect(&[1]);
    assert!(ran.out.contains("FAIL: Ghost agents in registry: 1"), "{}", ran.out);
    assert!(ran.out.contains("? UNKNOWN: No leaked Claude processes"), "{}", ran.out);
    let mut cleanup = world.script("cleanup_leaked_agents.sh");
    let ran = run(cleanup.args(["--yes", "--entry-age=1s"]), "").ok();
    assert!(ran.out.contains("Registry agents after: 0"), "{}", ran.out);
    run(&mut world.script("verify_cleanup.sh"), "").ok();
}
