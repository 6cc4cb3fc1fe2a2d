//! A prune that is held up before a system call, so that somebody else can act then.

use std::fs;
use std::time::Duration;

use super::journal;
use crate::world::{Ran, World, run, skip, through, wait_until};

/// Prunes the world's global registry; before the first `call` that concerns it, `act` runs.
/// None where strace cannot trace.
pub fn held_up(world: &World, findings: &str, call: &str, act: impl FnOnce()) -> Option<Ran> {
    let registry = world.global_path();
    let file = world.path().join("findings");
    fs::write(&file, findings).unwrap();
    let trace = world.path().join("trace").display().to_string();
    let inject = format!("inject={call}:delay_enter=1500000:when=1");
    let path = registry.display().to_string();
    let calls = "trace=pwrite64,ftruncate,fsync";
    let strace = ["strace", "-qq", "-o", &trace, "-P", &path, "-e", calls, "-e", &inject];
    let mut command = world.tool("agentprune");
    command.arg("--yes").arg(&file);
    if run(&mut through(&["strace", "-qq", "-o", "/dev/null", "true"], &command), "").code != 0 {
        skip("held up", "strace cannot trace here");
        return None;
    }
    // strace writes a call down when it is over.
    let before = match call {
        "pwrite64" => 0,
        "ftruncate" => 1,
        _ => 2,
    };
    let lines = || fs::read_to_string(&trace).unwrap_or_default().lines().count();
    std::thread::scope(|scope| {
        let mut wrapped = through(&strace, &command);
        let pruning = scope.spawn(move || run(&mut wrapped, ""));
        wait_until(|| "the call before", || journal(&registry).exists() && lines() >= before);
        std::thread::sleep(Duration::from_millis(500));
        act();
        Some(pruning.join().unwrap())
    })
}
