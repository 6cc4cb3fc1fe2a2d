//! A registry of many megabytes: how long its lock is held, and how much memory that takes.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::{SESSION, found, litter, world};

/// Without optimisation all that reads a text is some twenty times slower.
const MEGABYTES: usize = if cfg!(debug_assertions) { 30 } else { 100 };
const GHOSTS: usize = 300;
/// Shorter than what a waiting orchestrator waits for; without optimisation, that is a
/// matter of the machine.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 5 });

#[test]
fn a_large_registry_takes_little_memory_and_is_locked_shortly() {
    let world = world();
    let registry = world.global_path();
    let entries = write(&registry);
    let size = fs::metadata(&registry).unwrap().len();
    let findings = world.path().join("findings");
    fs::write(&findings, found(&world, &[&registry])).unwrap();

    let began = Instant::now();
    let mut prune = world.tool("agentprune");
    prune.arg("--yes").arg(&findings).stdin(Stdio::null());
    let mut child = prune.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut peak, mut held, mut longest) = (0, None, Duration::ZERO);
    let mut file = OpenOptions::new().read(true).open(&registry).unwrap();
    let status = loop {
        peak = peak.max(memory(child.id()).unwrap_or(0));
        file = match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(lock) => {
                held = None;
                lock.unlock().unwrap()
            }
            Err((file, Errno::EWOULDBLOCK)) => {
                longest = longest.max(held.get_or_insert_with(Instant::now).elapsed());
                file
            }
            Err((_, errno)) => panic!("{errno}"),
        };
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success());
    let left = fs::read_to_string(&registry).unwrap().matches("\"tmux_session\"").count();
    assert_eq!(left, entries - GHOSTS);
    assert_eq!(litter(&registry), Vec::<String>::new());
    let times = peak as f64 / size as f64;
    println!(
        "{size} bytes, {entries} entries, {GHOSTS} removed in {:?}; lock held {longest:?}; peak memory {peak} bytes, {times:.2} times the file",
        began.elapsed()
    );
    assert!(times < 2.2, "{times}");
    assert!(longest < LONGEST, "{longest:?}");
}

/// Writes a registry with a ghost now and then; returns how many entries it has.
fn write(path: &std::path::Path) -> usize {
    let prompt = "You are a worker. ".repeat(16);
    let entry = |number: usize, session: &str| {
        format!(
            "    \"worker-{number:08}\": {{\n      \"id\": \"worker-{number:08}\",\n      \
             \"tmux_session\": \"{session}\",\n      \"status\": \"working\",\n      \
             \"started_at\": \"2025-10-29T23:25:23.104729\",\n      \"prompt\": \"{prompt}\"\n    }}"
        )
    };
    let entries = MEGABYTES * 1_000_000 / (entry(0, SESSION).len() + 2);
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    write!(file, "{{\n  \"total_agents_spawned\": {entries},\n  \"active_agents\": {entries},\n  \"agents\": {{\n").unwrap();
    for number in 0..entries {
        let comma = if number == 0 { "" } else { ",\n" };
        let is_ghost = number % (entries / GHOSTS) == 0 && number / (entries / GHOSTS) < GHOSTS;
        let session = if is_ghost { "agent_gone" } else { SESSION };
        write!(file, "{comma}{}", entry(number, session)).unwrap();
    }
    write!(file, "\n  }}\n}}").unwrap();
    file.flush().unwrap();
    entries
}

/// The memory that a process has for itself, in bytes; not the pages of its executable, which
/// without optimisation are many.
fn memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
