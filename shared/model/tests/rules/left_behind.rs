//! What a Claude has left behind.

use std::collections::HashSet;

use model::record::{HOWS, Process, Session};
use model::rules::{Panes, ServerVerdict, server_verdict, with_claude};
use serde_json::{Value, json};

use super::*;
use crate::common::{at, child, server, session_file};

const LEAKED: &[&str] = &["leaked_server kill_process"];

/// A server of one process, and nothing else.
fn alone() -> World {
    let mut world = loose();
    *world.records(PROCESSES) = vec![server(600, &[600])];
    world
}

/// A server that is npx, a shell and node.
fn chain() -> World {
    let mut world = loose();
    *world.records(PROCESSES) = [600, 601, 602].map(|pid| server(pid, &[600, 601, 602])).into();
    world
}

/// An orphan that the Claude of session `s` started; that is dead.
fn orphan() -> World {
    let mut world = loose();
    *world.records(PROCESSES) = vec![child(700, "s")];
    world
}

/// Changes what is known of the server, in all records of it.
fn of_server(world: &mut World, field: &str, value: &Value) {
    for process in world.records(PROCESSES) {
        process["server"][field] = value.clone();
    }
}

fn below(world: &mut World, how: &str) {
    let mut holder = common::holder(how, json!("x y"));
    holder["of"] = json!(650);
    of_server(world, "below", &json!([holder]));
}

/// A living Claude with this session file.
fn claude(world: &mut World, file: Value) {
    let mut claude = common::process(800);
    claude["holders"] = json!([common::holder("terminal", json!("pts/9"))]);
    claude["session_file"] = file;
    world.records(PROCESSES).push(claude);
}

#[test]
fn leaked_server() {
    check(
        alone,
        &[
            (
                "nobody can talk to it",
                |_| {},
                &["leaked_server kill_process node mcp.js: server of a Claude that has ended \
                   (session s) in /w; nobody has the other end of its input and output"],
            ),
            (
                "with the session file of its Claude",
                |w| w.first(PROCESSES)["session_file"] = session_file("s", false),
                &["leaked_server kill_process (session s, last active 1 h before) in /w"],
            ),
            (
                "somebody can",
                |w| {
                    of_server(w, "abandoned", &json!(false));
                    w.first(PROCESSES)["session_file"] = session_file("s", true);
                },
                &[],
            ),
            (
                "somebody can, although its Claude is dead",
                |w| {
                    of_server(w, "abandoned", &json!(false));
                    w.first(PROCESSES)["session_file"] = session_file("s", false);
                },
                &["leftover_process - somebody has the other end of its input or output"],
            ),
            (
                "whether anybody can is unknown",
                |w| of_server(w, "abandoned", &json!(null)),
                &["leftover_process - could not be found out"],
            ),
            (
                "it listens",
                |w| of_server(w, "listening", &json!([600])),
                &["leftover_process - process 600 listens on a socket"],
            ),
            (
                "whether it listens is unknown",
                |w| of_server(w, "listening", &json!(null)),
                &["leftover_process - whether it listens on a socket could not be found out"],
            ),
            (
                "Claude runs below it",
                |w| of_server(w, "claude", &json!([900])),
                &["leftover_process - Claude runs below it: process 900"],
            ),
            (
                "a tmux server runs below it",
                |w| of_server(w, "tmux", &json!([900])),
                &["leftover_process - a tmux server runs below it: process 900"],
            ),
            (
                "this command runs below it",
                |w| w.first(PROCESSES)["self"] = json!(true),
                &["leftover_process - it runs this command"],
            ),
            (
                "it was not examined",
                |w| w.first(PROCESSES)["examined"] = json!(false),
                &["leftover_process - what else holds it was not looked for"],
            ),
            ("another process is its top", |w| of_server(w, "top", &json!(599)), &[]),
            (
                "it is not of its chain",
                |w| of_server(w, "chain", &json!([601])),
                &["leftover_process - what else holds it was not looked for"],
            ),
            (
                "another role",
                |w| w.first(PROCESSES)["role"] = json!("child"),
                &["leftover_process -"],
            ),
            ("dead", |w| w.first(PROCESSES)["state"] = json!("Z"), &[]),
            ("another user's", |w| w.first(PROCESSES)["uid"] = json!(0), &[]),
            ("too young", |w| w.first(PROCESSES)["started"] = json!(at(0)), &[]),
            (
                "the scan is incomplete: what was seen of it is enough",
                |w| w.end(PROCESSES)["complete"] = json!(false),
                LEAKED,
            ),
            ("in a pane", |w| w.first(PROCESSES)["tty"] = json!("pts/3"), LEAKED),
            (
                "no option lifts what holds it",
                |w| {
                    w.options.outside_tmux = true;
                    below(w, "log");
                },
                &[
                    "leftover_process - process 650 below it is held: process 812 (x y) has the file",
                ],
            ),
        ],
    );
}

#[test]
fn what_holds_a_server_and_what_is_below_it() {
    for row in HOWS {
        // Its own log, terminal, control group hold nothing: nobody can ask it for anything.
        let holds = ["self", "namespace", "parent", "peer", "service", "tracer", "watcher"]
            .contains(&row.word);
        let expected: &[&str] = if holds { &["leftover_process -"] } else { LEAKED };
        let mut world = alone();
        world.first(PROCESSES)["holders"] = json!([common::holder(row.word, json!("x y"))]);
        assert_findings(row.word, &world.judge(), expected);
        let mut world = alone();
        world.first(PROCESSES)["unread"] = json!([row.word]);
        assert_findings(row.word, &world.judge(), expected);
        // Anything that holds a process below it keeps it.
        let mut world = alone();
        below(&mut world, row.word);
        assert_findings(
            row.word,
            &world.judge(),
            &["leftover_process - process 650 below it is held"],
        );
        let mut world = alone();
        of_server(&mut world, "below_unread", &json!([row.word]));
        assert_findings(row.word, &world.judge(), &["leftover_process - of what is below it"]);
    }
}

#[test]
fn a_server_of_several_processes_is_ended_or_kept_as_a_whole() {
    let all = ["leaked_server kill_process node mcp.js"; 3];
    assert_findings("the chain", &chain().judge(), &all);
    let targets: Vec<String> = chain()
        .judge()
        .findings
        .iter()
        .map(|finding| finding["target"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(targets, ["process 600", "process 601", "process 602"], "from its top");
    // The lister says of each what holds any of them.
    let mut world = chain();
    for process in world.records(PROCESSES) {
        let mut holder = common::holder("tracer", json!("gdb"));
        if process["pid"] != 602 {
            holder["of"] = json!(602);
        }
        process["holders"] = json!([holder]);
    }
    let held =
        "leftover_process - process 602 of the same server is held: process 812 (gdb) traces it";
    assert_findings("one is traced", &world.judge(), &[held]);
    // A line of the keep file about one of them, or about what is below them.
    for kept in [r#""pid":601"#, r#""pid":650"#] {
        let mut world = chain();
        let mut job = child(650, "s");
        job["ancestors"] = json!([602, 601, 600, 1]);
        job["orphaned"] = json!(false);
        world.records(PROCESSES).push(job);
        let lines = lines(&world.scans).join("\n");
        let keeps = |line: &str| line.contains(kept);
        let outcome = common::judge_keeping(&lines, &world.options, &keeps).unwrap();
        assert_findings(kept, &outcome, &["leftover_process - line 7 of keep"]);
    }
}

#[test]
fn leftover_process() {
    check(
        orphan,
        &[
            (
                "its Claude is none of those that live",
                |_| {},
                &[
                    "leftover_process - sleep 3600: left by a Claude that has ended (session s) in /w",
                ],
            ),
            (
                "its session file says so",
                |w| {
                    w.first(PROCESSES)["session_file"] = session_file("s", false);
                    claude(w, json!(null));
                },
                &["untracked_process - terminal", "leftover_process - last active 1 h before"],
            ),
            (
                "its Claude lives",
                |w| {
                    w.first(PROCESSES)["session_file"] = session_file("s", true);
                    claude(w, session_file("s", true));
                },
                &["untracked_process - terminal"],
            ),
            (
                "a living Claude has its session",
                |w| claude(w, session_file("s", true)),
                &["untracked_process - terminal"],
            ),
            (
                "a living Claude has another session",
                |w| claude(w, session_file("t", true)),
                &["untracked_process - terminal", "leftover_process -"],
            ),
            (
                "which session a living Claude has is unknown",
                |w| claude(w, json!(null)),
                &["untracked_process - terminal"],
            ),
            (
                "the process that started it lives",
                |w| {
                    w.first(PROCESSES)["claude"]["pid"] = json!(800);
                    claude(w, session_file("t", true));
                },
                &["untracked_process - terminal"],
            ),
            (
                "the process that started it does not",
                |w| {
                    w.first(PROCESSES)["claude"]["pid"] = json!(801);
                    claude(w, json!(null));
                },
                &["untracked_process - terminal", "leftover_process -"],
            ),
            (
                "no session is known, and no Claude lives",
                |w| w.first(PROCESSES)["claude"]["session"] = json!(null),
                &["leftover_process - left by a Claude that has ended in /w"],
            ),
            (
                "no session is known, and a Claude lives",
                |w| {
                    w.first(PROCESSES)["claude"]["session"] = json!(null);
                    claude(w, session_file("s", true));
                },
                &["untracked_process - terminal"],
            ),
            ("not all Claudes were seen", |w| w.end(PROCESSES)["filtered"] = json!(true), &[]),
            ("its environment is unknown", |w| w.first(PROCESSES)["claude"] = json!(null), &[]),
            (
                "what is below it is counted",
                |w| {
                    let mut below = child(701, "s");
                    below["orphaned"] = json!(false);
                    below["ancestors"] = json!([700, 1]);
                    w.records(PROCESSES).push(below);
                },
                &["leftover_process - sleep 3600 and 1 process below it: left by"],
            ),
            (
                "it works elsewhere",
                |w| w.first(PROCESSES)["cwd"] = json!("/x"),
                &["leftover_process - ; works in /x"],
            ),
            ("dead", |w| w.first(PROCESSES)["state"] = json!("X"), &[]),
            ("another user's", |w| w.first(PROCESSES)["uid"] = json!(0), &[]),
        ],
    );
}

/// An agent's session in which a shell is left, and a server of its dead Claude.
fn zombie() -> World {
    let mut pane = common::pane("%4", 90, "pts/4", &["bash"]);
    pane["running"] = json!(["bash", "node"]);
    pane["adopted"] = json!([{"pid": 600, "start_time": "4711", "names": ["node"]}]);
    let session = common::session("$2", "agent_z", vec![pane]);
    let mut world = World::new(vec![], vec![session], vec![server(600, &[600])]);
    world.end(AGENTS)["filtered"] = json!(true);
    world
}

#[test]
fn h57_a_session_with_nothing_but_leaked_servers_is_a_zombie() {
    const BUSY: &str = "busy_session - it runs node";
    check(
        zombie,
        &[
            (
                "a shell at its prompt and a server",
                |_| {},
                &[
                    "leaked_server kill_process",
                    "zombie_session kill_session no Claude in it; bash and 1 leaked server left",
                ],
            ),
            (
                "the server is a shell at work",
                |w| {
                    let pane = &mut w.first(SESSIONS)["panes"][0];
                    pane["running"] = json!(["bash", "sh"]);
                    pane["adopted"][0]["names"] = json!(["sh"]);
                    let server = common::shell(600, "sh", "work", &["node"]);
                    pane["shells"].as_array_mut().unwrap().push(server);
                },
                &["leaked_server kill_process", "zombie_session kill_session"],
            ),
            (
                "the server is used",
                |w| {
                    of_server(w, "abandoned", &json!(false));
                    w.first(PROCESSES)["session_file"] = session_file("s", true);
                },
                &[BUSY],
            ),
            (
                "another process of the name works below the pane's process",
                |w| w.first(SESSIONS)["panes"][0]["below"] = json!(["bash", "node"]),
                &["leaked_server kill_process", BUSY],
            ),
            (
                "another process of the name is on its terminal",
                |w| {
                    let other = json!({"pid": 601, "start_time": "4711", "names": ["node"]});
                    let adopted = &mut w.first(SESSIONS)["panes"][0]["adopted"];
                    adopted.as_array_mut().unwrap().push(other);
                },
                &["leaked_server kill_process", BUSY],
            ),
            (
                "its pid was another process's",
                |w| w.first(SESSIONS)["panes"][0]["adopted"][0]["start_time"] = json!("1"),
                &["leaked_server kill_process", BUSY],
            ),
            (
                "its shell is at work",
                |w| w.first(SESSIONS)["panes"][0]["shells"][0]["state"] = json!("work"),
                &["leaked_server kill_process", "busy_session - is at work"],
            ),
            (
                "somebody is attached",
                |w| w.first(SESSIONS)["attached"] = json!(1),
                &["leaked_server kill_process", "busy_session - attached"],
            ),
        ],
    );
}

/// A server, or what else Claude left, is no Claude: a session with one has none.
#[test]
fn what_claude_left_is_not_claude() {
    let mut world = left();
    let mut child = child(700, "s");
    child["ancestors"] = json!([90, 1]);
    child["orphaned"] = json!(false);
    world.records(PROCESSES).push(child);
    assert_findings("a child in the pane", &world.judge(), &["zombie_session kill_session"]);
}

/// As agentprune asks, about whatever it sees.
#[test]
fn the_verdict_is_about_servers_of_this_user() {
    let process = |value: Value| -> Process {
        let mut value = value;
        value["scan"] = json!("");
        serde_json::from_value(value).unwrap()
    };
    let its = process(server(600, &[600]));
    assert_eq!(server_verdict(&its, 1000), ServerVerdict::Leaked);
    assert_eq!(server_verdict(&its, 0), ServerVerdict::Foreign);
    for role in ["claude", "child"] {
        let mut other = server(600, &[600]);
        other["role"] = json!(role);
        assert_eq!(server_verdict(&process(other), 1000), ServerVerdict::None, "{role}");
    }
    // Nor does it make a session one with Claude.
    let mut session = common::session("$1", "agent_a", vec![common::pane("%3", 70, "pts/3", &[])]);
    session["scan"] = json!("");
    let session: Session = serde_json::from_value(session).unwrap();
    let mut in_pane = server(600, &[600]);
    in_pane["tty"] = json!("pts/3");
    let panes = Panes::new([&session], [801].into_iter().collect());
    let in_pane = process(in_pane);
    assert!(with_claude(&panes, [&in_pane]).is_empty());
    let mut claude = common::process(601);
    claude["tty"] = json!("pts/3");
    let claude = process(claude);
    let found: HashSet<_> = with_claude(&panes, [&claude]).into_iter().collect();
    assert_eq!(found, [(801, "$1")].into());
}
