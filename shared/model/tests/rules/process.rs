//! Processes.

use serde_json::{Value, json};

use super::*;
use crate::common::at;

/// What holds a process, one thing at a time.
const HOLDERS: [(&str, Change, &str); 14] = [
    ("a parent", |w| w.first(PROCESSES)["orphaned"] = json!(false), "parent 1 systemd"),
    ("a script", |w| parent(w, 812, json!("code")), "parent 812 code"),
    ("a parent without a name", |w| parent(w, 812, json!(null)), "parent 812 (unknown)"),
    ("a terminal", |w| w.first(PROCESSES)["tty"] = json!("pts/9"), "terminal pts/9"),
    ("a service", |w| w.first(PROCESSES)["service"] = json!("a.service"), "service a.service"),
    ("a container", |w| w.first(PROCESSES)["namespace"] = json!("foreign"), "a container"),
    ("it is unknown where", |w| w.first(PROCESSES)["namespace"] = json!(null), "not be read"),
    ("living children", |w| w.first(PROCESSES)["claude_children"] = json!(1), "1 Claude process"),
    ("a file", |w| w.first(PROCESSES)["stdout"] = json!("file"), "output goes to a file"),
    ("a reader", |w| output(w, "pipe", json!(812)), "process 812 reads its output"),
    ("a terminal's output", |w| w.first(PROCESSES)["stdout"] = json!("tty"), "to a terminal"),
    ("a socket", |w| w.first(PROCESSES)["stdout"] = json!("socket"), "to a socket"),
    ("unknown output", |w| w.first(PROCESSES)["stdout"] = json!(null), "could not be found out"),
    ("its pane", |w| origin(w, 801, json!("%3")), "started from %3 of work, detached"),
];

fn parent(world: &mut World, pid: i32, name: Value) {
    let process = world.first(PROCESSES);
    process["orphaned"] = json!(false);
    process["ppid"] = json!(pid);
    process["ancestors"] = json!([pid, 1]);
    process["parent_name"] = name;
}

fn output(world: &mut World, stdout: &str, reader: Value) {
    world.first(PROCESSES)["stdout"] = json!(stdout);
    world.first(PROCESSES)["stdout_reader"] = reader;
}

fn origin(world: &mut World, server: i32, pane: Value) {
    world.first(PROCESSES)["tmux"] = json!({"server_pid": server, "pane": pane});
}

fn adopted(world: &mut World, reaper: i32, name: &str) {
    parent(world, reaper, json!(name));
    world.first(PROCESSES)["orphaned"] = json!(true);
}

#[test]
fn leaked_process() {
    check(
        loose,
        &[
            (
                "held by nothing",
                |_| {},
                &[
                    "leaked_process kill_process in no tmux pane; its parent is gone (now 1 systemd)",
                ],
            ),
            (
                "adopted by a subreaper",
                |w| adopted(w, 900, "systemd"),
                &["leaked_process kill_process (now 900 systemd)"],
            ),
            (
                "its session was killed, it lives on",
                |w| adopted(w, 801, "tmux: server"),
                &["leaked_process kill_process (now 801 tmux: server)"],
            ),
            (
                "nobody reads",
                |w| output(w, "pipe", json!(null)),
                &["leaked_process kill_process output to a pipe that nobody reads"],
            ),
            (
                "output closed",
                |w| output(w, "other", json!(null)),
                &["leaked_process kill_process output neither read nor kept"],
            ),
            (
                "its pane is gone",
                |w| origin(w, 801, json!("%9")),
                &["leaked_process kill_process "],
            ),
            (
                "its server was asked by name, its pane is gone",
                |w| origin(w, 801, json!("%9")),
                &["leaked_process kill_process "],
            ),
            (
                "TMUX without TMUX_PANE",
                |w| origin(w, 801, json!(null)),
                &["leaked_process kill_process "],
            ),
            (
                "its pane is dead",
                |w| {
                    dead_pane(w);
                    origin(w, 801, json!("%3"));
                },
                &["leaked_process kill_process "],
            ),
            ("it is a pane's", |w| w.first(PROCESSES)["pid"] = json!(70), &[]),
            ("it descends from a pane's", |w| adopted(w, 70, "bash"), &[]),
            ("far from it", |w| w.first(PROCESSES)["ancestors"] = json!([9, 8, 70, 801, 1]), &[]),
            ("on a pane's terminal", |w| w.first(PROCESSES)["tty"] = json!("pts/3"), &[]),
            (
                "in the second pane of a session nobody calls an agent's",
                |w| {
                    let second = common::pane("%5", 71, "pts/5", &["claude"]);
                    w.first(SESSIONS)["panes"].as_array_mut().unwrap().push(second);
                    w.first(PROCESSES)["tty"] = json!("pts/5");
                },
                &[],
            ),
            // tmux calls a pane dead when its terminal was closed: the process may live.
            (
                "it is a dead pane's",
                |w| {
                    dead_pane(w);
                    adopted(w, 70, "tmux: server");
                },
                &[],
            ),
            (
                "on what was a dead pane's terminal",
                |w| {
                    dead_pane(w);
                    w.first(PROCESSES)["tty"] = json!("pts/3");
                },
                &["untracked_process - terminal pts/3"],
            ),
        ],
    );
}

#[test]
fn untracked_process() {
    for (what, change, reason) in HOLDERS {
        let mut world = loose();
        change(&mut world);
        assert_findings(what, &world.judge(), &[&format!("untracked_process - {reason}")]);
        world.options.outside_tmux = true;
        let expected = format!("leaked_process kill_process {reason}");
        assert_findings(what, &world.judge(), &[&expected]);
        assert!(world.judge().text.contains("(--outside-tmux; held by: "), "{what}");
    }
    for outside_tmux in [false, true] {
        let mut world = loose();
        world.options.outside_tmux = outside_tmux;
        world.first(PROCESSES)["self"] = json!(true);
        assert_findings("self", &world.judge(), &["untracked_process - it runs this command"]);
        world.first(PROCESSES)["self"] = json!(false);
        world.first(PROCESSES)["daemon"] = json!(true);
        world.first(PROCESSES)["claude_children"] = json!(2);
        assert_findings("daemon", &world.judge(), &["untracked_process - background service"]);
        world.first(PROCESSES)["daemon"] = json!(false);
        for pane in [json!("%9"), json!(null)] {
            origin(&mut world, 802, pane);
            let expected = "untracked_process - tmux server 802, which was not asked";
            assert_findings("a server not asked", &world.judge(), &[expected]);
        }
        world.first(PROCESSES)["tty"] = json!("pts/3");
        assert_findings("in a pane", &world.judge(), &[]);
    }
}

/// What ps does not show is unknown: Claude's own words must take its place, and nothing
/// takes the place of what it does show.
#[test]
fn a_process_that_ps_showed() {
    const LEAK: &[&str] = &[
        "leaked_process kill_process no terminal, no service; started for headless work (seen by ps)",
    ];
    const SILENT: &[&str] = &["untracked_process - its arguments, as ps shows them, have no flag"];
    check(
        loose_by_ps,
        &[
            ("-p", |_| {}, LEAK),
            ("--print", |w| words(w, &["claude", "--model", "x", "--print"]), LEAK),
            ("a format", |w| words(w, &["claude", "--output-format=stream-json"]), LEAK),
            ("at a prompt", |w| words(w, &["claude"]), SILENT),
            ("resumed", |w| words(w, &["claude", "--resume", "-c"]), SILENT),
            ("no arguments seen", |w| words(w, &[]), SILENT),
            ("after the options", |w| words(w, &["claude", "--", "-p"]), SILENT),
            ("its name alone", |w| words(w, &["--print"]), SILENT),
            (
                "what only /proc tells is not asked for",
                |w| w.first(PROCESSES)["stdout"] = json!("file"),
                LEAK,
            ),
            (
                "a parent",
                |w| parent(w, 812, json!("code")),
                &["untracked_process - parent 812 code"],
            ),
            (
                "a terminal",
                |w| w.first(PROCESSES)["tty"] = json!("ttys009"),
                &["untracked_process - terminal ttys009"],
            ),
            (
                "a job of launchd",
                |w| w.first(PROCESSES)["service"] = json!("com.example.agent"),
                &["untracked_process - service com.example.agent"],
            ),
            (
                "living children",
                |w| w.first(PROCESSES)["claude_children"] = json!(1),
                &["untracked_process - 1 Claude process"],
            ),
            ("in a pane", |w| w.first(PROCESSES)["pid"] = json!(70), &[]),
            ("on a pane's terminal", |w| w.first(PROCESSES)["tty"] = json!("pts/3"), &[]),
            (
                "under a server that was not asked",
                |w| origin(w, 802, json!(null)),
                &["untracked_process - tmux server 802, which was not asked"],
            ),
            ("younger than --min-age", |w| w.first(PROCESSES)["started"] = json!(at(-1)), &[]),
        ],
    );
    let mut world = loose_by_ps();
    words(&mut world, &["claude"]);
    world.options.outside_tmux = true;
    let expected = "leaked_process kill_process held by: its arguments, as ps shows them";
    assert_findings("all outside tmux", &world.judge(), &[expected]);
    assert_eq!(world.judge().findings[0]["evidence"]["proc_source"], "ps");
    // The words of a process in /proc do not make up for what could not be read there.
    let mut world = loose();
    for field in ["namespace", "stdout"] {
        world.first(PROCESSES)[field] = json!(null);
    }
    let expected = "untracked_process - its pid namespace could not be read";
    assert_findings("/proc unread", &world.judge(), &[expected]);
}

fn words(world: &mut World, words: &[&str]) {
    world.first(PROCESSES)["args"] = json!(words);
}

#[test]
fn defunct_process() {
    let dead: Change = |w| w.first(PROCESSES)["state"] = json!("Z");
    let expected = ["defunct_process - dead; its parent 1 systemd has not reaped it"];
    check(
        loose,
        &[
            ("dead", dead, &["defunct_process - dead; its parent 1 systemd has not reaped it"]),
            ("dying", |w| w.first(PROCESSES)["state"] = json!("X"), &["defunct_process - dead"]),
        ],
    );
    for change in [
        (|w| w.first(PROCESSES)["pid"] = json!(70)) as Change,
        |w| w.first(PROCESSES)["started"] = json!(at(0)),
        |w| w.options.outside_tmux = true,
        |w| w.end(SESSIONS)["filtered"] = json!(true),
    ] {
        let mut world = loose();
        dead(&mut world);
        change(&mut world);
        assert_findings("dead anywhere", &world.judge(), &expected);
    }
}
