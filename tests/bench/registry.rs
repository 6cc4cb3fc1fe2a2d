//! A registry of 400,000 agents: listing it, and removing nine tenths of it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::guide_case::snippets;
use super::machine::python;
use super::race::{program, race, time};
use super::scale::Scale;
use super::table::{Row, Target};
use super::world::{Entry, Registry, World, run};

/// The session of the agents that stay.
const SESSION: &str = "agent_keeper";

/// See the [module](self).
pub fn list_and_prune(scale: Scale) -> Vec<Row> {
    let agents = scale.of(400_000, 1000);
    let world = World::new();
    world.session(SESSION, "sleep 3600");
    let original = world.write_global(&Registry::new((0..agents).map(entry)));
    let size = original.len();
    let what = format!("{agents} agents, {} MB", size / 1_000_000);
    let mut rows = list(&world, scale, agents, &what);
    rows.push(memory("lsagents, peak memory", &mut world.lsagents(), size));
    rows.extend(prune(&world, scale, &original, &what));
    rows
}

fn entry(number: usize) -> Entry {
    let entry = Entry::new(&format!("worker-{number:07}-7f3a")).unset("prompt");
    match number % 10 {
        0 => entry.set("tmux_session", SESSION),
        _ => entry.set("status", "working"),
    }
}

fn list(world: &World, scale: Scale, agents: usize, what: &str) -> Vec<Row> {
    let registry = world.global_path();
    let jq = || {
        let mut jq = world.command(program("jq"));
        jq.args(["-c", ".agents[]"]).arg(&registry);
        jq
    };
    let load = || {
        let mut load = world.command(python());
        load.args(["-c", "import json, sys; json.load(open(sys.argv[1]))"]).arg(&registry);
        load
    };
    let lines = |mut command: Command| run(&mut command, "").ok().out.lines().count();
    // One record is of the registry, one closes the scan.
    assert_eq!((lines(world.lsagents()), lines(jq())), (agents + 2, agents));
    let [tool, jq, load] = race(
        scale.of(5, 2),
        [&mut || time(&mut world.lsagents(), 0), &mut || time(&mut jq(), 0), &mut || {
            time(&mut load(), 0)
        }],
    );
    let work = format!("lsagents, {what}");
    vec![
        Row::of_times(&work, &tool, "jq -c", &jq, Target::Faster(20.0)),
        Row::of_times(&work, &tool, "Python's json.load", &load, Target::Faster(2.0)),
    ]
}

fn prune(world: &World, scale: Scale, original: &str, what: &str) -> Vec<Row> {
    let (tool, registry) = (findings(world), world.global_path());
    let prune = || {
        let mut prune = world.tool("agentprune");
        // The guide's Python prints nothing about single entries either.
        prune.args(["--yes", "--quiet"]).arg(&tool);
        prune
    };
    let snippet = || {
        let mut snippet = world.command(python());
        snippet.arg(snippets().join("guide.py")).arg(&registry).arg(world.socket());
        snippet
    };
    let turn = |mut command: Command| -> Duration {
        restore(&registry, original);
        time(&mut command, 0)
    };
    let left = |command| {
        turn(command);
        fs::read(&registry).expect("the registry")
    };
    let (by_tool, by_snippet) = (left(prune()), left(snippet()));
    assert!(by_tool == by_snippet, "both leave the same file, byte for byte");
    assert!(by_tool.len() < original.len() / 5);
    let [tool, snippet] = race(scale.of(5, 2), [&mut || turn(prune()), &mut || turn(snippet())]);
    restore(&registry, original);
    let work = format!("agentprune --quiet removing 90 % of {what}");
    vec![
        Row::of_times(&work, &tool, "the guide's Python", &snippet, Target::Faster(1.5)),
        memory("agentprune, peak memory", &mut prune(), original.len()).without_target(),
    ]
}

/// A file with what agentdiff finds.
fn findings(world: &World) -> std::path::PathBuf {
    let line = format!(
        "{{ lsagents --workspace .; lssessions -S '{}'; }} | \
         agentdiff --min-age 0s --ignore-unasked >findings",
        world.socket().display()
    );
    run(world.command(program("sh")).args(["-c", &line]), "").expect(&[1]);
    world.path().join("findings")
}

/// Puts the registry back, at rest on the disk, and removes what a turn has left beside it.
fn restore(registry: &Path, original: &str) {
    let directory = registry.parent().expect("a directory");
    for file in fs::read_dir(directory).expect("the directory").flatten() {
        fs::remove_file(file.path()).expect("a file of the world");
    }
    fs::write(registry, original).expect("the registry");
    run(&mut Command::new("sync"), "").ok();
}

/// The most memory that a command has at a time, beside the size of the registry.
fn memory(work: &str, command: &mut Command, size: usize) -> Row {
    let ask = "import resource, subprocess, sys\n\
               subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n\
               print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut asking = Command::new(python());
    asking.args(["-c", ask]).arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        asking.env(name, value.unwrap_or_default());
    }
    asking.current_dir(command.get_current_dir().expect("the world's directory"));
    let kibibytes: usize = run(&mut asking, "").ok().out.trim().parse().expect("a number");
    let peak = kibibytes * 1024;
    let megabytes = |bytes: usize| format!("{:.1} MB", bytes as f64 / 1e6);
    let share = peak as f64 / size as f64;
    Row::new(work, megabytes(peak), "the file", megabytes(size), share, Target::Within(1.1))
}
