//! Orphans that somebody uses.

use std::fs;
use std::process::Command;

use super::{assert_held, assert_leak, detached, end, has, pid_in, python, shell, world};
use crate::world::{World, run, stat, wait_until};

/// A process that a script becomes, a child of this one.
fn becomes(world: &World, name: &str, script: &str) -> i32 {
    let ready = world.ready();
    let pid = world.spawn(shell(world, &ready, script));
    wait_until(|| name, || stat(pid).is_some_and(|stat| stat.name == name));
    pid
}

#[test]
fn h48_an_orphan_that_somebody_uses_is_held_and_the_reason_says_by_whom() {
    let world = world();
    run(Command::new("mkfifo").args(["in", "out"]).current_dir(world.path()), "").ok();

    let writer = becomes(&world, "sleep", "exec sleep 3600 4<>in");
    let claude = detached(&world, "exec $CLAUDE --print x <in");
    assert_held(&world, &[], claude, &format!("process {writer} (sleep 3600) writes to its input"));
    end(writer);
    assert_leak(&world, &[], claude, "nobody writes to its input any more");

    let reader = becomes(&world, "cat", "exec cat out 4<>out");
    let claude = detached(&world, "exec $CLAUDE --print x >out");
    assert_held(&world, &[], claude, &format!("process {reader} (cat out) reads its output"));
    end(reader);
    assert_leak(&world, &[], claude, "nobody reads its output any more");

    let client = "ours, its = socket.socketpair(); claude(stderr=its); its.close()";
    let (client, claude) = python(&world, client);
    assert_held(&world, &[], claude, &format!("process {client} ("));
    assert_held(&world, &[], claude, "has the other end of its socket");
    end(client);
    assert_leak(&world, &[], claude, "the other end of its socket is gone");

    const WATCHER: &str = "
import os, sys, time
handle = os.pidfd_open(int(sys.argv[1]))
open('watching', 'w').write(str(os.getpid()))
time.sleep(3600)
";
    let claude = detached(&world, "exec $CLAUDE --print x");
    let mut watcher = world.command("python3");
    watcher.args(["-c", WATCHER, &claude.to_string()]);
    let watcher = world.spawn(watcher);
    assert_eq!(pid_in(&world, "watching"), watcher);
    assert_held(&world, &[], claude, &format!("process {watcher} ("));
    assert_held(&world, &[], claude, "waits for its end");
    end(watcher);

    if !has("h48_an_orphan_that_somebody_uses_is_held_and_the_reason_says_by_whom", "strace") {
        return;
    }
    let mut strace = world.command("strace");
    strace.args(["-qq", "-o", "/dev/null", "-p", &claude.to_string()]);
    let tracer = world.spawn(strace);
    let traced = || {
        let status = fs::read_to_string(format!("/proc/{claude}/status")).unwrap();
        status.contains(&format!("TracerPid:\t{tracer}\n"))
    };
    wait_until(|| "strace", traced);
    assert_held(&world, &[], claude, &format!("process {tracer} (strace "));
    end(tracer);
    assert_leak(&world, &[], claude, "nobody watches or traces it any more");
}

#[test]
fn h48_a_log_and_a_device_hold() {
    let world = world();
    let log = world.path().join("err.log").display().to_string();
    let claude = detached(&world, "exec $CLAUDE --print x 2>err.log");
    assert_held(&world, &[], claude, &format!("its output goes to {log}"));
    assert_held(&world, &["--despite", "reader,writer"], claude, "its output goes to");
    assert_leak(&world, &["--despite", "log"], claude, "--despite log");
    if fs::OpenOptions::new().write(true).open("/dev/kmsg").is_ok() {
        let claude = detached(&world, "exec $CLAUDE --print x >/dev/kmsg");
        assert_held(&world, &[], claude, "its input or output is the device /dev/kmsg");
        end(claude);
    }
    let claude = detached(&world, "exec $CLAUDE --print x </dev/zero >/dev/full 2>/dev/random");
    assert_leak(&world, &[], claude, "devices in which nothing is kept");
}

#[test]
fn h72_a_file_without_a_name_holds_while_a_collector_has_it_open() {
    let world = world();
    for file in [
        "file = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600)",
        "file = os.memfd_create('output')",
        "file = os.open('gone', os.O_CREAT | os.O_RDWR); os.unlink('gone')",
    ] {
        let (collector, claude) = python(&world, &format!("{file}\nclaude(stdout=file)"));
        let says = format!("process {collector} (");
        assert_held(&world, &[], claude, &says);
        assert_held(&world, &[], claude, "has the file open that its output goes to");
        end(collector);
        assert_leak(&world, &[], claude, file);
    }
}
