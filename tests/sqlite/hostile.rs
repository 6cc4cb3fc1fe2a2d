//! Databases that are more, or elsewhere, than the orchestrator makes them.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{add_database, database, found, lsagents, python, statuses, world};
use crate::world::{User, World, built, privately_with_users, run};

#[test]
fn h66_a_view_that_never_ends_and_a_large_database_are_refused_at_once() {
    let world = world(
        "c.execute('PRAGMA foreign_keys=OFF'); c.execute('ALTER TABLE agents RENAME TO real')
c.execute(\"CREATE VIEW agents AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) \
SELECT 'a' || x agent_id, 'TASK-1' task_id, '' tmux_session, 'failed' status, NULL started_at, \
NULL completed_at, NULL last_update FROM n\")",
    );
    let begun = Instant::now();
    let ran = lsagents(&world).expect(&[2]);
    assert!(ran.err.contains("it has no table agents"), "{}", ran.err);
    assert!(begun.elapsed() < Duration::from_secs(5));
    let mut small = world.tool("lsagents");
    small.args(["--max-size", "4KiB", "--workspace"]).arg(world.path());
    let ran = run(&mut small, "").expect(&[2]);
    assert!(ran.err.contains("more than --max-size allows (4096)"), "{}", ran.err);
}

#[test]
fn h66_a_trigger_is_not_set_off() {
    let world = world("agent(c, 'ghost')");
    let findings = found(&world);
    python(
        &world,
        "connect().execute('CREATE TRIGGER t AFTER UPDATE ON agents BEGIN UPDATE tasks SET description = \
(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n); END')",
    );
    let pruned = world.prune(&findings, &["--yes"]).expect(&[1]);
    let reason = pruned.records()[0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("its trigger t would change more"), "{reason}");
    assert_eq!(statuses(&world), json!({"ghost": "running"}));
}

#[test]
fn h66_a_row_that_cannot_be_written_keeps_no_other() {
    let world = world(
        "[agent(c, i) for i in ('a', 'long', 'z')]
c.execute(\"UPDATE agents SET prompt_preview = ? WHERE agent_id = 'long'\", ('x' * (2 << 20),))",
    );
    world.prune(&found(&world), &["--yes"]).expect(&[1]);
    assert_eq!(statuses(&world), json!({"a": "failed", "long": "running", "z": "failed"}));
}

#[test]
fn h67_a_line_is_appended_to_the_agents_own_progress_file_only() {
    for other in
        ["AGENT_REGISTRY.json", "progress/live_progress.jsonl", "../registry/state.sqlite3"]
    {
        let world = world(&format!(
            "agent(c, 'ghost'); line('live', 'working')
e = entry('ghost'); e['tracked_files'] = {{'progress_file':
    os.path.normpath(os.path.join(workspace(), 'TASK-1', '{other}'))}}
task_file([e])"
        ));
        let task = world.path().join(".agent-workspace/TASK-1");
        world.prune(&found(&world), &["--yes"]).expect(&[0]);
        let live = fs::read_to_string(task.join("progress/live_progress.jsonl")).unwrap();
        assert_eq!(live.lines().count(), 1, "{other}: {live}");
        let own = fs::read_to_string(task.join("progress/ghost_progress.jsonl")).unwrap();
        assert!(own.contains("\"failed\""), "{other}: {own}");
        let task = fs::read_to_string(task.join("AGENT_REGISTRY.json")).unwrap();
        let task: serde_json::Value = serde_json::from_str(&task).unwrap();
        assert_eq!(task["agents"][0]["status"], "terminated", "{other}");
    }
}

#[test]
fn h66_a_link_out_of_the_workspace_is_refused() {
    let world = world("agent(c, 'ghost')");
    let elsewhere = world.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let moved = elsewhere.join("state.sqlite3");
    fs::rename(database(&world), &moved).unwrap();
    symlink(&moved, database(&world)).unwrap();
    let ran = lsagents(&world).expect(&[2]);
    assert!(ran.err.contains("a symbolic link leads from its workspace"), "{}", ran.err);
    // The directory, and then the whole workspace, which is no harm.
    fs::remove_file(database(&world)).unwrap();
    let workspace = world.path().join(".agent-workspace");
    fs::remove_dir_all(workspace.join("registry")).unwrap();
    symlink(&elsewhere, workspace.join("registry")).unwrap();
    lsagents(&world).expect(&[2]);
    fs::remove_file(workspace.join("registry")).unwrap();
    fs::rename(&elsewhere, workspace.join("registry")).unwrap();
    let target = world.path().join("target");
    fs::rename(&workspace, &target).unwrap();
    symlink(&target, &workspace).unwrap();
    lsagents(&world).expect(&[0]);
}

#[test]
fn h34_the_home_is_the_users_and_a_closed_workspace_is_not_gone() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        add_database(&world, "today", "agent(c, 'ghost')");
        let index = alice.home.join(".claude-orchestrator");
        let closed = alice.home.join("closed");
        fs::create_dir_all(closed.join(".agent-workspace/registry")).unwrap();
        fs::create_dir_all(&index).unwrap();
        alice.own(&alice.home);
        python(
            &world,
            &format!(
                "c = sqlite3.connect('{0}/.claude-orchestrator/global_registry.sqlite3')
c.execute('CREATE TABLE known_workspaces(workspace_base TEXT PRIMARY KEY)')
for base in (workspace(), '{0}/gone', '{0}/closed/.agent-workspace'):
    c.execute('INSERT INTO known_workspaces VALUES (?)', (base,))
c.commit()",
                alice.home.display()
            ),
        );
        let all = || {
            let mut all = std::process::Command::new(built().join("lsagents"));
            all.args(["--user", "alice", "--all-workspaces"]).current_dir("/").env("HOME", "/root");
            run(&mut all, "")
        };
        let ran = all().expect(&[0]);
        assert_eq!(ran.records()[0]["id"], "ghost", "{}", ran.err);
        fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        let ran = all().expect(&[2]);
        assert!(ran.err.contains("closed/.agent-workspace: Permission denied"), "{}", ran.err);
        assert!(ran.err.contains("/gone: the orchestrator knows this workspace"), "{}", ran.err);
        assert_eq!(ran.records()[0]["id"], "ghost");
    });
}
