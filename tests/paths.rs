//! Paths that a shell would expand, split, quote or take for an option.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{Entry, Registry, TOOLS, World, alive, run};

/// How to run a script, given its name.
type Way<'w> = &'w dyn Fn(&str) -> Command;

/// What a shell would expand, split, quote or take for an option.
const ODD: &str = "-d $(touch pwned)`touch pwned` 'q\" \\*;&\n#";

#[test]
fn h31_paths_that_a_shell_would_expand_are_left_as_they_are() {
    let world = World::new();
    let at = world.path().join(ODD);
    let [workspace, scratch, home, bin] =
        ["w", "tmp", "home", "bin"].map(|name| at.join(name).join(ODD));
    for directory in
        [&workspace, &scratch, &home, &bin, &at.join("tools"), &at.join("target/release")]
    {
        fs::create_dir_all(directory).unwrap();
    }
    fs::rename(world.path().join(".agent-workspace"), workspace.join(".agent-workspace")).unwrap();
    let registry = workspace.join(".agent-workspace/registry/GLOBAL_REGISTRY.json");
    let script_source = |name: &str| PathBuf::from(world.script(name).get_program());
    for directory in [&bin, &at.join("target/release")] {
        for tool in TOOLS {
            copy(Path::new(world.tool(tool).get_program()), &directory.join(tool));
        }
    }
    for script in ["cleanup_leaked_agents.sh", "verify_cleanup.sh"] {
        for directory in [&bin, &at.join("tools")] {
            copy(&script_source(script), &directory.join(script));
        }
    }
    // As in the source tree: directories by the names of the programs beside the scripts.
    for tool in TOOLS {
        fs::create_dir(at.join("tools").join(tool)).unwrap();
    }
    let socket = at.join("s");
    let mut tmux = world.command("tmux");
    tmux.args(["-f", "/dev/null", "-S"]).arg(&socket).args([
        "new-session",
        "-d",
        "-s",
        "bystander",
    ]);
    run(tmux.args(["-x", "80", "sleep 3600"]), "").ok();

    let confined = |program: &Path, directory: &Path| {
        let mut command = world.command(program);
        // Nothing of these is on PATH.
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir(directory);
        command.env("HOME", &home).env("TMPDIR", &scratch).env("CDPATH", &at);
        command
    };
    let ways: [(&str, Way<'_>); 4] = [
        ("by its path", &|script| {
            let mut command = confined(&bin.join(script), Path::new("/"));
            command.arg("--workspace").arg(&workspace).arg("-S").arg(&socket);
            command
        }),
        ("from the source tree, relative", &|script| {
            let mut command = confined(Path::new("sh"), &at);
            command.arg(format!("tools/{script}")).arg("--workspace").arg(&workspace);
            command.args(["-S", "s"]);
            command
        }),
        ("in the workspace, by a link, with a relative scratch directory", &|script| {
            let link = workspace.join(format!("{ODD}{script}"));
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(bin.join(script), &link).unwrap();
            let mut command = confined(Path::new("sh"), &workspace);
            fs::create_dir_all(workspace.join("-t")).unwrap();
            command.args(["--", &format!("{ODD}{script}")]).arg("-S").arg(&socket);
            command.env("TMPDIR", "-t");
            command
        }),
        ("by the variable, with an option's sign before the workspace", &|script| {
            let mut command = confined(&bin.join(script), workspace.parent().unwrap());
            command.env("CLAUDE_ORCHESTRATOR_WORKSPACE", "/nowhere");
            command.arg(format!("--workspace={ODD}")).arg("-S").arg(&socket);
            command
        }),
    ];
    for (what, way) in ways {
        let entries = ["ghost-101010-aaaaaa"].map(Entry::new);
        fs::write(&registry, Registry::new(entries).counters(5, 5).global()).unwrap();
        let leaked = world.leaked(&[]);
        let script = |name: &str, arguments: &[&str]| {
            run(way(name).args(["--name", world.name()]).args(arguments), "")
        };
        let cleanup = script("cleanup_leaked_agents.sh", &["--yes"]);
        assert_eq!(cleanup.code, 0, "{what}: {}\n{}", cleanup.out, cleanup.err);
        assert!(cleanup.out.contains("Registry agents after: 0"), "{what}: {}", cleanup.out);
        assert!(!alive(leaked.pid), "{what}");
        let verify = script("verify_cleanup.sh", &[]);
        assert_eq!(verify.code, 0, "{what}: {}\n{}", verify.out, verify.err);
    }

    // The programs themselves: files, logs and workspaces by such names.
    let tool = |name: &str| confined(&bin.join(name), &at);
    let entries = ["ghost-101010-aaaaaa"].map(Entry::new);
    fs::write(&registry, Registry::new(entries).global()).unwrap();
    let listers = [
        tool("lsagents").arg("--registry").arg(&registry).output().unwrap(),
        tool("lssessions").args(["-S", "s"]).output().unwrap(),
        tool("lsclaude").args(["--name", world.name()]).output().unwrap(),
    ];
    let scan = at.join(ODD);
    fs::write(&scan, listers.map(|output| output.stdout).concat()).unwrap();
    let judged = run(tool("agentdiff").arg("--").arg(ODD), "").expect(&[1]).out;
    let ran = run(
        tool("agentprune").args(["--yes", "--log"]).arg(at.join("l").join("..").join(ODD)),
        &judged,
    );
    assert_eq!(ran.code, 2, "{}", ran.err);
    let log = format!("--log={ODD}.log");
    let ran = run(tool("agentprune").args(["--yes", &log]), &judged).ok();
    assert_eq!(ran.records()[0]["finding"]["agent"]["registry"], registry.to_str().unwrap());
    assert!(at.join(format!("{ODD}.log")).exists());

    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "what the scripts needed is gone");
    assert_eq!(fs::read_dir(workspace.join("-t")).unwrap().count(), 0);
    let pwned = run(world.command("find").arg(world.path()).args(["-name", "pwned"]), "").ok();
    assert_eq!(pwned.out, "");
    assert!(!Path::new("/pwned").exists());
    let mut server = world.command("tmux");
    let names = run(server.arg("-S").arg(&socket).args(["list-sessions", "-F", "#S"]), "").ok();
    assert_eq!(names.out, "bystander\n");
}

/// Another process copies it: one that is open for writing cannot be run.
fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg(from).arg(to), "").ok();
}
