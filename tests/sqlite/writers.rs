//! Many who write at once: nobody loses a word, and nobody waits long.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use super::{database, found, ghosts, prune, python, start, world};
use crate::world::{World, run};

/// Runs the whole chain of programs as long as a script runs; returns how often, and what
/// the script printed.
fn while_it_runs(world: &World, text: &str) -> (usize, Value) {
    let mut child = start(world, text);
    drop(child.stdin.take());
    let mut rounds = 0;
    while child.try_wait().unwrap().is_none() {
        prune(world, &found(world));
        rounds += 1;
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    (rounds, serde_json::from_slice(&output.stdout).unwrap())
}

/// Two writers of the orchestrator, each on agents of its own that have sessions, and ghosts
/// that come all the while.
#[test]
fn h66_two_writers_lose_no_update() {
    let updates = 400;
    let world = world(
        "
for w in (0, 1):
    agent(c, 'live-%d' % w)
    c.execute('ALTER TABLE agents ADD COLUMN count%d INTEGER DEFAULT 0' % w)
",
    );
    for name in ["agent_live-0", "agent_live-1"] {
        world.session(name, "sleep 3600");
    }
    let script = format!(
        "
errors = []
def writer(w):
    c = connect()
    for n in range({updates}):
        try:
            c.execute('BEGIN IMMEDIATE')
            c.execute('UPDATE agents SET count%d = count%d + 1 WHERE agent_id = ?' % (w, w), ('live-%d' % w,))
            if n % 4 == 0:
                agent(c, 'ghost-%d-%d' % (w, n))
            c.execute('COMMIT')
        except sqlite3.Error as e:
            errors.append(str(e))
        time.sleep(0.004)
threads = [threading.Thread(target=writer, args=(w,)) for w in (0, 1)]
[t.start() for t in threads]
[t.join() for t in threads]
print(json.dumps(errors))
"
    );
    let (rounds, errors) = while_it_runs(&world, &script);
    assert_eq!(errors, json!([]));
    assert!(rounds >= 2, "{rounds}");
    prune(&world, &found(&world));
    let counts = python(&world, "
c = connect()
print(json.dumps([c.execute(\"SELECT count0 FROM agents WHERE agent_id='live-0'\").fetchone()[0],
    c.execute(\"SELECT count1 FROM agents WHERE agent_id='live-1'\").fetchone()[0],
    c.execute(\"SELECT count(*) FROM agents WHERE agent_id LIKE 'ghost%' AND status='failed'\").fetchone()[0],
    c.execute('PRAGMA integrity_check').fetchone()[0]]))
");
    assert_eq!(counts, json!([updates, updates, updates / 2, "ok"]));
    println!("{rounds} runs of agentprune during {} updates", 2 * updates);
}

/// Agents without a session that report while their rows are being ended: a report is never
/// lost, and after the next run each row says what its last line says.
#[test]
fn h65_agents_that_report_during_the_write_stay_alive() {
    let agents = 250;
    let world = world(&format!("for n in range({agents}): agent(c, 'a-%03d' % n)"));
    let findings = found(&world);
    assert_eq!(ghosts(&findings).len(), agents);
    let script = format!(
        "
import random
print('ready', flush=True)
sys.stdin.read()
def some(first):
    c = connect()
    for n in range(first, {agents}, 5):
        report(c, 'a-%03d' % n, 'working', delay=random.random() * 0.003)
        time.sleep(random.random() * 0.006)
threads = [threading.Thread(target=some, args=(f,)) for f in range(5)]
[t.start() for t in threads]
[t.join() for t in threads]
"
    );
    let mut child = start(&world, &script);
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    drop(child.stdin.take());
    let records = prune(&world, &findings);
    assert!(child.wait().unwrap().success());
    let count = |result: &str| records.iter().filter(|r| r["result"] == result).count();
    println!("{} skipped, {} ended and came back", count("skipped"), count("done"));
    assert!(count("skipped") > 0 && count("done") > 0, "nobody reported during the write");
    // Whoever runs next repairs what is half done, and there is nothing.
    run(world.tool("agentprune").arg("--recover").arg(database(&world)), "").ok();
    let odds = python(
        &world,
        "
rows = [tuple(r) for r in connect().execute('SELECT agent_id, status FROM agents')]
print(json.dumps([[i for i, s in rows if s != 'working'],
    [i for i, s in rows if last_line(i)['status'] != s]]))
",
    );
    assert_eq!(odds, json!([[], []]));
}
