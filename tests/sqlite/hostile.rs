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

/// A page of the table `agents` whose thousands of children are all one page: billions of rows in
/// some 600 KB.
const BOMB: &str = "
import struct
c.execute('CREATE TABLE leaf(x)'); c.execute('CREATE TABLE inner(x)')
root, leaf, inner = (c.execute('SELECT rootpage FROM sqlite_schema WHERE name=?', (n,)).fetchone()[0]
    for n in (table, 'leaf', 'inner'))
size = c.execute('PRAGMA page_size').fetchone()[0]
c.execute('PRAGMA journal_mode=DELETE'); c.close()
b = bytearray(open(path, 'rb').read())
def interior(child):
    page, at = bytearray(size), size
    count = (size - 12) // 7 - 1
    for i in range(count):
        at -= 5
        page[at:at + 5] = struct.pack('>IB', child, 1)
        struct.pack_into('>H', page, 12 + 2 * i, at)
    page[0] = 5
    struct.pack_into('>HHHB', page, 1, 0, count, at, 0)
    struct.pack_into('>I', page, 8, child)
    return page
def put(number, page): b[(number - 1) * size:number * size] = page
put(leaf, b[(root - 1) * size:root * size]); put(inner, interior(leaf)); put(root, interior(inner))
open(path, 'wb').write(b)
";

#[test]
fn h66_endless_rows_are_refused_and_take_neither_time_nor_memory() {
    let world = World::new();
    let directory = world.path().join(".agent-workspace/registry");
    fs::create_dir_all(&directory).unwrap();
    python(
        &world,
        &format!("c = sqlite3.connect(path); c.execute('PRAGMA page_size=65536'); schema(c, 'today')
task(c); [agent(c, 'a%d' % n, 'completed') for n in range(200)]; c.commit(); table = 'agents'\n{BOMB}"),
    );
    let index = world.path().join(".claude-orchestrator");
    fs::create_dir(&index).unwrap();
    python(
        &world,
        &format!(
            "path = '{}/global_registry.sqlite3'; c = sqlite3.connect(path)
c.execute('PRAGMA page_size=65536'); c.execute('CREATE TABLE known_workspaces(workspace_base TEXT)')
for n in range(200): c.execute('INSERT INTO known_workspaces VALUES(?)', ('/w%d' % n,))
c.commit(); table = 'known_workspaces'\n{BOMB}",
            index.display()
        ),
    );
    let begun = Instant::now();
    let ran = lsagents(&world).expect(&[2]);
    assert!(ran.err.contains("shows more than a file of its size can hold"), "{}", ran.err);
    let mut all = world.tool("lsagents");
    let ran = run(all.arg("--all-workspaces").env("HOME", world.path()), "").expect(&[2]);
    assert!(ran.err.contains("more than 100000 workspaces"), "{}", ran.err);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn h66_our_write_changes_no_other_row_whatever_the_schema_says() {
    for (what, sql) in [
        ("a key that follows", "CREATE UNIQUE INDEX u ON agents(last_update);
            CREATE TABLE other(x TEXT REFERENCES agents(last_update) ON UPDATE CASCADE);
            INSERT INTO other SELECT last_update FROM agents WHERE agent_id='ghost';"),
        ("a conflict that deletes", "CREATE TABLE copy(agent_id TEXT PRIMARY KEY, task_id TEXT, type TEXT,
            tmux_session TEXT, parent TEXT, status TEXT UNIQUE ON CONFLICT REPLACE, started_at TEXT,
            completed_at TEXT, last_update TEXT);
            INSERT INTO copy SELECT agent_id, task_id, type, tmux_session, parent, status, started_at,
            completed_at, last_update FROM agents; DROP TABLE agents; ALTER TABLE copy RENAME TO agents;"),
    ] {
        let world = world(&format!(
            "agent(c, 'ghost'); agent(c, 'old', 'failed', last_update='2026-02-03T04:07:00.000000')
c.execute('PRAGMA foreign_keys=OFF'); c.executescript('''{sql}''')"
        ));
        let others = "c = connect(); print(json.dumps([[list(r) for r in c.execute(q)] for q in
            [\"SELECT * FROM agents WHERE agent_id <> 'ghost'\"] + [\"SELECT * FROM \" + r[0] for r in
            c.execute(\"SELECT name FROM sqlite_schema WHERE name = 'other'\")]]))";
        let before = python(&world, others);
        world.prune(&found(&world), &["--yes"]).expect(&[0, 1]);
        assert_eq!(python(&world, others), before, "{what}");
    }
}

#[test]
fn h66_a_virtual_table_is_refused() {
    let world = world(
        "c.execute('DROP TABLE agents'); c.execute('CREATE VIRTUAL TABLE agents USING \
fts5(agent_id, task_id, tmux_session, status, started_at, completed_at, last_update)')
c.execute(\"INSERT INTO agents(agent_id, task_id, status) VALUES('g', 'TASK-1', 'working')\")",
    );
    let ran = lsagents(&world).expect(&[2]);
    assert!(ran.err.contains("it has no table agents"), "{}", ran.err);
}

#[test]
fn h66_a_mark_that_is_not_of_our_form_is_no_unfinished_work() {
    for message in ["agentprune: hi", "agentprune: the end was undone"] {
        let world = world(&format!(
            "agent(c, 'f', 'failed', last_update='zzz'); line('f', 'failed', 'zzz')
c.execute(\"INSERT INTO agent_progress_latest VALUES('TASK-1', 'f', 'zzz', 'failed', 5, '{message}')\")
agent(c, 'ghost')"
        ));
        for _ in 0..2 {
            world.prune(&found(&world), &["--yes"]).expect(&[0]);
        }
        let lines = python(&world, "print(len(open(progress_file('f')).readlines()))");
        assert_eq!(lines, 1, "{message}");
        assert!(!found(&world).contains("set_counters"), "{message}");
    }
}
