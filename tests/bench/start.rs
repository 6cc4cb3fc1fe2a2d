//! Starting, and nothing else.

use super::race::{program, race, time};
use super::scale::Scale;
use super::table::{Row, Target};
use super::world::World;

/// `--version` of every tool.
pub fn tools(scale: Scale) -> Vec<Row> {
    let world = World::new();
    let turn = |name| time(world.tool(name).arg("--version"), 0);
    let nothing = program("true");
    let [lsagents, lssessions, lsclaude, agentdiff, agentprune, nothing] = race(
        scale.of(301, 5),
        [
            &mut || turn("lsagents"),
            &mut || turn("lssessions"),
            &mut || turn("lsclaude"),
            &mut || turn("agentdiff"),
            &mut || turn("agentprune"),
            &mut || time(&mut world.command(&nothing), 0),
        ],
    );
    let tools = [
        ("lsagents", lsagents),
        ("lssessions", lssessions),
        ("lsclaude", lsclaude),
        ("agentdiff", agentdiff),
        ("agentprune", agentprune),
    ];
    let row = |(name, times)| {
        let work = format!("{name} --version");
        Row::of_times(&work, &times, "true", &nothing, Target::Within(2.0))
    };
    tools.map(row).into()
}
