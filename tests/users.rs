//! One run, one user: nobody's rights, files and words are used for somebody else.

mod becoming;
mod by_root;
mod containers;
mod file_size_limit;
mod liars;
mod sockets;
mod terminal;
mod trace;
mod unknown;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{User, World, built};

/// What must reach no user: the value of variables in root's environment.
const CANARY: &str = "canary-of-root";

/// A command run by root, in a world that may be another user's, with a rich environment.
fn by_root(world: &World, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir(world.path()).env_clear();
    for (name, value) in world.command("true").get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("HOME", "/root").env("TMUX", format!("/tmp/{CANARY}/socket,1,0"));
    fs::create_dir_all(format!("/tmp/{CANARY}")).unwrap();
    for name in ["TMUX_TMPDIR", "TMPDIR", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR"] {
        command.env(name, format!("/tmp/{CANARY}"));
    }
    for name in ["SECRET", "CLAUDE_EXECUTABLE", "CLAUDE_ORCHESTRATOR_WORKSPACE", "TMUX_PANE"] {
        command.env(name, CANARY);
    }
    command
}

/// A program run by root.
pub fn tool(world: &World, name: &str) -> Command {
    by_root(world, built().join(name))
}

/// A program run by root for a user.
fn tool_for(user: &User, world: &World, name: &str) -> Command {
    let mut command = tool(world, name);
    let spelled = user.name.map_or_else(|| user.uid.to_string(), str::to_owned);
    command.arg("--user").arg(spelled);
    command
}

/// The listers, run by root for a user, on a workspace.
fn listers_for(user: &User, world: &World) -> [Command; 3] {
    let mut listers =
        ["lsagents", "lssessions", "lsclaude"].map(|name| tool_for(user, world, name));
    listers[0].arg("--workspace").arg(world.path());
    listers
}

/// Makes an executable of a text.
fn executable(path: &Path, text: &str) -> PathBuf {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).unwrap();
    }
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

/// Puts a program called tmux before the real one for this command. It runs these lines of
/// shell first.
fn with_tmux(command: &mut Command, lines: &str) {
    let directory = Path::new("/tmp/wrapped");
    executable(
        &directory.join("tmux"),
        &format!("#!/bin/sh\n{lines}\nPATH=${{PATH#*:}}\nexec tmux \"$@\"\n"),
    );
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
    let path = path.expect("a PATH").to_str().unwrap().to_owned();
    command.env("PATH", format!("{}:{path}", directory.display()));
}
