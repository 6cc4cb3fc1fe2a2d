//! Registry files with several writers, with crashes, attacks and odd contents.
//!
//! The tests print figures; `cargo test … -- --show-output` shows them.

mod backups;
mod contents;
mod files;
mod full_disk;
mod held_up;
mod killed;
mod large;
mod locking_writers;
mod locks;
mod replaced;
mod signals;
mod task_registries;
mod torn;
mod undo;
mod unlocked_writers;

use std::fs;
use std::path::{Path, PathBuf};

use crate::world::{Entry, Ran, Registry, World, run};

/// The session in which all live agents of these worlds are.
const SESSION: &str = "agent_live";

/// A world with one session.
fn world() -> World {
    let world = World::new();
    world.session(SESSION, "sleep 3600");
    world
}

fn live(id: &str) -> Entry {
    Entry::new(id).set("tmux_session", SESSION).set("status", "working")
}

/// A registry of ghosts with a few live agents among them.
fn mixed(ghosts: usize, live_ones: usize) -> Registry {
    let every = (ghosts / live_ones.max(1)).max(1);
    let mut entries = Vec::new();
    for number in 0..ghosts {
        entries.push(Entry::new(&format!("ghost-{number:05}-aaaaaa")));
        if number % every == every / 2 && number / every < live_ones {
            entries.push(live(&format!("live-{:05}-bbbbbb", number / every)));
        }
    }
    Registry::new(entries)
}

/// What agentdiff says to these registries and the world's sessions. Without processes sessions
/// cannot be judged; while there is no entry either, its exit status is 2.
fn found(world: &World, registries: &[&Path]) -> String {
    let mut agents = world.tool("lsagents");
    for registry in registries {
        agents.arg("--registry").arg(registry);
    }
    let scan = run(&mut agents, "").ok().out + &run(&mut world.lssessions(), "").ok().out;
    diff(world, &scan).expect(&[0, 1, 2]).out
}

/// What agentdiff says to a scan of agents and sessions. Other tests have tmux servers that
/// are not asked; none of them is this world's.
fn diff(world: &World, scan: &str) -> Ran {
    world.diff(scan, &["--ignore-unasked"])
}

/// The names of the files beside a registry, itself and old contents left out.
fn litter(registry: &Path) -> Vec<String> {
    let own = registry.file_name().expect("a name").to_string_lossy().into_owned();
    let directory = registry.parent().expect("a directory");
    let names = fs::read_dir(directory).expect("the directory").flatten();
    let mut names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| *name != own && !name.starts_with(&format!("{own}.bak-")));
    names
}

/// Removes everything beside a registry and writes it anew.
fn reset(registry: &Path, text: &[u8]) {
    let directory = registry.parent().expect("a directory");
    for entry in fs::read_dir(directory).expect("the directory").flatten() {
        if entry.path() != registry {
            fs::remove_file(entry.path()).expect("a file that can go");
        }
    }
    fs::write(registry, text).expect("a registry");
}

/// The path of a registry's journal.
fn journal(registry: &Path) -> PathBuf {
    let mut path = registry.as_os_str().to_owned();
    path.push(".prune-journal");
    path.into()
}
