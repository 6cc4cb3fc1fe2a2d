//! Today's orchestrator, whose agents stand in a database.
//!
//! Python's `sqlite3` makes the databases and reads back what the programs wrote, in the
//! orchestrator's manner: see `database.py`.

mod could_not_ask;
mod crash;
mod ending;
mod hostile;
mod listing;
mod undo;
mod writers;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::world::{Ran, World, run};

/// What every script begins with.
const PRELUDE: &str = include_str!("sqlite/database.py");

/// A world with one session, whose workspace has a database of this version, filled by a
/// script that has it open as `c`.
fn world_of(version: &str, script: &str) -> World {
    let world = World::new();
    world.session("other", "sleep 3600");
    add_database(&world, version, script);
    world
}

/// Gives a world's workspace a database.
pub fn add_database(world: &World, version: &str, script: &str) {
    std::fs::create_dir_all(database(world).parent().unwrap()).unwrap();
    std::fs::create_dir_all(world.path().join(".agent-workspace/TASK-1")).unwrap();
    python(world, &format!("c = connect()\nschema(c, '{version}')\ntask(c)\n{script}\nc.close()"));
}

/// The same of today's version.
fn world(script: &str) -> World {
    world_of("today", script)
}

fn database(world: &World) -> PathBuf {
    world.path().join(".agent-workspace/registry/state.sqlite3")
}

fn script(world: &World, script: &str) -> Command {
    let mut command = world.command("python3");
    command.args(["-c", &format!("{PRELUDE}\n{script}")]).arg(database(world));
    command
}

/// Runs a script on the world's database; what it printed, as JSON if it printed any.
fn python(world: &World, text: &str) -> Value {
    let out = run(&mut script(world, text), "").ok().out;
    serde_json::from_str(&out).unwrap_or(Value::Null)
}

/// Starts a script on the world's database.
fn start(world: &World, text: &str) -> Child {
    script(world, text).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Every row of every table.
fn dump(world: &World) -> Value {
    python(world, "print(json.dumps(dump(connect())))")
}

/// The status of every agent by its id.
fn statuses(world: &World) -> Value {
    python(
        world,
        "print(json.dumps({r[0]: r[1] for r in connect().execute('SELECT agent_id, status FROM agents')}))",
    )
}

/// The status of an agent's last progress line.
fn last_status(world: &World, id: &str) -> Value {
    python(world, &format!("print(json.dumps((last_line('{id}') or {{}}).get('status')))"))
}

fn lsagents(world: &World) -> Ran {
    let mut command = world.tool("lsagents");
    command.arg("--all").arg("--workspace").arg(world.path());
    run(&mut command, "")
}

/// What agentdiff says to the world's registries and sessions. Other tests have tmux servers
/// that are not asked; none of them is this world's.
fn judged(world: &World) -> Ran {
    let scan = lsagents(world).ok().out + &run(&mut world.lssessions(), "").ok().out;
    world.diff(&scan, &["--ignore-unasked"])
}

/// What agentdiff finds there.
fn found(world: &World) -> String {
    judged(world).expect(&[0, 1]).out
}

/// The ghosts among the findings, by id.
fn ghosts(findings: &str) -> Vec<String> {
    let records = crate::world::records(findings);
    let ghosts = records.iter().filter(|finding| finding["kind"] == "ghost_agent");
    ghosts.map(|ghost| ghost["agent"]["id"].as_str().unwrap().to_owned()).collect()
}

/// Runs agentprune on findings and returns its records.
fn prune(world: &World, findings: &str) -> Vec<Value> {
    world.prune(findings, &["--yes"]).expect(&[0, 1]).records()
}
