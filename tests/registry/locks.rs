//! Registries that others keep locked.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use super::{found, mixed, world};
use crate::world::{World, run};

fn registries(world: &World, count: usize) -> Vec<PathBuf> {
    let registry = |number: usize| {
        let path = world.path().join(format!("R{number}.json"));
        fs::write(&path, mixed(2, 1).global()).unwrap();
        path
    };
    (0..count).map(registry).collect()
}

fn lock(path: &PathBuf) -> Flock<File> {
    let file = File::options().read(true).write(true).open(path).unwrap();
    Flock::lock(file, FlockArg::LockExclusive).unwrap()
}

#[test]
fn h40_registries_that_are_kept_locked_share_one_deadline() {
    let world = world();
    let paths = registries(&world, 6);
    let all: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let findings = found(&world, &all);
    let _locks: Vec<Flock<File>> = paths[..5].iter().map(lock).collect();

    let began = Instant::now();
    let pruned = world.prune(&findings, &["--yes", "--lock-timeout", "2s"]).expect(&[1]);
    let took = began.elapsed();
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(6), "{took:?}");
    let results: Vec<String> =
        pruned.records().iter().map(|r| r["result"].as_str().unwrap().to_owned()).collect();
    assert_eq!(results, [["failed"; 10].as_slice(), &["done"; 2]].concat());
    assert!(pruned.out.contains("locked by another process for 2 s"), "{}", pruned.out);
    assert!(pruned.out.contains("other registries have used up the time"), "{}", pruned.out);

    let began = Instant::now();
    let mut lsagents = world.tool("lsagents");
    for path in &paths {
        lsagents.arg("--registry").arg(path);
    }
    let listed = run(&mut lsagents, "").expect(&[2]);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let agents = listed.out.matches("\"type\":\"agent\"").count();
    assert_eq!((agents, listed.out.matches("\"type\":\"registry\"").count()), (1, 1));
}
