//! Undoing the end of agents.

use std::fs;

use serde_json::Value;

use super::{database, found, ghosts, last_status, prune, python, statuses, world};
use crate::world::{World, run};

fn undo(world: &World, records: &[Value]) -> Vec<Value> {
    let log: String = records.iter().map(|record| format!("{record}\n")).collect();
    let mut command = world.tool("agentprune");
    run(command.args(["--yes", "--undo"]), &log).expect(&[0, 1]).records()
}

#[test]
fn an_end_is_undone_where_nobody_wrote_since() {
    let world = world(
        "
agent(c, 'kept', 'working'); agent(c, 'reported'); agent(c, 'old', 'blocked', completed_at='then')
task_file([entry('kept')])
",
    );
    let task = world.path().join(".agent-workspace/TASK-1/AGENT_REGISTRY.json");
    let text = fs::read_to_string(&task).unwrap();
    let records = prune(&world, &found(&world));
    assert_eq!(records.len(), 3);
    assert_ne!(fs::read_to_string(&task).unwrap(), text);
    python(&world, "report(connect(), 'reported', 'working')");
    let undone = undo(&world, &records);
    for record in &undone {
        let id = record["finding"]["agent"]["id"].as_str().unwrap();
        let result = if id == "reported" { "skipped" } else { "done" };
        assert_eq!(record["result"], result, "{record}");
    }
    let now = statuses(&world);
    assert_eq!(
        (&now["kept"], &now["reported"], &now["old"]),
        (&"working".into(), &"working".into(), &"blocked".into())
    );
    assert_eq!(last_status(&world, "kept"), "working");
    let row = python(&world, "
c = connect()
row = lambda id: [c.execute('SELECT completed_at, last_update FROM agents WHERE agent_id=?', (id,)).fetchone()[:],
    c.execute('SELECT timestamp, message FROM agent_progress_latest WHERE agent_id=?', (id,)).fetchone()[:]]
print(json.dumps([row('kept'), row('old'), last_line('kept')]))
");
    assert_eq!(row[0][0][0], Value::Null);
    assert_eq!(row[1][0][0], "then");
    assert_eq!(row[0][0][1], row[0][1][0], "row and latest report agree");
    assert_eq!(row[0][0][1], row[2]["timestamp"], "and the last line");
    assert!(row[2]["message"].as_str().unwrap().contains("undone"));
    assert_eq!(fs::read_to_string(&task).unwrap(), text);
    // A second time there is nothing to undo.
    for record in undo(&world, &records) {
        assert_eq!(record["result"], "skipped", "{record}");
    }
    // Still without a session, it is a ghost again.
    assert!(ghosts(&found(&world)).contains(&"old".to_owned()));
    assert!(database(&world).exists());
}
