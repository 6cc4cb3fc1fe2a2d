//! Runs that die at a system call, and the next one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{database, found, ghosts, python, world};
use crate::world::{World, run, skip, through};

/// The calls that change a file, or wait for the disk.
const CALLS: [&str; 9] = [
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat",
    "unlink",
    "mkdirat",
];

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn save(directory: &Path, files: &mut Files) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => save(&path, files),
            false => drop(files.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
}

fn load(directory: &Path, files: &Files) {
    let mut now = Files::new();
    save(directory, &mut now);
    for path in now.keys().filter(|path| !files.contains_key(*path)) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

/// What must agree of an agent, and everything that must not change.
const STATE: &str = "
c = connect()
d = dump(c)
registry = json.load(open(workspace() + '/TASK-1/AGENT_REGISTRY.json'))
entries = {e['id']: e['status'] for e in registry['agents']}
rows = {r[0]: r[1] for r in c.execute('SELECT agent_id, status FROM agents')}
ours = ('a', 'b', 'c')
other = {t: [r for r in rows if t not in ('agents', 'agent_progress_latest') or not any('\"%s\"' % i in r for i in ours)]
    for t, rows in d.items() if t != 'tasks'}
print(json.dumps({'rows': rows, 'lines': {i: (last_line(i) or {}).get('status') for i in ours},
    'json': entries, 'other': other, 'ok': c.execute('PRAGMA integrity_check').fetchone()[0],
    'lines of b': len(open(progress_file('b')).readlines())}))
";

/// Agents of which two stand in a JSON file, too. None where nothing can be traced.
fn traced_world(what: &str) -> Option<World> {
    let world = world(
        "
for i in ('a', 'b', 'c', 'live', 'done'): agent(c, i, 'completed' if i == 'done' else 'working')
for i in ('b', 'live'): line(i, 'working', '2026-02-03T04:06:00.000000')
task_file([entry('a'), entry('b'), entry('live')])
",
    );
    world.session("agent_live", "sleep 3600");
    let strace = ["strace", "-qq", "-o", "/dev/null", "true"];
    let ran = run(Command::new(strace[0]).args(&strace[1..]), "");
    if ran.code != 0 {
        skip(what, &format!("strace cannot trace here: {}", ran.err.trim()));
    }
    (ran.code == 0).then_some(world)
}

/// Kills a command at each of its calls, on the same files each time. `killed`: what then must
/// hold; `ran`: what must hold when it was not killed any more.
fn at_each_call(
    world: &World,
    command: &Command,
    mut killed: impl FnMut(&Files, &str),
    mut ran: impl FnMut(&str),
) {
    let workspace = world.path().join(".agent-workspace");
    let mut fresh = Files::new();
    save(&workspace, &mut fresh);
    for call in CALLS {
        for number in 1.. {
            assert!(number < 2000, "{call} does not come to its end");
            load(&workspace, &fresh);
            let inject = format!("inject={call}:signal=KILL:when={number}");
            let trace = format!("trace={call}");
            let strace = ["strace", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let killing = run(&mut through(&strace, command), "");
            if killing.code == 0 {
                ran(call);
                break;
            }
            let at = format!("{call} {number}");
            assert_eq!(killing.code, 128 + 9, "{at}: {}", killing.err);
            killed(&fresh, &at);
        }
    }
}

#[test]
fn h66_killed_at_each_call() {
    let Some(world) = traced_world("h66, at each call") else { return };
    let findings = world.path().join("findings");
    let found = found(&world);
    assert_eq!(ghosts(&found), ["a", "b", "c"]);
    fs::write(&findings, found).unwrap();
    let workspace = world.path().join(".agent-workspace");
    let before = python(&world, STATE);
    let mut command = world.tool("agentprune");
    command.args(["--yes"]).arg(&findings);

    let mut points = 0;
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let killed = |fresh: &Files, at: &str| {
        points += 1;
        let mut crashed = Files::new();
        save(&workspace, &mut crashed);
        if crashed == *fresh {
            return;
        }
        *states.entry(at.split(' ').next().unwrap().to_owned()).or_default() += 1;
        // The next run, by the same findings, and one that is only to repair and then
        // does what is left.
        for recovers in [false, true] {
            load(&workspace, &crashed);
            if recovers {
                recover(&world);
                let state = python(&world, STATE);
                for id in ["a", "b", "c"] {
                    agree(&state, id, at);
                }
            }
            run(&mut through(&["env"], &command), "").expect(&[0, 1]);
            finished(&python(&world, STATE), &before, at);
        }
    };
    at_each_call(&world, &command, killed, |call| {
        finished(&python(&world, STATE), &before, call);
    });
    println!("{points} points, {states:?} with something written");
    assert!(states.values().sum::<usize>() > 10, "{states:?}");
}

/// Undoing writes the row first and then the line, too: a row at work below a line that says it
/// has failed would be ended by the orchestrator.
#[test]
fn h66_an_undo_killed_at_each_call() {
    let Some(world) = traced_world("h66, an undo at each call") else { return };
    let log = world.path().join("log");
    let ended = world.prune(&found(&world), &["--yes"]).expect(&[0]);
    fs::write(&log, ended.out).unwrap();
    let before = python(&world, STATE);
    let mut command = world.tool("agentprune");
    command.args(["--yes", "--undo"]).arg(&log);
    let mut written = 0;
    let killed = |_: &Files, at: &str| {
        recover(&world);
        let state = python(&world, STATE);
        for id in ["a", "b", "c"] {
            let (row, line) = (&state["rows"][id], &state["lines"][id]);
            assert_eq!(row, line, "{at}: {id}: {state}");
            written += usize::from(row == "working");
        }
        assert_eq!(state["other"], before["other"], "{at}");
    };
    at_each_call(&world, &command, killed, |_| {});
    println!("{written} rows were back after a kill");
    assert!(written > 10, "{written}");
}

fn recover(world: &World) {
    run(world.tool("agentprune").arg("--recover").arg(database(world)), "").ok();
}

/// Whether row, line and JSON of an agent say the same.
fn agree(state: &Value, id: &str, at: &str) {
    let is_over = state["rows"][id] == "failed";
    if is_over {
        assert_eq!(state["lines"][id], "failed", "{at}: {id}: {state}");
    } else {
        assert_ne!(state["lines"][id], "failed", "{at}: {id}: {state}");
    }
    if !state["json"][id].is_null() {
        assert_eq!(state["json"][id] == "terminated", is_over, "{at}: {id}: {state}");
    }
}

fn finished(state: &Value, before: &Value, at: &str) {
    for id in ["a", "b", "c"] {
        assert_eq!(state["rows"][id], "failed", "{at}: {state}");
        agree(state, id, at);
    }
    assert_eq!(state["json"]["live"], "working", "{at}");
    assert_eq!(state["other"], before["other"], "{at}");
    assert_eq!(state["ok"], json!("ok"), "{at}");
    assert!(state["lines of b"].as_u64().unwrap() <= 3, "{at}: {state}");
}
