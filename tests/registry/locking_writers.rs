//! Writers in the orchestrator's own lock protocol.

use std::fs;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use super::{SESSION, found, litter, world};
use crate::world::{Registry, run};

const WRITERS: i64 = 4;
const UPDATES: i64 = 400;

/// Updates the registry as the orchestrator does. A writer counts its updates in the
/// registry; the one without a number adds ghosts until the others are done.
const WRITER: &str = r#"
import fcntl, json, os, sys, time
path, session, number, updates = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

def update(change):
    with open(path, 'r+') as f:
        deadline = time.time() + 10
        while True:
            try:
                fcntl.flock(f.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.time() > deadline:
                    sys.exit('no lock in ten seconds')
                time.sleep(0.005)
        registry = json.load(f)
        change(registry)
        f.seek(0)
        json.dump(registry, f, indent=2)
        f.truncate()
        f.flush()
        if updates % 3 == 0:
            os.fsync(f.fileno())
        fcntl.flock(f.fileno(), fcntl.LOCK_UN)

def entry(session, update):
    return {'tmux_session': session, 'started_at': '2025-10-29T23:25:23', 'status': 'working',
            'update': update, 'prompt': 'Say "\u00e9" {"agents": 1}'}

done = 0
if number == 'ghosts':
    while not os.path.exists(path + '.done'):
        def change(registry):
            registry['agents']['ghost-%d' % done] = entry('agent_gone_%d' % done, done)
        update(change)
        done += 1
        time.sleep(0.01)
else:
    for done in range(1, updates + 1):
        def change(registry):
            name = 'updates_' + number
            registry[name] = registry.get(name, 0) + 1
            registry['agents']['live-%s-%d' % (number, done % 40)] = entry(session, done)
            registry['total_agents_spawned'] = len(registry['agents'])
            registry['active_agents'] = len(registry['agents'])
        update(change)
        time.sleep(0.001)
print(done)
"#;

#[test]
fn h20_no_update_of_a_locking_writer_is_lost() {
    let world = world();
    let registry = world.global_path();
    world.write_global(&Registry::default());
    let start = |number: &str| {
        let mut command = world.command("python3");
        command.args(["-c", WRITER]).arg(&registry).args([SESSION, number, &UPDATES.to_string()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let began = Instant::now();
    let mut writers: Vec<_> = (0..WRITERS).map(|number| start(&number.to_string())).collect();
    let ghosts = start("ghosts");
    let (mut prunes, mut removed) = (0, 0);
    let mut prune = || {
        let findings = found(&world, &[&registry]);
        let ran = world.prune(&findings, &["--yes", "--keep-backups", "2"]).ok();
        let records = ran.records();
        removed += records
            .iter()
            .filter(|r| r["result"] == "done" && r["action"] == "remove_entry")
            .count();
        prunes += 1;
    };
    while writers.iter_mut().any(|writer| writer.try_wait().unwrap().is_none()) {
        prune();
    }
    let done = registry.with_file_name("GLOBAL_REGISTRY.json.done");
    fs::write(&done, "").unwrap();
    let end = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().parse::<i64>().unwrap()
    };
    let made: i64 = writers.into_iter().map(end).sum();
    let added = end(ghosts);
    prune();
    fs::remove_file(done).unwrap();

    let text = fs::read_to_string(&registry).unwrap();
    let end: Value = serde_json::from_str(&text).unwrap();
    let kept: i64 =
        (0..WRITERS).map(|number| end[format!("updates_{number}")].as_i64().unwrap()).sum();
    println!(
        "{made} updates made, {} lost, {added} ghosts added, {prunes} prunes, {removed} entries removed, {:?}",
        made - kept,
        began.elapsed()
    );
    assert_eq!((made, kept), (WRITERS * UPDATES, WRITERS * UPDATES));
    for number in 0..WRITERS {
        for update in UPDATES - 39..=UPDATES {
            let entry = &end["agents"][format!("live-{number}-{}", update % 40)];
            assert_eq!(entry["update"], update);
        }
    }
    assert_eq!(end["agents"].as_object().unwrap().len() as i64, WRITERS * 40);
    assert_eq!(removed as i64, added);
    assert!(removed > 20 && prunes > 10, "{removed} removed in {prunes} prunes");
    assert_eq!(litter(&registry), Vec::<String>::new());
    assert!(run(&mut world.lsagents(), "").ok().out.contains("\"complete\":true"));
}
