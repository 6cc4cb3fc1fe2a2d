//! The processes below one that is ended.

use std::fs;
use std::path::Path;

use crate::world::{Ran, Registry, World, alive, records, wait_until};

/// The processes that `command` starts below a leaked Claude, which writes their pids into
/// files of these names; and that Claude.
fn family(world: &World, command: &str, names: &[&str]) -> (i32, Vec<i32>) {
    // Each has a directory of its own.
    let directory = world.ready().directory().join("family");
    fs::create_dir(&directory).unwrap();
    let command = format!("cd '{}'; {command}", directory.display());
    let claude = world.leaked(&[("STANDIN_REAPS", &command)]).pid;
    (claude, names.iter().map(|name| pid_in(&directory.join(name))).collect())
}

/// The pid that a shell writes into a file.
fn pid_in(file: &Path) -> i32 {
    let read = || fs::read_to_string(file).ok()?.trim().parse().ok();
    let mut pid = None;
    wait_until(
        || file.display().to_string(),
        || {
            pid = read();
            pid.is_some()
        },
    );
    pid.unwrap()
}

fn prune(world: &World, claude: i32, arguments: &[&str]) -> Ran {
    let findings = world.findings(&["-Q", &format!(".target == \"process {claude}\"")]);
    let ran = world.prune(&findings, &[&["--yes"], arguments].concat()).ok();
    assert!(!alive(claude));
    ran
}

/// Each waits in a way that its parent's end does not touch, and writes its pid first.
const QUIET: &str = "</dev/null >/dev/null 2>&1 &";

#[test]
fn descendants_of_a_leak_are_named_and_ended_only_with_tree() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    world.agent_session("here-1-2", &[]);
    let nested =
        format!("sh -c 'echo $$ >outer; sh -c \"echo \\$\\$ >inner; sleep 600\" & wait' {QUIET}");

    let (claude, left) = family(&world, &nested, &["outer", "inner"]);
    let ran = prune(&world, claude, &[]);
    assert!(left.iter().all(|pid| alive(*pid)), "{ran:?}");
    for pid in &left {
        let says = format!("agentprune: process {pid} sh, a descendant of {claude}: left running");
        assert!(ran.err.contains(&says), "{says} in {}", ran.err);
    }
    assert_eq!(ran.records().len(), 1, "{}", ran.out);
    let quiet = family(&world, &nested, &["outer", "inner"]);
    assert_eq!(prune(&world, quiet.0, &["--quiet"]).err, "");

    let (claude, left) = family(&world, &nested, &["outer", "inner"]);
    let ran = prune(&world, claude, &["--tree", "--log", "log"]);
    assert!(!left.iter().any(|pid| alive(*pid)), "{ran:?}");
    let actions = ran.records();
    assert_eq!(actions[0]["target"], format!("process {claude}"));
    for pid in &left {
        let target = format!("process {pid} sh, a descendant of {claude}");
        let action = actions.iter().find(|action| action["target"] == target).unwrap();
        assert_eq!(
            (&action["action"], &action["result"]),
            (&"kill_process".into(), &"done".into())
        );
        assert_eq!(action["finding"]["process"]["pid"], claude);
        let log = records(&fs::read_to_string(world.path().join("log")).unwrap());
        let planned =
            log.iter().any(|line| line["target"] == target && line["result"] == "planned");
        assert!(planned, "{log:?}");
    }
}

#[test]
fn a_descendant_that_something_holds_outlives_its_claude() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    world.agent_session("here-1-2", &[]);
    let server = world.path().join("inner-server");
    let command = format!(
        "sh -c 'echo $$ >logger; exec sleep 600' </dev/null >log 2>&1 &\n\
         mkfifo pipe; sh -c 'echo $$ >reader; exec sleep 600' <pipe >log2 2>&1 &\n\
         sh -c 'echo $$ >writer; exec sleep 600' </dev/null >pipe 2>/dev/null &\n\
         tmux -f /dev/null -S '{server}' new-session -d 'echo $PPID >server; exec sleep 600'",
        server = server.display()
    );
    let names = ["logger", "reader", "writer", "server"];
    let (claude, held) = family(&world, &command, &names);
    let ran = prune(&world, claude, &["--tree"]);
    assert!(held.iter().all(|pid| alive(*pid)), "{ran:?}");
    assert_eq!(ran.records().len(), 1, "{}", ran.out);
    let reasons = [
        ("its output goes to /".to_owned(), "/family/log"),
        (format!("process {} (", held[2]), ") writes to its input"),
        (format!("process {} (", held[1]), ") reads its output"),
        ("it is a tmux server".to_owned(), ""),
    ];
    for ((pid, name), (why, end)) in held.iter().zip(names).zip(reasons) {
        let line =
            ran.err.lines().find(|line| line.starts_with(&format!("agentprune: process {pid} ")));
        let line = line.unwrap_or_else(|| panic!("{name} {pid} in {}", ran.err));
        let says = format!("a descendant of {claude}: {why}");
        assert!(line.contains(&says) && line.ends_with(end), "{name}: {line}");
    }
}
