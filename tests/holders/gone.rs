//! What holds nothing because it is no longer there, and what is Claude's own.

use std::fs;
use std::process::Command;

use super::{assert_held, assert_leak, detached, end, judged, pid_in, world};
use crate::world::{World, alive, run, stat, wait_until};

#[test]
fn h63_a_file_that_was_deleted_holds_nothing() {
    let world = world();
    let claude = detached(&world, "exec $CLAUDE --print x >out.log 2>&1");
    assert_held(&world, &[], claude, "its output goes to /");
    fs::rename(world.path().join("out.log"), world.path().join("moved")).unwrap();
    assert_held(&world, &[], claude, "/moved");
    fs::remove_file(world.path().join("moved")).unwrap();
    assert_leak(&world, &[], claude, "the log has no name any more");
    // The words that /proc shows may be a part of a name.
    let claude = detached(&world, "exec $CLAUDE --print x >'out (deleted)'");
    assert_held(&world, &[], claude, "/out (deleted)");
}

/// A terminal window in which a shell runs a script: script(1) is the terminal emulator. Returns
/// it.
fn window(world: &World, script: &str) -> i32 {
    fs::write(world.path().join("window.sh"), script).unwrap();
    let ready = world.ready();
    let emulator = "exec script -qfc 'exec bash window.sh' /dev/null";
    let mut shell = super::shell(world, &ready, emulator);
    shell.env_remove("STANDIN_READY");
    world.spawn(shell)
}

#[test]
fn h74_what_a_closed_terminal_window_leaves_behind_is_a_leak() {
    let world = world();
    let ready = world.ready();
    // As the orchestrator starts an agent; its shell ignores the hang-up.
    let pipeline = format!(
        "trap '' HUP; export STANDIN_READY='{}'\n\
         bash -c 'set -o pipefail; echo prompt | {} --print x | tee out; echo over'\nexit\n",
        ready.directory().display(),
        world.name(),
    );
    let emulator = window(&world, &pipeline);
    let claude = ready.wait().pid;
    let line = stat(claude).unwrap().ppid;
    assert_held(&world, &[], claude, "parent ");
    end(emulator);
    let is_gone = || {
        let link = fs::read_link(format!("/proc/{line}/fd/1")).unwrap();
        link.to_string_lossy().ends_with(" (deleted)")
    };
    wait_until(|| "the terminal to go", is_gone);
    // What waits for the pipeline runs a file: it goes on, and holds it.
    let above = stat(line).unwrap().ppid;
    assert_held(&world, &[], claude, &format!("parent {above} bash (bash window.sh)"));
    end(above);
    wait_until(|| "a new parent", || stat(line).is_some_and(|stat| stat.ppid != above));
    assert_leak(&world, &[], claude, "its streams, and those of its shell, lead nowhere");
}

#[test]
fn h74_what_is_open_in_claudes_own_directories_holds_nothing() {
    let world = world();
    let tasks =
        format!("/tmp/claude-{}/agentutils-{}/tasks", nix::unistd::getuid(), std::process::id());
    fs::create_dir_all(&tasks).unwrap();
    for directory in [".npm/_logs", ".claude/debug", "own/debug"] {
        fs::create_dir_all(world.path().join(directory)).unwrap();
    }
    for log in ["~/.npm/_logs/x.log", "~/.claude/debug/x.txt", &format!("{tasks}/b1.output")] {
        let claude = detached(&world, &format!("exec $CLAUDE --print x >{log} 2>&1"));
        assert_leak(&world, &[], claude, log);
    }
    let claude =
        detached(&world, "CLAUDE_CONFIG_DIR=$HOME/own exec $CLAUDE --print x >own/debug/x.txt");
    assert_leak(&world, &[], claude, "its own configuration directory");
    let claude = detached(&world, "exec $CLAUDE --print x >own/debug/x.txt");
    assert_held(&world, &[], claude, "its output goes to /");
    end(claude);
    // Nested, below the shell of the Bash tool of a Claude that is a leak.
    let nested = world.leaked(&[(
        "STANDIN_REAPS",
        &format!("bash -c 'source x/shell-snapshots/x || true && eval \"STANDIN_READY= {} -p; :\"' </dev/null >{tasks}/b2.output 2>&1 &", world.name()),
    )]);
    let shell = || {
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.find(|pid| {
            stat(*pid).is_some_and(|stat| stat.ppid == nested.pid && stat.name == "bash")
        })
    };
    wait_until(|| "the shell", || shell().is_some());
    let shell = shell().unwrap();
    let inner = || {
        let records = run(&mut world.lsclaude(), "").ok().records();
        let inner = records.iter().find(|record| record["ppid"] == shell)?;
        inner["pid"].as_i64()
    };
    wait_until(|| "the nested Claude", || inner().is_some());
    let inner = inner().unwrap() as i32;
    let findings = world.findings(&[]);
    assert_eq!(judged(&findings, inner).0, "leaked_process", "{findings}");
    world.prune(&findings, &["--yes"]).ok();
    assert!(!alive(inner) && !alive(nested.pid));
    let _ = fs::remove_dir_all(tasks.strip_suffix("/tasks").unwrap());
}

#[test]
fn h74_what_its_own_hook_left_behind_does_not_hold_it() {
    let world = world();
    run(Command::new("mkfifo").arg("pipe").current_dir(world.path()), "").ok();
    let claude = detached(&world, "exec 4<>pipe; exec $CLAUDE --print x >pipe 4<&-");
    let hook = |session: &str| {
        let mut setsid = world.command("setsid");
        setsid.args(["--fork", "bash", "-c", "echo $$ >hook; exec sleep 3600 <pipe"]);
        assert!(setsid.env("CLAUDE_CODE_SESSION_ID", session).status().unwrap().success());
        let hook = pid_in(&world, "hook");
        wait_until(|| "sleep", || stat(hook).is_some_and(|stat| stat.name == "sleep"));
        fs::remove_file(world.path().join("hook")).unwrap();
        hook
    };
    let its = hook("11111111-1111-4111-8111-111111111111");
    assert_held(&world, &[], claude, &format!("process {its} (sleep 3600) reads its output"));
    let sessions = world.path().join(".claude/sessions");
    fs::create_dir_all(&sessions).unwrap();
    let file = |start: u64| {
        let text = format!(
            r#"{{"pid":{claude},"sessionId":"11111111-1111-4111-8111-111111111111","startedAt":1,"procStart":"{start}"}}"#
        );
        fs::write(sessions.join(format!("{claude}.json")), text).unwrap();
    };
    file(1);
    assert_held(&world, &[], claude, "reads its output");
    file(stat(claude).unwrap().start);
    let others = hook("22222222-2222-4222-8222-222222222222");
    assert_held(&world, &[], claude, &format!("process {others} (sleep 3600) reads its output"));
    end(others);
    assert_leak(&world, &[], claude, "only its own hook reads its output");
    assert!(alive(its));
}
