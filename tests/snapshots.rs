//! What people read, as files: help, usage errors, lists of fields, tables, and the dialogue
//! of the scripts.
//!
//! A test fails when a text differs from its file in this directory. `INSTA_UPDATE=always
//! cargo test -p agentutils --test tests snapshots` writes the files anew; the difference is
//! then reviewed like any other change.

mod dialogue;
mod redacted;
mod screens;
mod tables;

use std::process::Command;

use crate::world::{COMMANDS, TOOLS, World, run};

pub use redacted::redacted;

/// Compares a text with the file `NAME.snap`.
///
/// # Panics
/// When it differs.
pub fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn command(world: &World, name: &str) -> Command {
    if !name.ends_with(".sh") {
        return world.tool(name);
    }
    // Without the options that confine it to the world: it does nothing here.
    let confined = world.script(name);
    world.command(confined.get_program())
}

#[test]
fn the_help_of_each_command_is_reviewed() {
    let world = World::new();
    for name in COMMANDS {
        let help = run(command(&world, name).arg("--help").env("COLUMNS", "80"), "").ok().out;
        snapshot(&format!("help-{name}"), &help);
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{name}: {help}");
    }
    for name in TOOLS {
        let help = run(command(&world, name).arg("--help").env("COLUMNS", "40"), "").ok().out;
        snapshot(&format!("help-{name}-40"), &help);
    }
}

#[test]
fn the_list_of_fields_of_each_program_is_reviewed() {
    let world = World::new();
    for name in TOOLS {
        let fields = run(command(&world, name).arg("-H").env("COLUMNS", "80"), "").ok().out;
        snapshot(&format!("fields-{name}"), &fields);
    }
}

#[test]
fn usage_errors_are_reviewed() {
    let world = World::new();
    let mut text = String::new();
    let mut says = |name: &str, arguments: &[&str]| {
        let ran = run(command(&world, name).args(arguments), "").expect(&[2]);
        text += &format!("$ {name} {}\n{}\n", arguments.join(" "), ran.err);
    };
    for name in COMMANDS {
        says(name, &["--nonsense"]);
    }
    for name in TOOLS {
        says(name, &["-T", "-o", "no_such_field"]);
    }
    for arguments in
        [&["--color", "sometimes"][..], &["-H", "-T"], &["-Q", ".name =="], &["-o"], &["surplus"]]
    {
        says("lsclaude", arguments);
    }
    says("lsclaude", &["--name", "a", "--also-name", "b"]);
    says("lsclaude", &["--proc-source", "elsewhere"]);
    says("lsagents", &["--workspace", "no-such-directory"]);
    says("agentdiff", &["--prefix", ""]);
    says("agentdiff", &["--min-age", "soon"]);
    says("agentdiff", &["--min-age", "2w"]);
    says("agentdiff", &["no-such-file"]);
    says("agentdiff", &[]);
    says("agentprune", &["--yes", "--dry-run"]);
    says("agentprune", &["--yes", "--interactive"]);
    says("agentprune", &["--tree"]);
    says("agentprune", &["--log", "log"]);
    says("agentprune", &["--ghosts", "bury"]);
    says("agentprune", &["--keep-backups", "-1"]);
    says("agentprune", &["no-such-file"]);
    says("agentprune", &[]);
    for script in ["cleanup_leaked_agents.sh", "verify_cleanup.sh"] {
        says(script, &["--workspace"]);
        says(script, &["--name", ""]);
    }
    snapshot("usage-errors", &text);
}
