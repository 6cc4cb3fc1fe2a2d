//! Unattended: from cron, a service manager, a hook of tmux, a monitoring system. The
//! recipes of the manual are executed unchanged, in namespaces with the tools in
//! `/usr/local/bin` and Claude under its own name.

mod cron;
mod gauges;
mod health;
mod hook;
mod systemd;
mod users;

use std::path::Path;
use std::process::Command;

use crate::world::{Live, Ran, Standin, World, run};

/// Puts the tools, and the stand-in as `claude`, into `/usr/local/bin`. They are mounted
/// there, not linked: another `/tmp` must not hide them.
const INSTALL: &str = r#"
set -eu
mkdir -p /tmp/bin /tmp/local
mount --bind /usr/local/bin /tmp/local
for other in /tmp/local/*; do
    [ -e "$other" ] && ln -s "$(readlink -f "$other")" /tmp/bin/ || :
done
place() { rm -f "/tmp/bin/$2"; : >"/tmp/bin/$2"; mount --bind "$1" "/tmp/bin/$2"; }
for tool in lsagents lssessions lsclaude agentdiff agentprune; do place "$1/$tool" "$tool"; done
place "$1/examples/standin" claude
mount --rbind /tmp/bin /usr/local/bin
"#;

/// A world in the namespaces of `privately`, in which the tools are installed. Its directory
/// is the home, and `project` therein the workspace.
pub fn installed() -> World {
    let world = World::new();
    let built = world.tool("lsagents").get_program().to_owned();
    let built = Path::new(&built).parent().unwrap();
    run(Command::new("sh").args(["-c", INSTALL, "sh"]).arg(built), "").ok();
    std::os::unix::fs::symlink(".", world.path().join("project")).unwrap();
    world
}

/// Starts an agent in a session, with Claude under its own name.
fn agent(world: &World, id: &str) -> Live {
    let command = format!("claude --print 'You are {id}' | tee logs/{id}_stream.jsonl");
    world.live_session(&format!("agent_{id}"), &command, &[])
}

/// A Claude of that name that nothing holds.
fn leak(world: &World) -> Standin {
    let mut command = world.command("claude");
    command.args(["--print", "--output-format", "stream-json"]);
    world.orphan(&command)
}

/// Runs a recipe in a shell, in the home directory and with nothing in its environment but
/// what every shell has.
fn by_hand(world: &World, recipe: &str, environment: &[(&str, &str)]) -> Ran {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", recipe]).current_dir(world.path()).env_clear();
    shell.env("HOME", world.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    run(shell.envs(environment.iter().copied()), "")
}

/// The ids in the world's global registry.
fn ids(world: &World) -> Vec<String> {
    let listed = run(&mut world.lsagents(), "").ok().records();
    let agents = listed.iter().filter(|record| record["type"] == "agent");
    agents.map(|agent| agent["id"].as_str().unwrap().to_owned()).collect()
}
