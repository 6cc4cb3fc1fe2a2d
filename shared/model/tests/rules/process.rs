//! Processes.

use model::record::{HOWS, How};
use serde_json::{Value, json};

use super::*;
use crate::common::at;

/// What holds a process, one thing at a time.
const HOLDERS: [(&str, Change, &str); 14] = [
    ("a script", |w| held(w, "parent"), "parent 812 python3 (x y)"),
    ("pid 1", |w| held(w, "init_command"), "process 812 (x y) may have started it"),
    ("a terminal", |w| held(w, "terminal"), "terminal x y"),
    ("a device", |w| held(w, "device"), "the device x y"),
    ("a reader", |w| held(w, "reader"), "process 812 (x y) reads its output"),
    ("a writer", |w| held(w, "writer"), "process 812 (x y) writes to its input"),
    ("a peer", |w| held(w, "peer"), "process 812 (x y) has the other end of its socket"),
    ("a collector", |w| held(w, "log"), "process 812 (x y) has the file open"),
    ("a file", |w| log(w), "its output goes to /x/y"),
    ("a service", |w| held(w, "service"), "service x y"),
    ("a scope", |w| held(w, "scope"), "scope x y"),
    ("a tracer", |w| held(w, "tracer"), "process 812 (x y) traces it"),
    ("a watcher", |w| held(w, "watcher"), "process 812 (x y) waits for its end"),
    ("one up its line", |w| above(w), "traces it (that of process 70001, which waits for it)"),
];

fn held(world: &mut World, how: &str) {
    world.first(PROCESSES)["holders"] = json!([common::holder(how, json!("x y"))]);
}

fn log(world: &mut World) {
    held(world, "log");
    let holder = &mut world.first(PROCESSES)["holders"][0];
    (holder["pid"], holder["name"], holder["what"]) = (json!(null), json!(null), json!("/x/y"));
}

fn above(world: &mut World) {
    held(world, "tracer");
    world.first(PROCESSES)["holders"][0]["of"] = json!(70001);
}

fn parent(world: &mut World, pid: i32, name: Value) {
    let process = world.first(PROCESSES);
    process["orphaned"] = json!(false);
    process["ppid"] = json!(pid);
    process["ancestors"] = json!([pid, 1]);
    process["parent_name"] = name;
}

fn output(world: &mut World, stdout: &str) {
    world.first(PROCESSES)["stdout"] = json!(stdout);
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
                |w| output(w, "pipe"),
                &["leaked_process kill_process output to a pipe that nobody reads"],
            ),
            (
                "output closed",
                |w| output(w, "other"),
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
                    held(w, "terminal");
                    w.first(PROCESSES)["tty"] = json!("pts/3");
                },
                &["untracked_process - terminal x y"],
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
        for how in ["background", "namespace", "self", "pane", "server"] {
            held(&mut world, how);
            assert_findings(how, &world.judge(), &["untracked_process - "]);
        }
        world.first(PROCESSES)["holders"] = json!([]);
        for how in HOWS.map(|row| row.word) {
            world.first(PROCESSES)["unread"] = json!([how]);
            let expected = "untracked_process - could not be found out";
            assert_findings(how, &world.judge(), &[expected]);
        }
        world.first(PROCESSES)["unread"] = json!([]);
        origin(&mut world, 801, json!("%3"));
        let expected = "untracked_process - started from %3 of work, detached";
        assert_findings("its pane", &world.judge(), &[expected]);
        for pane in [json!("%9"), json!(null)] {
            origin(&mut world, 802, pane);
            let expected = "untracked_process - tmux server 802, which was not asked";
            assert_findings("a server not asked", &world.judge(), &[expected]);
        }
        world.first(PROCESSES)["tty"] = json!("pts/3");
        assert_findings("in a pane", &world.judge(), &[]);
    }
}

/// `--despite` lifts what it names, all of what holds the process must be named, and a living
/// parent says nothing about what was not asked.
#[test]
fn despite() {
    let mut world = loose();
    let two = ["log", "reader"].map(|how| common::holder(how, json!("x")));
    world.first(PROCESSES)["holders"] = json!(two);
    world.options.despite = [How::Log].into();
    assert_findings("one of two", &world.judge(), &["untracked_process - reads its output"]);
    world.options.despite = [How::Log, How::Reader].into();
    let expected = "leaked_process kill_process (--despite reader,log; held by: ";
    assert_findings("both", &world.judge(), &[expected]);
    held(&mut world, "parent");
    world.options.despite = [How::Parent].into();
    world.first(PROCESSES)["examined"] = json!(false);
    let expected = "untracked_process - what else holds it was not looked for";
    assert_findings("not examined", &world.judge(), &[expected]);
    world.options.outside_tmux = true;
    assert_findings("all", &world.judge(), &["leaked_process kill_process parent 812"]);
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
    world.first(PROCESSES)["unread"] = json!(["namespace"]);
    let expected = "untracked_process - could not be found out: it is in another pid namespace";
    assert_findings("/proc unread", &world.judge(), &[expected]);
    // By ps, it is Claude's own word.
    let mut world = loose_by_ps();
    world.first(PROCESSES)["daemon"] = json!(true);
    assert_findings("daemon", &world.judge(), &["untracked_process - background service"]);
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
