//! What is listed and found.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::{database, found, ghosts, judged, lsagents, python, world, world_of};
use crate::world::run;

/// Seven agents: three ghosts, one with a session, two that are over, one of a status that
/// nobody knows.
const SEVEN: &str = "
agent(c, 'silent', started_at='2026-02-03T04:05:06')
agent(c, 'blocked', 'BLOCKED')
agent(c, 'empty', '')
agent(c, 'live', tmux_session='agent_live')
agent(c, 'done', 'completed', tmux_session='agent_kept')
agent(c, 'killed', 'killed')
agent(c, 'odd', 'paused')
";

#[test]
fn h65_active_rows_without_a_session_are_ghosts_in_every_version() {
    for version in ["january", "migrated", "today", "next"] {
        let world = world_of(version, SEVEN);
        world.session("agent_live", "sleep 3600");
        world.session("agent_kept", "sleep 3600");
        let records = lsagents(&world).ok().records();
        let agents: Vec<_> = records.iter().filter(|record| record["type"] == "agent").collect();
        assert_eq!(agents.len(), 7, "{version}");
        for agent in &agents {
            assert_eq!(agent["format"], "sqlite");
            assert_eq!(agent["scope"], "state");
            assert_eq!(agent["registry"], database(&world).to_str().unwrap());
        }
        let registry = records.iter().find(|record| record["type"] == "registry").unwrap();
        assert_eq!(registry["format"], "sqlite");
        let computed = |number| json!({"stored": null, "computed": number});
        assert_eq!(registry["counters"]["total_agents"], computed(7));
        assert_eq!(registry["counters"]["active_agents"], computed(4));
        let findings = found(&world);
        assert_eq!(ghosts(&findings), ["blocked", "empty", "silent"], "{version}: {findings}");
        assert!(findings.contains("terminate_entry") && !findings.contains("count_mismatch"));
    }
}

/// A name with a space at its end is another name; an empty one is not known.
#[test]
fn session_names_are_compared_as_they_are() {
    let script = "
agent(c, 'a', tmux_session='agent_a ')
agent(c, 'b', tmux_session='')
agent(c, 'c', tmux_session=None)
agent(c, 'd', tmux_session='')
";
    let world = world(script);
    for name in ["agent_a", "agent_d"] {
        world.session(name, "sleep 3600");
    }
    let ran = judged(&world);
    // By its id, a's session is there all the same, under another name.
    assert_eq!(ghosts(&ran.out), Vec::<String>::new(), "{}", ran.out);
    assert!(ran.err.contains("does not know the names of their sessions"), "{}", ran.err);
    assert!(ran.err.contains("2 agents"), "{}", ran.err);
}

#[test]
fn h67_an_agent_in_json_and_database_is_one() {
    let script = "
agent(c, 'both', 'completed')
task_file([entry('both'), entry('old')])
json.dump({'agents': {'both': entry('both'), 'older': entry('older')}, 'total_agents_spawned': 2,
    'active_agents': 2}, open(workspace() + '/registry/GLOBAL_REGISTRY.json', 'w'))
";
    let world = world(script);
    let records = lsagents(&world).ok().records();
    let mut agents: Vec<_> = records
        .iter()
        .filter(|record| record["type"] == "agent")
        .map(|agent| (agent["id"].as_str().unwrap(), agent["scope"].as_str().unwrap()))
        .collect();
    agents.sort_unstable();
    assert_eq!(agents, [("both", "state"), ("old", "task"), ("older", "global")]);
    assert_eq!(ghosts(&found(&world)), ["old", "older"]);
}

/// The orchestrator's index names one workspace three times, and some that are gone.
#[test]
fn all_workspaces_of_the_index_are_read_each_once() {
    let world = world("agent(c, 'a')");
    let home = world.path().join("home");
    let workspace = world.path().join(".agent-workspace");
    fs::create_dir_all(home.join(".claude-orchestrator")).unwrap();
    fs::create_dir_all(home.join("literal/${workspaceFolder}")).unwrap();
    symlink(&workspace, home.join("literal/${workspaceFolder}/ws")).unwrap();
    symlink(&workspace, home.join("at-home")).unwrap();
    let script = format!(
        "
home = {home:?}
path = home + '/.claude-orchestrator/global_registry.sqlite3'
c = connect()
c.execute('''CREATE TABLE known_workspaces(workspace_base TEXT PRIMARY KEY, project_name TEXT,
    client_cwd TEXT, first_seen TEXT, last_accessed TEXT, task_count INTEGER, is_active INTEGER)''')
for base, cwd, active in [
    ({workspace:?}, None, 0), (home + '/literal/${{workspaceFolder}}/ws', None, 1),
    ('/x/~/at-home', None, 1), ('${{workspaceFolder}}/.agent-workspace', {project:?}, 1),
    ('/nowhere/.agent-workspace', None, 1), (home + '/tasks-only', None, 1)]:
    c.execute('INSERT INTO known_workspaces(workspace_base, client_cwd, is_active) VALUES(?,?,?)',
        (base, cwd, active))
c.close()
",
        project = world.path()
    );
    python(&world, &script);
    let mut command = world.tool("lsagents");
    command.arg("--all-workspaces").env("HOME", &home).current_dir("/");
    let ran = run(&mut command, "").ok();
    let kinds: Vec<_> = ran.records().iter().map(|record| record["type"].clone()).collect();
    assert_eq!(kinds, ["agent", "registry", "end"], "{}", ran.out);
    assert!(ran.err.contains("/nowhere/.agent-workspace: "), "{}", ran.err);
    assert!(ran.err.contains("it is gone"), "{}", ran.err);
    // A workspace whose agents stand in the file of a task alone is not passed over: it lacks
    // the file that is read by default.
    let task = home.join("tasks-only/TASK-9");
    fs::create_dir_all(&task).unwrap();
    fs::write(task.join("AGENT_REGISTRY.json"), r#"{"agents": [{"id": "only"}]}"#).unwrap();
    let ran = run(&mut command, "").expect(&[2]);
    assert!(ran.err.contains("GLOBAL_REGISTRY.json: "), "{}", ran.err);
    let ran = run(command.arg("--all"), "").expect(&[2]);
    assert!(ran.records().iter().any(|record| record["id"] == "only"), "{}", ran.out);
    // Without an index nobody can say what there is.
    let mut command = world.tool("lsagents");
    command.arg("--all-workspaces").env("HOME", "/nowhere");
    run(&mut command, "").expect(&[2]);
}

#[test]
fn the_orchestrators_own_workspace_is_the_last_that_is_looked_for() {
    let world = world("agent(c, 'a')");
    let home = world.path().join("home");
    fs::create_dir_all(home.join(".claude-orchestrator")).unwrap();
    let workspace = world.path().join(".agent-workspace");
    symlink(workspace, home.join(".claude-orchestrator/workspaces")).unwrap();
    let mut command = world.tool("lsagents");
    let ran = run(command.env("HOME", &home).current_dir("/"), "").ok();
    assert_eq!(ran.records()[0]["id"], "a");
}

/// The orchestrator makes the session first; the row follows some seconds later.
#[test]
fn h65_a_new_session_without_a_row_is_no_orphan_yet() {
    let world = world("agent(c, 'a')");
    world.session("agent_new", "sleep 3600");
    let scan = lsagents(&world).ok().out + &run(&mut world.lssessions(), "").ok().out;
    let ran = world.diff(&scan, &[]);
    assert!(!ran.out.contains("orphan_session"), "{}", ran.out);
    assert!(ran.err.contains("no entry names yet"), "{}", ran.err);
    // Seen a minute later, it is one.
    let created = scan.lines().find(|line| line.contains("agent_new")).unwrap();
    let created: serde_json::Value = serde_json::from_str(created).unwrap();
    let old = created["created"].as_str().unwrap();
    let earlier = old.parse::<jiff::Timestamp>().unwrap() - jiff::SignedDuration::from_mins(1);
    let ran = world.diff(&scan.replace(old, &earlier.to_string()), &[]);
    assert!(ran.out.contains("orphan_session"), "{} {}", ran.out, ran.err);
}
