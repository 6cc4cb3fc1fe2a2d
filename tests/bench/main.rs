//! `make bench`: how fast the tools are beside what a person would otherwise type, and
//! beside what the machine allows.
//!
//! Contenders take turns in the same run, so that what else the machine does falls on all
//! of them; what counts is their ratio. Before a race, each contender's outcome is checked
//! once: all must have done the same work. Everything happens in private worlds.
//!
//! `bench [--quick] [RACE]...`: `--quick` only checks that it works. A full run writes its table
//! to `target/bench.md`, too.

mod crowd;
mod growth;
mod guide_case;
mod machine;
mod race;
mod registry;
mod scale;
mod start;
mod stubborn;
mod table;
#[path = "../world/mod.rs"]
mod world;

use std::env;
use std::error::Error;
use std::fs;

use scale::Scale;
use table::Row;

/// A race by its name.
type Race = (&'static str, fn(Scale) -> Vec<Row>);

const RACES: [Race; 8] = [
    ("scan", guide_case::scan),
    ("clean", guide_case::clean),
    ("crowd", crowd::plan),
    ("lsclaude", crowd::lsclaude),
    ("registry", registry::list_and_prune),
    ("agentdiff", growth::growth),
    ("stubborn", stubborn::end),
    ("start", start::tools),
];

fn main() -> Result<(), Box<dyn Error>> {
    let (options, names): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if let Some(option) = options.iter().find(|option| *option != "--quick") {
        return Err(format!("{option}: not an option; there is --quick").into());
    }
    if let Some(name) = names.iter().find(|name| !RACES.iter().any(|(race, _)| race == name)) {
        let races = RACES.map(|(race, _)| race).join(", ");
        return Err(format!("{name}: no such race; there are {races}").into());
    }
    let scale = if options.is_empty() { Scale::Full } else { Scale::Quick };
    let mut rows = Vec::new();
    for (name, race) in RACES {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            eprintln!("{name} ...");
            rows.extend(race(scale));
        }
    }
    let text = format!("{}\n{}", machine::described(scale), table::markdown(&rows));
    print!("{text}");
    if scale == Scale::Full {
        let file = race::target_directory().join("bench.md");
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        eprintln!("written to {}", file.display());
    }
    Ok(())
}
