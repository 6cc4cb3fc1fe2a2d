//! Processes that ignore SIGTERM.

use std::fs;

use super::race::{race, seconds, time};
use super::scale::Scale;
use super::table::{Row, Target};
use super::world::{Registry, World, alive};

/// The grace time, in seconds.
const GRACE: f64 = 2.0;

/// Ends many at once: all share one grace time.
pub fn end(scale: Scale) -> Vec<Row> {
    let world = World::new();
    let count = scale.of(400, 5);
    world.write_global(&Registry::default());
    world.session("work", "sleep 3600");
    let environment = [("STANDIN_IGNORE", "TERM"), ("STANDIN_TICK", "5000")];
    let mut turn = || {
        let pids = world.crowd(count, &environment);
        let findings = world.path().join("findings");
        fs::write(&findings, world.findings(&[])).expect("a file of the world");
        let mut prune = world.tool("agentprune");
        prune.args(["--yes", "--grace", &format!("{GRACE}s")]).arg(findings);
        let needed = time(&mut prune, 0);
        assert!(!pids.iter().any(|&pid| alive(pid)));
        needed
    };
    let [times] = race(scale.of(3, 1), [&mut turn]);
    let work = format!("end {count} processes that ignore SIGTERM");
    let limit = GRACE + 1.0;
    let share = times.median() / limit;
    vec![Row::new(
        &work,
        times.to_string(),
        "grace and a second",
        seconds(limit),
        share,
        Target::Within(1.0),
    )]
}
