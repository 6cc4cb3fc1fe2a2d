//! That agentprune reports each action before it begins the next, whoever reads its output.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{ended, full};
use crate::world::{Entry, Ran, Registry, World, alive, records, run, wait_until};

/// One process to end, two sessions to end, one entry to remove: four actions, in this order.
struct Leftovers {
    leaked: i32,
    zombies: [i32; 2],
    registry: Vec<u8>,
}

const GHOST: &str = "ghost-101010-aaaaaa";
const ZOMBIES: [&str; 2] = ["zombie-101010-bbbbbb", "zombie-101010-cccccc"];

/// A world with leftovers, a session that lives, and the findings in the file `findings`.
fn leftovers(world: &World, ignored: &str) -> Leftovers {
    world.write_global(&Registry::new([Entry::new(GHOST)]));
    world.session("bystander", "sleep 3600");
    let zombies = ZOMBIES.map(|id| world.session(&format!("agent_{id}"), "sleep 3600"));
    let leaked = world.leaked(&[("STANDIN_IGNORE", ignored)]).pid;
    let chosen = ["--unregistered", "-Q", ".kind != \"count_mismatch\""];
    let findings = world.findings_with_zombies(&chosen, 2);
    fs::write(world.path().join("findings"), &findings).unwrap();
    let registry = fs::read(world.global_path()).unwrap();
    Leftovers { leaked, zombies, registry }
}

impl Leftovers {
    /// How many of the four actions have been carried out: those before others first.
    fn done(&self, world: &World) -> usize {
        let ghost_is_gone = fs::read(world.global_path()).unwrap() != self.registry;
        let [first, second] = self.zombies.map(|pid| !alive(pid));
        let done = [!alive(self.leaked), first, second, ghost_is_gone];
        let count = done.iter().take_while(|done| **done).count();
        assert!(done[count..].iter().all(|done| !done), "not in order: {done:?}");
        count
    }
}

/// `agentprune --yes` on the findings of the world.
fn prune(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.tool("agentprune");
    command.arg("--yes").args(arguments).arg("findings").stdin(Stdio::null());
    command.stderr(Stdio::piped());
    command
}

/// The same with at most this many bytes in any file that it writes.
fn prune_limited(world: &World, bytes: usize, arguments: &[&str]) -> Command {
    let mut command = world.command("prlimit");
    let program = world.tool("agentprune").get_program().to_owned();
    command.arg(format!("--fsize={bytes}")).arg(program);
    command.arg("--yes").args(arguments).arg("findings").stdin(Stdio::null());
    command.stderr(Stdio::piped());
    command
}

/// The results in a log or an output, in order, without what was only planned.
fn results(text: &str) -> Vec<(String, String)> {
    let word = |action: &Value, field: &str| action[field].as_str().unwrap().to_owned();
    let lines: String = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
    let all = records(&lines);
    let ended = all.iter().filter(|action| action["result"] != "planned");
    ended.map(|action| (word(action, "action"), word(action, "result"))).collect()
}

fn log(world: &World) -> String {
    fs::read_to_string(world.path().join("log")).unwrap_or_default()
}

/// A process that holds the lock of the world's registry, and ends with the world.
fn lock(world: &World) -> i32 {
    let registry = world.global_path();
    let mut flock = world.command("flock");
    let pid = world.spawn({
        flock.arg("-F").arg(&registry).args(["sleep", "600"]);
        flock
    });
    wait_until(|| "the lock", || is_locked(world, &registry));
    pid
}

fn is_locked(world: &World, registry: &Path) -> bool {
    run(world.command("flock").arg("-n").arg(registry).arg("true"), "").code == 1
}

/// A pipe that is full: its reader has read nothing yet.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter, usize) {
    let (reader, writer) = std::io::pipe().unwrap();
    let size = 1 << 16;
    let mut filler = writer.try_clone().unwrap();
    filler.write_all(&vec![b'\n'; size]).unwrap();
    (reader, writer, size)
}

fn wait(child: Child) -> Ran {
    ended(child.wait_with_output().unwrap())
}

#[test]
fn h26_a_reader_that_does_not_read_stretches_no_grace_and_delays_the_next_action() {
    let world = World::new();
    // One that obeys is reported in the middle of the grace.
    let obeys = world.leaked(&[]).pid;
    let leftovers = leftovers(&world, "TERM");
    let (mut reader, writer, size) = full_pipe();
    let begun = Instant::now();
    let child = prune(&world, &["--grace", "1s"]).stdout(writer).spawn().unwrap();
    wait_until(|| "SIGKILL", || !alive(leftovers.leaked));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(!alive(obeys));
    // Until its record has been taken, nothing else begins, and nothing is locked.
    thread::sleep(Duration::from_millis(700));
    assert_eq!(leftovers.done(&world), 1);
    assert!(!is_locked(&world, &world.global_path()));
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    let ran = wait(child);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(leftovers.done(&world), 4);
    assert_eq!(results(&out[size..]).len(), 5);
}

#[test]
fn h26_no_registry_stays_locked_for_a_reader_that_does_not_read() {
    let world = World::new();
    let ghosts: Vec<Entry> = (0..40).map(|n| Entry::new(&format!("ghost-{n}-aaaaaa"))).collect();
    world.write_global(&Registry::new(ghosts));
    world.session("bystander", "sleep 3600");
    fs::write(world.path().join("findings"), world.findings(&[])).unwrap();
    let before = fs::read(world.global_path()).unwrap();
    let (mut reader, writer, size) = full_pipe();
    let child = prune(&world, &[]).stdout(writer).spawn().unwrap();
    wait_until(|| "the entries to go", || fs::read(world.global_path()).unwrap() != before);
    wait_until(|| "the lock to be released", || !is_locked(&world, &world.global_path()));
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert_eq!(wait(child).code, 0);
    assert_eq!(results(&out[size..]).len(), 40);
}

#[test]
fn h26_when_the_reader_has_gone_no_further_action_begins() {
    for (arguments, logged) in [(&[][..], false), (&["--log", "log"], true)] {
        let world = World::new();
        let leftovers = leftovers(&world, "");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = wait(prune(&world, arguments).stdout(writer).spawn().unwrap());
        assert_eq!(ran.code, 141, "{}", ran.err);
        assert_eq!(leftovers.done(&world), 1, "{}", ran.err);
        let process = leftovers.leaked;
        let says = match logged {
            true => "agentprune: 1 results could not be printed; they are in log\n".to_owned(),
            false => {
                format!("agentprune: done: kill_process: process {process}: ended after SIGTERM\n")
            }
        };
        assert_eq!(ran.err, format!("{says}agentprune: stopped; not done: 3 of 4\n"));
        let done = ("kill_process".to_owned(), "done".to_owned());
        assert_eq!(results(&log(&world)), vec![done; usize::from(logged)]);
        let again = run(prune(&world, &[]).stdout(Stdio::piped()), "").ok();
        assert_eq!((results(&again.out).len(), leftovers.done(&world)), (4, 4));
    }
}

#[test]
fn h26_a_reader_that_goes_after_the_first_record_gets_one_session_ended_at_most() {
    let world = World::new();
    let leftovers = leftovers(&world, "");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let child = prune(&world, &["--log", "log"]).stdout(writer).spawn().unwrap();
    let mut first = [0];
    reader.read_exact(&mut first).unwrap();
    drop(reader);
    let ran = wait(child);
    // The next action may have begun, or found everything delivered, before the reader went.
    let done = leftovers.done(&world);
    assert_eq!(results(&log(&world)).len(), done, "{}", ran.err);
    assert_eq!(log(&world).matches("\"planned\"").count(), done, "{}", ran.err);
    if done < 4 {
        assert_eq!(ran.code, 141, "{}", ran.err);
        let rest = format!("agentprune: stopped; not done: {} of 4\n", 4 - done);
        assert!(ran.err.ends_with(&rest), "{}", ran.err);
    }
}

#[test]
fn h26_when_output_is_full_no_further_action_begins() {
    for arguments in [&[][..], &["-T"]] {
        let world = World::new();
        let leftovers = leftovers(&world, "");
        let ran = full(&mut prune(&world, arguments)).expect(&[2]);
        assert!(ran.err.contains("agentprune: standard output: No space left"), "{}", ran.err);
        let process = format!("agentprune: done: kill_process: process {}: ", leftovers.leaked);
        assert!(ran.err.contains(&process), "{}", ran.err);
        if arguments.is_empty() {
            assert_eq!(leftovers.done(&world), 1, "{}", ran.err);
            assert!(ran.err.contains("agentprune: stopped; not done: 3 of 4\n"), "{}", ran.err);
        } else {
            // A table is printed at the end: what it would have said, standard error says.
            assert_eq!(leftovers.done(&world), 4, "{}", ran.err);
            let says = format!("agentprune: done: remove_entry: agent {GHOST}: entry removed\n");
            assert!(ran.err.contains(&says), "{}", ran.err);
        }
    }
}

#[test]
fn h26_a_table_of_a_run_that_stops_early_shows_what_was_done() {
    let world = World::new();
    let leftovers = leftovers(&world, "");
    // The log takes what is planned for the process, its result, and no more.
    let planned_and_done = 2 * 1200;
    let arguments = ["--log", "log", "-T"];
    let mut command = prune_limited(&world, planned_and_done, &arguments);
    let ran = wait(command.stdout(Stdio::piped()).spawn().unwrap());
    assert_eq!(ran.code, 2, "{}", ran.err);
    let done = leftovers.done(&world);
    assert!((1..4).contains(&done), "{}", ran.err);
    assert!(ran.out.contains(&format!("process {}", leftovers.leaked)), "{}", ran.out);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("done ")).count(), done);
}

#[test]
fn h52_a_limit_on_the_size_of_files_stops_the_run_and_not_the_report() {
    let world = World::new();
    let leftovers = leftovers(&world, "");
    let out = File::create(world.path().join("out")).unwrap();
    let ran = wait(prune_limited(&world, 10, &[]).stdout(out).spawn().unwrap());
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert_eq!(leftovers.done(&world), 1, "{}", ran.err);
    let done = format!("agentprune: done: kill_process: process {}: ", leftovers.leaked);
    assert!(ran.err.starts_with(&done), "{}", ran.err);
    assert!(ran.err.contains("agentprune: standard output: File too large"), "{}", ran.err);
    assert!(ran.err.contains("agentprune: stopped; not done: 3 of 4\n"), "{}", ran.err);
}

#[test]
fn h52_a_log_that_takes_no_more_stops_the_run_and_standard_output_has_what_was_done() {
    let world = World::new();
    let leftovers = leftovers(&world, "");
    // Not even the first plan.
    let ran = wait(prune_limited(&world, 10, &["--log", "log"]).spawn().unwrap());
    assert_eq!((ran.code, leftovers.done(&world)), (2, 0), "{}", ran.err);
    assert!(ran.err.contains("agentprune: log: File too large"), "{}", ran.err);
    // The first plan, which is what a dry run prints, and a part of its result.
    fs::remove_file(world.path().join("log")).unwrap();
    let planned = run(world.tool("agentprune").arg("findings"), "").ok().out;
    let limit = planned.lines().next().unwrap().len() + 100;
    let mut command = prune_limited(&world, limit, &["--log", "log"]);
    let ran = wait(command.stdout(Stdio::piped()).spawn().unwrap());
    assert_eq!((ran.code, leftovers.done(&world)), (2, 1), "{}", ran.err);
    assert_eq!(results(&ran.out), [("kill_process".to_owned(), "done".to_owned())]);
    assert!(ran.err.contains("agentprune: log: File too large"), "{}", ran.err);
}

#[test]
fn h26_sigint_before_the_next_action_loses_no_record_of_those_before() {
    let world = World::new();
    let leftovers = leftovers(&world, "");
    lock(&world);
    let out = File::create(world.path().join("out")).unwrap();
    let child = prune(&world, &["--lock-timeout", "1h"]).stdout(out).spawn().unwrap();
    let printed = || fs::read_to_string(world.path().join("out")).unwrap();
    wait_until(|| "the records of three actions", || printed().lines().count() == 3);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let ran = wait(child);
    assert_eq!(ran.code, 128 + Signal::SIGINT as i32);
    assert_eq!(leftovers.done(&world), 3);
    let done = |action: &str| (action.to_owned(), "done".to_owned());
    let expected = [done("kill_process"), done("kill_session"), done("kill_session")];
    assert_eq!(results(&printed()), expected);
}

#[test]
fn h26_sigint_while_a_registry_is_written_waits_for_the_records_of_it() {
    let world = World::new();
    let prompt = "You are a worker. ".repeat(2000);
    let ghost = |n| Entry::new(&format!("ghost-{n}-aaaaaa")).set("prompt", prompt.as_str());
    let before = world.write_global(&Registry::new((0..100).map(ghost)));
    world.session("bystander", "sleep 3600");
    fs::write(world.path().join("findings"), world.findings(&[])).unwrap();
    let mut written = 0;
    for attempt in 0..12 {
        fs::write(world.global_path(), &before).unwrap();
        let out = File::create(world.path().join("out")).unwrap();
        let mut child = prune(&world, &[]).stdout(out).spawn().unwrap();
        let directory = world.global_path().parent().unwrap().to_owned();
        let is_journal = |name: &str| name.contains("journal");
        let writes = || {
            let names = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().file_name());
            names.into_iter().any(|name| is_journal(&name.to_string_lossy()))
        };
        wait_until(|| "the journal", || writes() || child.try_wait().unwrap().is_some());
        thread::sleep(Duration::from_millis(attempt));
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGINT);
        wait(child);
        let is_written = fs::read_to_string(world.global_path()).unwrap() != before;
        let printed = fs::read_to_string(world.path().join("out")).unwrap();
        let entries = records(&printed).iter().filter(|record| record["entry"].is_object()).count();
        assert_eq!(entries, if is_written { 100 } else { 0 }, "attempt {attempt}");
        written += usize::from(is_written);
    }
    assert!(written > 0);
}
