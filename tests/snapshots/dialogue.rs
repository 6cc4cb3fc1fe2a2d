//! The scripts in the guide's case, on terminals of 80 and of 40 columns.
//!
//! What is shown depends on how many digits pids have. So this takes place in a pid namespace
//! in which they have five.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::{redacted, snapshot};
use crate::world::{World, built, privately, skip};

/// The scripts. Their own files may be below the `/tmp` that is not seen here.
const SCRIPTS: [(&str, &str); 2] = [
    ("verify_cleanup.sh", include_str!("../../tools/verify_cleanup.sh")),
    ("cleanup_leaked_agents.sh", include_str!("../../tools/cleanup_leaked_agents.sh")),
];

/// A file that is at the same place inside and outside: what cargo has built is in both.
pub fn handed_over(name: &str) -> PathBuf {
    built().join(format!("{name}.txt"))
}

/// Puts the scripts where the shell of a screen finds them.
pub fn place_scripts(world: &World) {
    for (name, text) in SCRIPTS {
        let path = world.path().join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
}

/// What the terminal shows of a script that is answered `yes`, and how it ended.
fn shown(world: &World, columns: u16, script: &str) -> String {
    let line = format!("{script}; printf '[exit status %s]\n' $?");
    let screen = world.screen(columns, 50, &line);
    if script.starts_with("cleanup") {
        screen.wait_for("(yes/no)");
        screen.enter("yes");
    }
    screen.wait_for("[exit status ");
    let text = screen.history();
    // What follows is the world's own.
    let (text, status) = text.split_once("[exit status ").expect("it was waited for");
    let status = status.split(']').next().unwrap_or_default();
    format!("$ {script}\n{text}[exit status {status}]\n\n")
}

fn record(columns: u16) {
    fs::write("/proc/sys/kernel/ns_last_pid", "41000").unwrap();
    let world = World::with_default_names();
    world.guide_case();
    place_scripts(&world);
    // Nothing is too young then.
    thread::sleep(Duration::from_millis(2200));
    let scripts = ["verify_cleanup.sh", "cleanup_leaked_agents.sh", "verify_cleanup.sh"];
    let text = scripts.map(|script| shown(&world, columns, script)).concat();
    fs::write(handed_over(&format!("dialogue-{columns}")), redacted(&text)).unwrap();
}

/// Compares what was recorded in the namespaces of this test, outside them.
pub fn review(name: &str) {
    if env::var_os("AGENTUTILS_PRIVATE").is_some() {
        return;
    }
    let Ok(text) = fs::read_to_string(handed_over(name)) else {
        return skip(&format!("snapshots: {name}"), "no namespaces");
    };
    fs::remove_file(handed_over(name)).unwrap();
    snapshot(name, &text);
}

#[test]
fn the_dialogue_of_the_scripts_at_80_columns_is_reviewed() {
    privately(|| record(80));
    review("dialogue-80");
}

#[test]
fn the_dialogue_of_the_scripts_at_40_columns_is_reviewed() {
    privately(|| record(40));
    review("dialogue-40");
}
