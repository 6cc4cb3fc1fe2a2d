//! tmux servers that were not asked. Which of them could have the session of an entry is a
//! table of its own, beside the rule.

use serde_json::json;

use super::*;

const GHOST: &[&str] = &["ghost_agent remove_entry agent_a"];

/// A ghost, and root's tmux server with Claude in it.
fn beside_root() -> World {
    let mut world = gone();
    let mut server = common::unasked(812);
    server["uid"] = json!(0);
    world.end(SESSIONS)["unasked"] = json!([server]);
    let mut claude = common::process(900);
    claude["uid"] = json!(0);
    claude["ancestors"] = json!([899, 812, 1]);
    world.records(PROCESSES).push(claude);
    world
}

#[test]
fn ghosts_wait_for_servers_that_were_not_asked() {
    check(
        beside_root,
        &[
            ("Claude below it", |_| {}, &[]),
            (
                "Claude that names it",
                |w| {
                    w.first(PROCESSES)["ancestors"] = json!([1]);
                    w.first(PROCESSES)["tmux"] = json!({"server_pid": 812, "pane": "%1"});
                },
                &[],
            ),
            ("Claude elsewhere", |w| w.first(PROCESSES)["ancestors"] = json!([1]), GHOST),
            ("its Claude is dead", |w| w.first(PROCESSES)["state"] = json!("Z"), GHOST),
            ("no Claude", |w| w.records(PROCESSES).clear(), GHOST),
            ("nobody asked for Claude", |w| drop(w.scans.remove(PROCESSES)), &[]),
            (
                "processes filtered",
                |w| {
                    w.records(PROCESSES).clear();
                    w.end(PROCESSES)["filtered"] = json!(true);
                },
                &[],
            ),
            (
                "processes incomplete",
                |w| {
                    w.records(PROCESSES).clear();
                    w.end(PROCESSES)["complete"] = json!(false);
                },
                &[],
            ),
            (
                "it cannot write the registry",
                |w| {
                    w.end(SESSIONS)["unasked"][0]["uid"] = json!(1001);
                },
                GHOST,
            ),
            ("the user's word", |w| w.options.ignore_unasked = true, GHOST),
            (
                "a task's entry",
                |w| {
                    w.records(AGENTS).iter_mut().for_each(|record| record["scope"] = json!("task"));
                    w.first(AGENTS)["status"] = json!("working");
                },
                &[],
            ),
            (
                "its own session is there too",
                |w| {
                    renamed(w, "agent_a", None);
                    w.records(PROCESSES)[1]["pid"] = json!(70);
                },
                &[],
            ),
        ],
    );
    let notes = beside_root().judge().notes;
    let expected =
        "1 agent not judged: tmux server 812 of uid 0 was not asked, has Claude below it";
    assert!(notes.contains(expected), "{notes}");
    let mut ignored = beside_root();
    ignored.options.ignore_unasked = true;
    assert_eq!(ignored.judge().findings[0]["evidence"]["ignore_unasked"], true);
}
