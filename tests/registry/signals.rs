//! Prunes that are told to end by a signal.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{found, journal, litter, live, reset, world};
use crate::world::{Entry, Registry, alive, records, wait_until};

const ATTEMPTS: u32 = 32;
const GHOSTS: usize = 200;

#[test]
fn h26_a_signal_leaves_the_registry_whole() {
    let world = world();
    let registry = world.global_path();
    let prompt = "You are a worker. ".repeat(2000);
    let large = |number| live(&format!("large-{number}")).set("prompt", prompt.as_str());
    let ghosts = (0..GHOSTS).map(|number| Entry::new(&format!("ghost-{number}")));
    let before = world.write_global(&Registry::new((0..150).map(large).chain(ghosts)));
    let findings = found(&world, &[&registry]);
    let file = world.path().join("findings");
    fs::write(&file, &findings).unwrap();
    let prune = || {
        let mut command = world.tool("agentprune");
        command.args(["--yes", "--log", "log"]).arg(&file).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let began = Instant::now();
    assert!(prune().output().unwrap().status.success());
    let whole_run = began.elapsed();
    let after = fs::read_to_string(&registry).unwrap();

    let (mut untouched, mut done, mut too_late) = (0, 0, 0);
    for attempt in 0..ATTEMPTS {
        reset(&registry, before.as_bytes());
        fs::remove_file(world.path().join("log")).unwrap_or_default();
        let child = prune().spawn().unwrap();
        if attempt % 4 == 3 {
            // In the middle of the write, or of what comes before it.
            wait_until(
                || "the journal",
                || journal(&registry).exists() || !alive(child.id() as i32),
            );
        } else {
            thread::sleep(whole_run * attempt / ATTEMPTS);
        }
        let signal = [Signal::SIGINT, Signal::SIGTERM][attempt as usize % 2];
        let _ = kill(Pid::from_raw(child.id() as i32), signal);
        let output = child.wait_with_output().unwrap();
        let text = fs::read_to_string(&registry).unwrap();
        assert_eq!(litter(&registry), Vec::<String>::new(), "attempt {attempt}");
        let log = fs::read_to_string(world.path().join("log")).unwrap_or_default();
        let noted = records(&log).iter().filter(|record| record["entry"].is_object()).count();
        if output.status.signal() == Some(signal as i32) {
            assert!(text == before || text == after, "attempt {attempt}");
            untouched += u32::from(text == before);
            done += u32::from(text == after);
            // What was done is in the log, whatever came then.
            assert_eq!(noted, if text == before { 0 } else { GHOSTS }, "attempt {attempt}");
        } else {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(text, after);
            too_late += 1;
        }
    }
    println!(
        "{ATTEMPTS} signals in prunes of {whole_run:?}, {} bytes: {untouched} before the write, {done} behind it, {too_late} too late",
        before.len()
    );
    assert!(untouched > 0 && done > 0);
}
