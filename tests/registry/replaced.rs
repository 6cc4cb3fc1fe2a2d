//! Writers that put another file in the registry's place, as `os.replace` does.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use super::held_up::held_up;
use super::{found, litter, mixed, world};

/// Puts a file of this content in the place of another.
fn replace(registry: &Path, text: &str) {
    let new = registry.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, registry).unwrap();
}

#[test]
fn h51_a_file_that_is_replaced_during_the_edit_is_not_said_to_be_done() {
    let world = world();
    let registry = world.global_path();
    let old = world.write_global(&mixed(20, 2));
    let findings = found(&world, &[&registry]);
    let theirs = mixed(25, 2).global();
    for call in ["pwrite64", "ftruncate", "fsync"] {
        super::reset(&registry, old.as_bytes());
        let act = || replace(&registry, &theirs);
        let Some(ran) = held_up(&world, &findings, call, act) else { return };
        let ran = ran.expect(&[1]);
        for record in ran.records() {
            assert_eq!(record["result"], "failed", "{call}: {record}");
            let reason = record["reason"].as_str().unwrap();
            assert!(reason.contains("another file was put in its place"), "{call}: {reason}");
        }
        assert_eq!(fs::read_to_string(&registry).unwrap(), theirs, "{call}");
        // Nothing says later that this file was torn, or that the old one can come back.
        assert_eq!(litter(&registry), Vec::<String>::new(), "{call}");
        assert_eq!(fs::read_dir(registry.parent().unwrap()).unwrap().count(), 1, "{call}");
    }
}

#[test]
fn h51_a_file_that_is_replaced_while_it_is_locked_is_edited_where_it_is_now() {
    let world = world();
    let registry = world.global_path();
    world.write_global(&mixed(20, 2));
    let findings = found(&world, &[&registry]);
    let file = world.path().join("findings");
    fs::write(&file, findings).unwrap();
    let locked = File::options().read(true).write(true).open(&registry).unwrap();
    let lock = Flock::lock(locked, FlockArg::LockExclusive).unwrap();
    let mut prune = world.tool("agentprune");
    let prune = prune.arg("--yes").arg(&file).stdin(Stdio::null()).stdout(Stdio::piped());
    let pruning = prune.stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    // With a ghost that was not found.
    replace(&registry, &mixed(21, 2).global());
    lock.unlock().unwrap();
    assert!(pruning.wait_with_output().unwrap().status.success());
    let end: Value = serde_json::from_slice(&fs::read(&registry).unwrap()).unwrap();
    let agents = end["agents"].as_object().unwrap();
    let ghosts: Vec<&str> =
        agents.keys().map(String::as_str).filter(|id| id.starts_with("ghost")).collect();
    assert_eq!((agents.len(), ghosts), (3, vec!["ghost-00020-aaaaaa"]));
}
