//! Ghosts of the database are ended so that it holds.

use std::fs;

use serde_json::{Value, json};

use super::{dump, found, ghosts, last_status, prune, python, statuses, world, world_of};

/// A world of the orchestrator: two ghosts, one of which has reported; one that is over with
/// a session; one that the orchestrator killed; one that lives.
const WORLD: &str = "
agent(c, 'silent')
agent(c, 'talker', 'working', phase_index=1)
line('talker', 'working', '2026-02-03T04:06:00.000000')
agent(c, 'done', 'completed', tmux_session='agent_kept')
agent(c, 'killed', 'killed')
agent(c, 'live', phase_index=1)
task_file([entry('silent'), entry('talker'), entry('done', 'completed')])
";

fn rows_of(dump: &Value, table: &str, without: &[&str]) -> Vec<String> {
    let rows = dump[table].as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned());
    rows.filter(|row| !without.iter().any(|id| row.contains(&format!("\"{id}\"")))).collect()
}

#[test]
fn h65_both_ghosts_stay_ended_and_nothing_else_changes() {
    for version in ["january", "migrated", "today", "next"] {
        let world = world_of(version, WORLD);
        world.session("agent_live", "sleep 3600");
        world.session("agent_kept", "sleep 3600");
        let before = dump(&world);
        let findings = found(&world);
        assert_eq!(ghosts(&findings), ["silent", "talker"]);
        let records = prune(&world, &findings);
        assert_eq!(records.len(), 2, "{records:?}");
        for record in &records {
            assert_eq!(record["result"], "done", "{record}");
            assert_eq!(record["action"], "terminate_entry", "{record}");
            assert!(record["reason"].as_str().unwrap().starts_with("entry marked as failed"));
        }
        // A phase without an active agent waits for somebody.
        let has_note = |record: &Value| record["reason"].as_str().unwrap().contains("no review");
        assert!(has_note(&records[0]) && !has_note(&records[1]), "{records:?}");

        let after = dump(&world);
        let ended = ["silent", "talker"];
        for table in before.as_object().unwrap().keys() {
            let changed: &[&str] = match table.as_str() {
                "agents" | "agent_progress_latest" => &ended,
                "tasks" => &["TASK-1"],
                _ => &[],
            };
            assert_eq!(rows_of(&before, table, changed), rows_of(&after, table, changed));
        }
        let task = python(
            &world,
            "print(json.dumps([list(r) for r in connect().execute('SELECT status, created_at, current_phase_index FROM tasks')]))",
        );
        assert_eq!(task, json!([["ACTIVE", null, null]]));

        // The orchestrator reads its files again, and again.
        for _ in 0..2 {
            python(&world, "reconcile(connect())");
            let statuses = statuses(&world);
            for id in ended {
                assert_eq!(statuses[id], "failed", "{id}");
                assert_eq!(last_status(&world, id), "failed", "{id}");
            }
            assert_eq!(statuses["live"], "running");
            assert_eq!(statuses["done"], "completed");
        }
        assert_eq!(ghosts(&found(&world)), Vec::<String>::new());
        let task = world.path().join(".agent-workspace/TASK-1/AGENT_REGISTRY.json");
        let task: Value = serde_json::from_str(&fs::read_to_string(task).unwrap()).unwrap();
        assert_eq!(task["agents"][0]["status"], "terminated");
        assert_eq!(task["agents"][1]["status"], "terminated");
        assert_eq!(task["agents"][2]["status"], "completed");
        assert_eq!(task["active_count"], 0);
    }
}

/// What Claude, or the agent, said last.
#[test]
fn an_agent_ends_as_it_said_last() {
    let world = world(
        "
for name in ('result', 'error', 'line', 'archived', 'none', 'cut'):
    agent(c, name)
task = workspace() + '/TASK-1'
os.makedirs(task + '/logs'); os.makedirs(task + '/archive')
result = lambda e: json.dumps({'type': 'result', 'is_error': e, 'result': 'x' * 100000}) + '\\n'
open(task + '/logs/result_stream.jsonl', 'w').write('{\"type\":\"system\"}\\n' + result(False))
open(task + '/archive/error_stream.jsonl', 'w').write(result(True))
open(task + '/logs/cut_stream.jsonl', 'w').write(result(False) + '{\"type\":\"system\"}\\n')
line('line', 'completed', '2026-02-03T04:06:00')
line('archived', 'completed', '2026-02-03T04:06:00')
os.rename(task + '/progress/archived_progress.jsonl', task + '/archive/archived_progress.jsonl')
",
    );
    prune(&world, &found(&world));
    let expected = json!({"result": "completed", "error": "failed", "line": "completed",
        "archived": "completed", "none": "failed", "cut": "failed"});
    assert_eq!(statuses(&world), expected);
}

/// Whoever was faster than us keeps what they wrote.
#[test]
fn h65_an_agent_that_reported_since_is_left_alone() {
    let world = world(
        "
for name in ('line', 'row', 'same', 'both', 'over', 'again', 'ghost'):
    agent(c, name)
",
    );
    let findings = found(&world);
    python(
        &world,
        "
c = connect()
line('line', 'working')
record(c, 'same', 'running', '2026-02-03T05:00:00')
record(c, 'row', 'working', '2026-02-03T05:00:00')
report(c, 'both', 'blocked')
record(c, 'over', 'completed', '2026-02-03T05:00:00')
c.execute(\"UPDATE agents SET started_at='2026-02-03T05:00:00' WHERE agent_id='again'\")
",
    );
    let before = dump(&world);
    let records = prune(&world, &findings);
    let of = |id: &str| {
        let is_it = |record: &&Value| record["finding"]["agent"]["id"] == id;
        records.iter().find(is_it).unwrap()["result"].clone()
    };
    for (id, result) in [
        ("line", "skipped"),
        ("row", "skipped"),
        ("same", "skipped"),
        ("both", "skipped"),
        ("over", "gone"),
        ("again", "skipped"),
        ("ghost", "done"),
    ] {
        assert_eq!(of(id), result, "{id}: {records:?}");
    }
    let after = dump(&world);
    assert_eq!(rows_of(&before, "agents", &["ghost"]), rows_of(&after, "agents", &["ghost"]));
    assert_eq!(last_status(&world, "line"), "working");
    assert_eq!(last_status(&world, "ghost"), "failed");
}

/// A progress file that is a link, or leads out of the workspace, is not written through.
#[test]
fn progress_files_are_opened_safely() {
    let world = world(
        "
agent(c, 'link'); agent(c, '../../up'); agent(c, 'fifo')
open(workspace() + '/../victim', 'w').close()
os.makedirs(workspace() + '/TASK-1/progress')
os.symlink(workspace() + '/../victim', progress_file('link'))
os.mkfifo(progress_file('fifo'))
",
    );
    let before = dump(&world);
    let records = prune(&world, &found(&world));
    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!(record["result"], "failed", "{record}");
        assert!(record["reason"].as_str().unwrap().contains("its progress file"), "{record}");
    }
    assert_eq!(dump(&world), before);
    assert_eq!(fs::read(world.path().join("victim")).unwrap(), b"");
}

/// `tracked_files` of the task's registry says where the orchestrator looks, for a file of the
/// agent's own name.
#[test]
fn the_line_goes_where_the_orchestrator_looks() {
    let world = world(
        "
agent(c, 'inside'); agent(c, 'outside')
task = workspace() + '/TASK-1'
tracked = lambda name, path: dict(entry(name), tracked_files={'progress_file': path})
task_file([tracked('inside', task + '/inside_progress.jsonl'), tracked('outside', '/tmp/nowhere/p.jsonl')])
",
    );
    prune(&world, &found(&world));
    let task = world.path().join(".agent-workspace/TASK-1");
    assert!(
        fs::read_to_string(task.join("inside_progress.jsonl")).unwrap().contains("agentprune:")
    );
    assert!(task.join("progress/outside_progress.jsonl").exists());
    assert!(!task.join("progress/inside_progress.jsonl").exists());
}

/// An entry stands in the global registry of the same workspace too.
#[test]
fn h67_every_place_where_an_agent_stands_is_marked() {
    let world = world(
        "
agent(c, 'ghost')
task_file([entry('ghost')])
json.dump({'agents': {'ghost': entry('ghost'), 'other': entry('other')},
    'total_agents_spawned': 2, 'active_agents': 2},
    open(workspace() + '/registry/GLOBAL_REGISTRY.json', 'w'), indent=2)
",
    );
    world.session("agent_other", "sleep 3600");
    let records = prune(&world, &found(&world));
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["entry"]["json"].as_array().unwrap().len(), 2);
    let read = |path: &str| -> Value {
        let path = world.path().join(".agent-workspace").join(path);
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    assert_eq!(read("TASK-1/AGENT_REGISTRY.json")["agents"][0]["status"], "terminated");
    let global = read("registry/GLOBAL_REGISTRY.json");
    assert_eq!(global["agents"]["ghost"]["status"], "terminated");
    assert_eq!(global["agents"]["other"]["status"], "working");
    assert_eq!(global["active_agents"], 1);
    python(&world, "reconcile(connect())");
    assert_eq!(statuses(&world)["ghost"], "failed");
    assert_eq!(ghosts(&found(&world)), Vec::<String>::new());
}

/// A row whose task is gone has no place for the mark; it is ended all the same.
#[test]
fn a_row_without_a_task_is_ended() {
    let world = world(
        "
c.execute('PRAGMA foreign_keys=OFF')
agent(c, 'ghost', task_id='TASK-gone')
",
    );
    let records = prune(&world, &found(&world));
    assert_eq!(records[0]["result"], "done", "{records:?}");
    assert_eq!(statuses(&world)["ghost"], "failed");
    assert_eq!(dump(&world)["agent_progress_latest"], json!([]));
}
