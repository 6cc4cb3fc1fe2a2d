//! The rules as tables, a test for each kind of finding: what is changed in a small
//! world, and which findings that makes (`kind action reason…`, `-` for no action).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../common/mod.rs"]
mod common;
mod entry;
mod evidence;
mod left_behind;
mod plan;
mod process;
mod session;
mod unasked;

use common::{GLOBAL, Outcome, Scan, lines, scan};
use model::rules::Options;
use serde_json::{Value, json};

const AGENTS: usize = 0;
const SESSIONS: usize = 1;
const PROCESSES: usize = 2;

/// One scan of each kind, and how they are judged.
struct World {
    scans: Vec<Scan>,
    options: Options,
}

type Change = fn(&mut World);
type Row = (&'static str, Change, &'static [&'static str]);

impl World {
    fn new(agents: Vec<Value>, sessions: Vec<Value>, processes: Vec<Value>) -> World {
        let mut scans = ["agents", "sessions", "processes"].map(|of| scan(of, "h", 0));
        for (scan, records) in scans.iter_mut().zip([agents, sessions, processes]) {
            scan.records = records;
        }
        World { scans: scans.into(), options: Options::default() }
    }

    fn end(&mut self, of: usize) -> &mut Value {
        &mut self.scans[of].end
    }

    fn records(&mut self, of: usize) -> &mut Vec<Value> {
        &mut self.scans[of].records
    }

    fn first(&mut self, of: usize) -> &mut Value {
        &mut self.scans[of].records[0]
    }

    fn judge(&self) -> Outcome {
        common::judge(&lines(&self.scans).join("\n"), &self.options).unwrap()
    }
}

fn check(base: fn() -> World, rows: &[Row]) {
    for (what, change, expected) in rows {
        let mut world = base();
        change(&mut world);
        assert_findings(what, &world.judge(), expected);
    }
}

fn assert_findings(what: &str, outcome: &Outcome, expected: &[&str]) {
    assert_eq!(outcome.findings.len(), expected.len(), "{what}:\n{}", outcome.text);
    for (finding, expected) in outcome.findings.iter().zip(expected) {
        let mut expected = expected.splitn(3, ' ');
        assert_eq!(Some(finding["kind"].as_str().unwrap()), expected.next(), "{what}");
        assert_eq!(Some(finding["action"].as_str().unwrap_or("-")), expected.next(), "{what}");
        let reason = finding["reason"].as_str().unwrap();
        assert!(reason.contains(expected.next().unwrap_or_default()), "{what}: {reason}");
    }
    let actions = outcome.findings.iter().filter(|finding| !finding["action"].is_null());
    assert_eq!(outcome.actionable, actions.count() as u64, "{what}");
}

/// A process that nothing holds, and a person's session. `work` has the pane %3.
fn loose() -> World {
    let work = common::session("$1", "work", vec![common::pane("%3", 70, "pts/3", &["bash"])]);
    World::new(vec![common::registry(GLOBAL, "global")], vec![work], vec![common::process(500)])
}

/// The same, seen by ps.
fn loose_by_ps() -> World {
    let mut world = loose();
    common::seen_by_ps(world.first(PROCESSES));
    for of in [SESSIONS, PROCESSES] {
        world.end(of)["proc_source"] = json!("ps");
    }
    world
}

/// An agent's session in which a shell is left. Not all entries were listed.
fn left() -> World {
    let left = common::session("$2", "agent_z", vec![common::pane("%4", 90, "pts/4", &["bash"])]);
    let mut world = World::new(vec![], vec![left], vec![]);
    world.end(AGENTS)["filtered"] = json!(true);
    world
}

/// An entry of a global registry, and a person's session.
fn gone() -> World {
    let mut world = loose();
    world.records(PROCESSES).clear();
    world.records(AGENTS).insert(0, common::agent("a"));
    world
}

fn dead_pane(world: &mut World) {
    world.first(SESSIONS)["panes"][0]["dead"] = json!(true);
    world.first(SESSIONS)["panes"][0]["running"] = json!([]);
}

/// Gives the only session another name and a Claude.
fn renamed(world: &mut World, name: &str, agent: Option<&str>) {
    world.first(SESSIONS)["name"] = json!(name);
    world.first(SESSIONS)["agent"] = json!(agent);
    world.records(PROCESSES).push(common::process(70));
}
