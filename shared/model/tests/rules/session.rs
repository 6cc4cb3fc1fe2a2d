//! Sessions.

use serde_json::{Value, json};

use super::*;

#[test]
fn zombie_session() {
    for name in ["sh", "bash", "dash", "zsh", "ksh", "fish", "sleep", "tee", "cat", "tail", "less"]
    {
        let mut world = left();
        world.first(SESSIONS)["panes"] = json!([common::pane("%4", 90, "pts/4", &[name])]);
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
                &["zombie_session kill_session (--busy; it runs node)"],
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

/// Gives the shell of the pane a state and children.
fn doing(world: &mut World, state: Value, children: &[&str]) {
    let shell = &mut world.first(SESSIONS)["panes"][0]["shells"][0];
    shell["state"] = state;
    shell["children"] = json!(children);
}

#[test]
fn a_shell_is_inert_only_at_its_prompt() {
    check(
        left,
        &[
            ("at its prompt", |_| {}, &["zombie_session kill_session bash left"]),
            (
                "at work",
                |w| doing(w, json!("work"), &[]),
                &["busy_session - its bash (process 90) is at work"],
            ),
            (
                "at work, only copiers below it",
                |w| doing(w, json!("work"), &["tee"]),
                &["busy_session - its bash (process 90) is at work"],
            ),
            (
                "unknown",
                |w| doing(w, json!(null), &[]),
                &["busy_session - its bash (process 90) does could not be found out"],
            ),
            (
                "not described",
                |w| w.first(SESSIONS)["panes"][0]["shells"] = json!([]),
                &["busy_session - what the shell in %4 does is unknown"],
            ),
            (
                "a job in the background",
                |w| doing(w, json!("prompt"), &["sleep"]),
                &["busy_session - its bash (process 90) has started sleep"],
            ),
            (
                "a copier in the background",
                |w| doing(w, json!("prompt"), &["tail"]),
                &["zombie_session kill_session bash left"],
            ),
            (
                "it waits for the program of its -c",
                |w| doing(w, json!("waits"), &["sleep"]),
                &["zombie_session kill_session bash left"],
            ),
            (
                "the second shell",
                |w| {
                    let second = common::shell(91, "sh", "work", &["sleep"]);
                    let shells = &mut w.first(SESSIONS)["panes"][0]["shells"];
                    shells.as_array_mut().unwrap().push(second);
                },
                &["busy_session - its sh (process 91) is at work"],
            ),
            (
                "the shell of the second pane",
                |w| {
                    let mut second = common::pane("%5", 91, "pts/5", &["zsh"]);
                    second["shells"][0]["state"] = json!("work");
                    w.first(SESSIONS)["panes"].as_array_mut().unwrap().push(second);
                },
                &["busy_session - its zsh (process 91) is at work"],
            ),
            (
                "at work, --busy",
                |w| {
                    doing(w, json!("work"), &[]);
                    w.options.busy = true;
                },
                &["zombie_session kill_session --busy; its bash (process 90) is at work"],
            ),
            (
                "a bare sleep",
                |w| {
                    let bare = common::pane("%4", 90, "pts/4", &["sleep"]);
                    w.first(SESSIONS)["panes"] = json!([bare]);
                },
                &["zombie_session kill_session sleep left"],
            ),
        ],
    );
}

/// A session of an agent that has an entry in the user's own registry, just active.
fn just_active() -> World {
    let mut world = gone();
    world.first(SESSIONS)["name"] = json!("agent_a");
    world.first(SESSIONS)["activity"] = json!(common::at(-599));
    world
}

#[test]
fn recent_session() {
    const UNTIL: &str = "active at 2025-10-29T23:15:01Z: a zombie from 2025-10-29T23:25:01Z on";
    const ORPHAN: &str = "orphan_session - no registry entry names it";
    const ZOMBIE: &str = "zombie_session kill_session bash left, nobody attached";
    const GHOST: &str = "ghost_agent remove_entry session is a zombie: agent_a";
    let recent = format!("recent_session - {UNTIL}");
    let without_entry = |world: &mut World| drop(world.records(AGENTS).remove(0));
    let expect = |what: &str, change: &dyn Fn(&mut World), expected: &[&str]| {
        let mut world = just_active();
        change(&mut world);
        assert_findings(what, &world.judge(), expected);
    };
    expect("an entry names it", &|_| {}, &[ZOMBIE, GHOST]);
    expect("no entry", &without_entry, &[&recent, ORPHAN]);
    expect(
        "ten minutes later",
        &|w| {
            without_entry(w);
            w.first(SESSIONS)["activity"] = json!(common::at(-600));
        },
        &[ZOMBIE, ORPHAN],
    );
    expect(
        "the processes were listed before that",
        &|w| {
            without_entry(w);
            w.first(SESSIONS)["activity"] = json!(common::at(-600));
            w.end(PROCESSES)["taken_at"] = json!(common::at(-1));
        },
        &["recent_session - ", ORPHAN],
    );
    expect(
        "in the future",
        &|w| {
            without_entry(w);
            w.first(SESSIONS)["activity"] = json!(common::at(900));
        },
        &["recent_session - ", ORPHAN],
    );
    expect(
        "--unregistered",
        &|w| {
            without_entry(w);
            w.options.unregistered = true;
        },
        &[ZOMBIE, ORPHAN],
    );
    expect(
        "--busy does not shorten it",
        &|w| {
            without_entry(w);
            doing(w, json!("work"), &[]);
            w.options.busy = true;
        },
        &["recent_session - --busy; its bash (process 70) is at work", ORPHAN],
    );
    // Whose registry it is shows in its record.
    let foreign = |w: &mut World| w.records(AGENTS)[1]["owner_uid"] = json!(1001);
    expect("the registry is another user's", &foreign, &[&recent]);
    expect("there is no registry record", &|w| drop(w.records(AGENTS).remove(1)), &[&recent]);
    expect("no agents were listed", &|w| drop(w.scans.remove(AGENTS)), &[&recent]);
    expect(
        "its entry is over",
        &|w| {
            w.first(AGENTS)["scope"] = json!("task");
            w.first(AGENTS)["status"] = json!("completed");
        },
        &[ZOMBIE],
    );
}

#[test]
fn a_zombie_carries_the_entry_that_names_it() {
    let world = just_active();
    let found = &world.judge().findings[0];
    assert_eq!(found["kind"], "zombie_session");
    assert_eq!(
        (&found["agent"]["id"], &found["session"]["name"]),
        (&json!("a"), &json!("agent_a"))
    );
}

#[test]
fn a_claude_that_has_left_its_pane_keeps_the_session() {
    let detached = |world: &mut World, server_pid: i32, pane: &str| {
        let mut claude = common::process(500);
        claude["tmux"] = json!({"server_pid": server_pid, "pane": pane});
        world.records(PROCESSES).push(claude);
    };
    let mut world = left();
    detached(&mut world, 801, "%4");
    let held = "untracked_process - started from %4 of agent_z";
    assert_findings("of its pane", &world.judge(), &[held]);
    world.first(PROCESSES)["state"] = json!("Z");
    let outcome = world.judge();
    let dead = "defunct_process - dead";
    assert_findings("dead", &outcome, &["zombie_session kill_session bash left", dead]);
    // Of two sessions with the window, none is a zombie.
    let mut world = left();
    let mut other = world.first(SESSIONS).clone();
    other["id"] = json!("$9");
    other["name"] = json!("agent_y");
    world.records(SESSIONS).push(other);
    detached(&mut world, 801, "%4");
    assert_findings("of a linked window", &world.judge(), &["untracked_process - started from %4"]);
    for (server_pid, pane) in [(801, "%9"), (801, "%3")] {
        let mut world = left();
        detached(&mut world, server_pid, pane);
        let kinds: Vec<Value> =
            world.judge().findings.iter().map(|finding| finding["kind"].clone()).collect();
        assert!(kinds.contains(&json!("zombie_session")), "{server_pid} {pane}: {kinds:?}");
    }
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
