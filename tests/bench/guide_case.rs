//! The cleanup guide's case: scanning it, and cleaning it up.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::machine::python;
use super::race::{program, race, time};
use super::scale::Scale;
use super::table::{Row, Target};
use super::world::{GuideCase, World, alive, records, run, wait_until};

/// The directory of this file, where the guide's way is written down.
pub fn snippets() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/bench"))
}

/// The tools, confined to a world, as one line of a shell.
pub fn pipeline(world: &World, tail: &str) -> Command {
    let line = format!(
        "{{ lsagents --workspace '{}'; lssessions -S '{}'; lsclaude --name {}; }} \
         | agentdiff --min-age 0s{tail}",
        world.path().display(),
        world.socket().display(),
        world.name(),
    );
    let mut command = world.command(program("sh"));
    command.args(["-c", &line]);
    command
}

/// The guide's way, confined to a world.
pub fn guide(world: &World, what: &str) -> Command {
    let mut command = world.command(program("sh"));
    command.arg(snippets().join("guide.sh")).arg(what);
    command.env("NAME", world.name()).env("SOCKET", world.socket());
    command.env("REGISTRY", world.global_path()).env("PYTHON", python());
    command.env("SNIPPETS", snippets());
    command
}

/// What is to be cleaned up: `process 4711`, `session agent_x`, `agent x`.
pub type Found = BTreeSet<String>;

/// What the guide's way finds.
pub fn found_by_guide(world: &World) -> Found {
    // It may take minutes, longer than any of the tools may.
    let output = guide(world, "scan").output().expect("a shell");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// What the tools find and would do something about, the counters of a registry left out:
/// the guide's way sets those without a check.
pub fn found_by_tools(world: &World) -> Found {
    let ran = run(&mut pipeline(world, ""), "").expect(&[0, 1]);
    let findings = records(&ran.out)
        .into_iter()
        .filter(|finding| finding["action"].is_string() && finding["action"] != "set_counters");
    let name = |finding: &serde_json::Value| match finding["kind"].as_str() {
        Some("leaked_process") => format!("process {}", finding["process"]["pid"]),
        Some("zombie_session") => format!("session {}", text(&finding["session"]["name"])),
        _ => format!("agent {}", text(&finding["agent"]["id"])),
    };
    findings.map(|finding| name(&finding)).collect()
}

/// Checks that both ways have found the same.
pub fn assert_same(by_tools: &Found, by_guide: &Found) {
    let difference: Vec<&String> = by_tools.symmetric_difference(by_guide).collect();
    assert!(difference.is_empty(), "found in one way only: {difference:?}");
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Scans the case.
pub fn scan(scale: Scale) -> Vec<Row> {
    let world = World::new();
    let case = world.guide_case();
    settle(&world);
    let found = found_by_tools(&world);
    assert_same(&found, &found_by_guide(&world));
    assert_eq!(found.len(), 90, "{case:?}");
    let floor = format!(
        "{0}; {0}; {0}; {0}; {1} -S '{2}' list-panes -a",
        program("true").display(),
        program("tmux").display(),
        world.socket().display()
    );
    let [tools, by_guide, floor] = race(
        scale.of(41, 3),
        [
            &mut || time(&mut pipeline(&world, ""), 1),
            &mut || time(&mut guide(&world, "scan"), 0),
            &mut || time(world.command(program("sh")).args(["-c", &floor]), 0),
        ],
    );
    let work = "scan the guide's case";
    vec![
        Row::of_times(work, &tools, "shell and Python", &by_guide, Target::Faster(8.0)),
        Row::of_times(work, &tools, "4 × true, list-panes", &floor, Target::Within(2.0)),
    ]
}

/// Cleans the case up. It is restored before every turn.
pub fn clean(scale: Scale) -> Vec<Row> {
    let world = World::new();
    let mut case = world.guide_case();
    let cleaned = |case: &mut GuideCase, command: &mut Command| {
        renew(&world, case);
        let needed = time(command, 0);
        assert_clean(&world, case);
        (needed, fs::read(world.global_path()).expect("the registry"))
    };
    let (_, by_tools) = cleaned(&mut case, &mut pipeline(&world, " | agentprune --yes"));
    let (_, by_guide) = cleaned(&mut case, &mut guide(&world, "clean"));
    assert!(by_tools == by_guide, "both leave the same file, byte for byte");
    let case = std::cell::RefCell::new(case);
    let turn = |command: &mut Command| -> Duration { cleaned(&mut case.borrow_mut(), command).0 };
    let [tools, by_guide] = race(
        scale.of(21, 2),
        [&mut || turn(&mut pipeline(&world, " | agentprune --yes")), &mut || {
            turn(&mut guide(&world, "clean"))
        }],
    );
    let work = "clean up the guide's case";
    vec![Row::of_times(work, &tools, "shell and Python", &by_guide, Target::Faster(5.0))]
}

/// Restores what a cleanup has removed.
fn renew(world: &World, case: &mut GuideCase) {
    let directory = world.global_path();
    for file in
        fs::read_dir(directory.parent().expect("a directory")).expect("the directory").flatten()
    {
        fs::remove_file(file.path()).expect("a file of the world");
    }
    fs::write(world.global_path(), &case.registry).expect("the registry");
    if !alive(case.leaked.pid) {
        case.leaked = world.leaked(&[]);
    }
    if !alive(case.zombie_pane) {
        case.zombie_pane = world.session(&case.zombie, "sleep 3600");
    }
    settle(world);
}

/// Until it has called execve(2), what tmux starts looks like tmux.
fn settle(world: &World) {
    let is_there = |word: &str| found_by_tools(world).iter().any(|found| found.starts_with(word));
    wait_until(|| "something to clean up", || is_there("session") && is_there("process"));
}

fn assert_clean(world: &World, case: &GuideCase) {
    wait_until(|| "the leaked process to end", || !alive(case.leaked.pid));
    assert!(!world.session_names().contains(&case.zombie));
    let preserved = case.live.iter().flat_map(|live| [live.pane, live.claude.pid]);
    let mut preserved = preserved.chain([case.work.claude.pid, case.editor]);
    assert!(preserved.all(alive), "{case:?}");
}
