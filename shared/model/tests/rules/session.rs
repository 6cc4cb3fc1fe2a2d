//! Sessions.

use serde_json::json;

use super::*;

#[test]
fn zombie_session() {
    for name in ["sh", "bash", "dash", "zsh", "ksh", "fish", "sleep", "tee", "cat", "tail", "less"]
    {
        let mut world = left();
        world.first(SESSIONS)["panes"][0]["running"] = json!([name]);
        let expected = format!("zombie_session kill_session no Claude in it; {name} left");
        assert_findings(name, &world.judge(), &[&expected]);
    }
    check(
        left,
        &[
            ("a dead pane", dead_pane, &["zombie_session kill_session nothing left"]),
            (
                "Claude is its pane's process",
                |w| w.records(PROCESSES).push(common::process(90)),
                &[],
            ),
            (
                "Claude on its terminal",
                |w| {
                    w.records(PROCESSES).push(common::process(91));
                    w.first(PROCESSES)["tty"] = json!("pts/4");
                },
                &[],
            ),
            (
                "its Claude is dead",
                |w| {
                    w.records(PROCESSES).push(common::process(90));
                    w.first(PROCESSES)["state"] = json!("Z");
                },
                &["zombie_session kill_session bash left", "defunct_process - parent 1 systemd"],
            ),
            ("the prefix inside", |w| w.first(SESSIONS)["name"] = json!("my_agent_z"), &[]),
            ("an agent's, renamed", |w| w.first(SESSIONS)["name"] = json!("work"), &[]),
            ("another prefix", |w| w.options.prefix = "bot_".to_owned(), &[]),
            (
                "that prefix",
                |w| {
                    w.options.prefix = "bot_".to_owned();
                    w.first(SESSIONS)["name"] = json!("bot_1");
                },
                &["zombie_session kill_session "],
            ),
        ],
    );
}

#[test]
fn busy_session() {
    check(
        left,
        &[
            (
                "Claude under another name",
                |w| w.first(SESSIONS)["panes"][0]["running"] = json!(["bash", "klaud"]),
                &["busy_session - it runs klaud"],
            ),
            (
                "work in the second pane",
                |w| {
                    let second = common::pane("%5", 91, "pts/5", &["bash", "ssh", "tmux"]);
                    w.first(SESSIONS)["panes"].as_array_mut().unwrap().push(second);
                },
                &["busy_session - it runs ssh, tmux"],
            ),
            (
                "somebody watches",
                |w| w.first(SESSIONS)["attached"] = json!(1),
                &["busy_session - 1 client attached"],
            ),
            (
                "somebody watches, --busy",
                |w| {
                    w.first(SESSIONS)["attached"] = json!(2);
                    w.options.busy = true;
                },
                &["busy_session - 2 clients attached"],
            ),
            (
                "nobody watches, --busy",
                |w| {
                    w.first(SESSIONS)["panes"][0]["running"] = json!(["bash", "node"]);
                    w.options.busy = true;
                },
                &["zombie_session kill_session (--busy; runs node)"],
            ),
            (
                "Claude in it, --busy",
                |w| {
                    w.records(PROCESSES).push(common::process(90));
                    w.options.busy = true;
                },
                &[],
            ),
        ],
    );
}

#[test]
fn orphan_session() {
    fn base() -> World {
        let mut world = gone();
        renamed(&mut world, "agent_a", None);
        world
    }
    check(
        base,
        &[
            ("an entry names it", |_| {}, &[]),
            (
                "no entry at all",
                |w| drop(w.records(AGENTS).remove(0)),
                &["orphan_session - no registry entry names it"],
            ),
            (
                "not an agent's",
                |w| {
                    w.records(AGENTS).remove(0);
                    renamed(w, "work", None);
                },
                &[],
            ),
            (
                "an entry that is over names it",
                |w| {
                    w.first(AGENTS)["status"] = json!("completed");
                    w.first(AGENTS)["scope"] = json!("task");
                },
                &[],
            ),
            (
                "an entry is its agent's",
                |w| {
                    w.first(AGENTS)["tmux_session"] = json!("agent_#S");
                    renamed(w, "agent_0", Some("a"));
                },
                &[],
            ),
        ],
    );
}
