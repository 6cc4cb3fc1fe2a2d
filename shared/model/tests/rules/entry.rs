//! Registry entries and the counters over them.

use serde_json::json;

use super::*;
use crate::common::at;

#[test]
fn ghost_agent() {
    let statuses =
        ["running", "working", "blocked", "reviewing", "completed", "terminated", "error", "?"];
    let statuses = statuses.map(|status| json!(status)).into_iter().chain([json!(null)]);
    for (number, status) in statuses.enumerate() {
        let mut world = gone();
        world.first(AGENTS)["status"] = status.clone();
        let expected = ["ghost_agent remove_entry no tmux session agent_a among 1 session"];
        assert_findings(&status.to_string(), &world.judge(), &expected);
        for record in world.records(AGENTS) {
            record["scope"] = json!("task");
        }
        let expected: &[&str] =
            if number < 4 { &["ghost_agent terminate_entry agent_a"] } else { &[] };
        assert_findings(&status.to_string(), &world.judge(), expected);
    }
    check(
        gone,
        &[
            ("its session is there", |w| renamed(w, "agent_a", None), &[]),
            ("it is renamed", |w| renamed(w, "work", Some("a")), &[]),
            ("a longer name", |w| renamed(w, "agent_a y", None), GHOST_AND_ORPHAN),
            (
                "`.` and `:`",
                |w| {
                    w.first(AGENTS)["tmux_session"] = json!("agent_a.b:c");
                    renamed(w, "agent_a_b_c", None);
                },
                &[],
            ),
            (
                "`$` and `\\`",
                |w| {
                    w.first(AGENTS)["tmux_session"] = json!(r"agent_$x\y");
                    renamed(w, r"agent_\$x\\y", None);
                },
                &[],
            ),
            (
                "a name that tmux expands",
                |w| w.first(AGENTS)["tmux_session"] = json!("agent_#{pid}"),
                &[],
            ),
            (
                "an id that tmux expands, no name",
                |w| {
                    w.first(AGENTS)["id"] = json!("#(date)");
                    w.first(AGENTS)["tmux_session"] = json!(null);
                },
                &[],
            ),
            (
                "a name that tmux expands, and a zombie that may be another's",
                |w| {
                    w.first(AGENTS)["tmux_session"] = json!("agent_#{pid}");
                    renamed(w, "agent_old", Some("a"));
                    w.records(PROCESSES).clear();
                },
                &["zombie_session kill_session "],
            ),
            (
                "no name",
                |w| w.first(AGENTS)["tmux_session"] = json!(null),
                &["ghost_agent remove_entry no tmux session agent_a"],
            ),
            (
                "no name, but the orchestrator's",
                |w| {
                    w.first(AGENTS)["tmux_session"] = json!(null);
                    renamed(w, "agent_a", None);
                },
                &[],
            ),
            ("no id", |w| w.first(AGENTS)["id"] = json!(""), &[]),
            (
                "no server",
                |w| {
                    w.records(SESSIONS).clear();
                    w.end(SESSIONS)["server_pids"] = json!([]);
                },
                &[
                    "ghost_agent remove_entry no tmux server for uid 1000: the only entry is a ghost",
                ],
            ),
            (
                "two entries, no server",
                |w| {
                    w.records(AGENTS).push(common::agent("b"));
                    w.records(SESSIONS).clear();
                    w.end(SESSIONS)["server_pids"] = json!([]);
                },
                &[
                    "ghost_agent remove_entry all 2 entries",
                    "ghost_agent remove_entry all 2 entries",
                ],
            ),
            (
                "only a zombie",
                |w| {
                    renamed(w, "agent_a", None);
                    w.records(PROCESSES).clear();
                },
                &[
                    "zombie_session kill_session ",
                    "ghost_agent remove_entry session is a zombie: agent_a",
                ],
            ),
            (
                "a zombie by name, and Claude in a renamed one",
                |w| {
                    renamed(w, "mine", Some("a"));
                    let zombie = common::pane("%8", 80, "pts/8", &["bash"]);
                    w.records(SESSIONS).push(common::session("$8", "agent_a", vec![zombie]));
                },
                &["zombie_session kill_session "],
            ),
            (
                "a busy session",
                |w| {
                    renamed(w, "agent_a", None);
                    w.records(PROCESSES).clear();
                    w.first(SESSIONS)["attached"] = json!(1);
                },
                &["busy_session - 1 client attached"],
            ),
            (
                "a zombie too young",
                |w| {
                    renamed(w, "agent_a", None);
                    w.records(PROCESSES).clear();
                    w.first(SESSIONS)["created"] = json!(at(-1));
                },
                &[],
            ),
            (
                "a session of another user's server",
                |w| {
                    renamed(w, "agent_a", None);
                    w.first(SESSIONS)["uid"] = json!(0);
                    w.first(SESSIONS)["server_pid"] = json!(900);
                },
                &[],
            ),
        ],
    );
}

const GHOST_AND_ORPHAN: &[&str] = &["ghost_agent remove_entry agent_a", "orphan_session - "];

#[test]
fn count_mismatch() {
    fn base() -> World {
        let mut world = gone();
        world.scans[AGENTS].records.remove(0);
        world
    }
    check(
        base,
        &[
            ("right", |_| {}, &[]),
            (
                "wrong",
                |w| w.first(AGENTS)["counters"]["active_agents"]["stored"] = json!(9),
                &["count_mismatch set_counters active_agents is 9, its entries add up to 1"],
            ),
            (
                "not there",
                |w| w.first(AGENTS)["counters"]["active_agents"]["stored"] = json!(null),
                &[],
            ),
            (
                "two wrong",
                |w| {
                    w.first(AGENTS)["counters"] = json!({
                        "total_spawned": {"stored": 3, "computed": 2},
                        "active_count": {"stored": -1, "computed": 0},
                    });
                },
                &[
                    "count_mismatch set_counters active_count is -1, its entries add up to 0; total_spawned is 3",
                ],
            ),
        ],
    );
}
