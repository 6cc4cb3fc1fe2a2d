//! Chains, judged at their top.

use std::fs;

use model::record::How;

use crate::world::{Pid1, World, privately, stat, wait_until};

/// Starts `parent` as an orphan; it starts what writes its pid to `child` and becomes `sleep`.
/// Returns both.
fn chain(world: &World, parent: &str) -> (i32, i32) {
    for file in ["child", "top"] {
        let _ = fs::remove_file(world.file(file));
    }
    fs::write(
        world.file("c"),
        "#!/bin/bash\necho $$ >child.new; mv child.new child; exec sleep 1000\n",
    )
    .unwrap();
    world.run("chmod +x c");
    fs::write(world.file("start"), format!("echo $$ >top\nexec {parent}\n")).unwrap();
    world.run("setsid --fork bash -c '. ./start'");
    let (top, child) = (world.pid("top"), world.pid("child"));
    wait_until("sleep", || stat(child).is_some_and(|stat| stat.name == "sleep"));
    wait_until("another parent", || stat(top).is_some_and(|stat| stat.ppid == 1));
    (top, child)
}

#[test]
fn h60_those_that_only_wait_are_passed() {
    privately(Pid1::Tini, |world| {
        for parent in [
            "timeout 900 ./c",
            "setsid --fork --wait ./c",
            "sh -c './c >/dev/null 2>&1; exit' >/dev/null",
            "bash -c 'source /x/shell-snapshots/s.sh 2>/dev/null || true && eval \"./c\" < /dev/null && pwd'",
        ] {
            let (top, child) = chain(world, parent);
            let holding = world.holding(child);
            let is_list = parent.starts_with("sh ");
            if is_list {
                assert_eq!(holding.holders[0].how, How::Parent, "{parent}: {holding:?}");
                continue;
            }
            assert_ne!(top, child, "{parent}");
            assert_eq!(stat(child).unwrap().ppid, top, "{parent}");
            world.assert_loose(child, parent);
        }
    });
}

#[test]
fn h60_claude_below_claude_is_judged_at_the_top() {
    privately(Pid1::Tini, |world| {
        let (top, child) = chain(world, "bash -c './c; exit'");
        let holding = world.holding_among(child, &[top, child]);
        assert!(holding.examined && holding.holders.is_empty(), "{holding:?}");
        assert!(!world.holding_among(child, &[child]).examined, "a script is no Claude");
        // What holds the top holds all below it, and is said to be of the top.
        let (top, child) = chain(world, "bash -c './c >/dev/null; exit' >kept");
        let holding = world.holding_among(child, &[top, child]);
        let held: Vec<_> = holding.holders.iter().map(|holder| (holder.how, holder.of)).collect();
        assert_eq!(held, [(How::Log, Some(top))], "{holding:?}");
    });
}

#[test]
fn h61_whoever_does_more_than_wait_holds() {
    privately(Pid1::Tini, |world| {
        fs::write(world.file("runner.sh"), "./c\nsleep 9\n").unwrap();
        fs::write(world.file("supervisord.conf"), SUPERVISORD).unwrap();
        for (parent, name) in [
            ("nohup bash runner.sh", "bash"),
            ("bash -c 'until ./c; do sleep 300; done'", "bash"),
            ("bash -c './c && echo done'", "bash"),
            ("flock lock ./c", "flock"),
            ("xargs ./c </dev/null", "xargs"),
            ("script -qc ./c typescript", "script"),
            ("python3 -c 'import subprocess; subprocess.call([\"./c\"])'", "python3"),
            ("supervisord -nc supervisord.conf", "supervisord"),
        ] {
            let (_, child) = chain(world, parent);
            let holding = world.holding(child);
            assert!(!holding.examined, "{parent}: {holding:?}");
            let holder = &holding.holders[0];
            assert_eq!(holder.how, How::Parent, "{parent}: {holding:?}");
            let by = holder.name.as_deref().unwrap();
            // script(1) has a shell between.
            assert!(by == name || name == "script" && by == "sh", "{parent}: {holding:?}");
        }
    });
}

const SUPERVISORD: &str = "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=s.pid\n\
    [program:c]\ncommand=./c\nstdout_logfile=NONE\nstderr_logfile=NONE\n";

#[test]
fn h48_a_wrapper_with_two_children_holds() {
    privately(Pid1::Tini, |world| {
        let (top, child) = chain(world, "bash -c 'sleep 999 & exec timeout 900 ./c'");
        assert_eq!(stat(child).unwrap().ppid, top);
        let holding = world.holding(child);
        assert_eq!(holding.holders[0].how, How::Parent, "{holding:?}");
    });
}

#[test]
fn h61_screen_and_dtach_hold_what_runs_in_them() {
    privately(Pid1::Tini, |world| {
        for start in ["screen -dmS x ./c", "dtach -n socket ./c"] {
            let _ = fs::remove_file(world.file("child"));
            let (_, _) = chain(world, "timeout 900 ./c");
            fs::remove_file(world.file("child")).unwrap();
            world.run(&format!("mkdir -pm 700 screens; SCREENDIR=$PWD/screens {start}"));
            let child = world.pid("child");
            wait_until("sleep", || stat(child).is_some_and(|stat| stat.name == "sleep"));
            let holding = world.holding(child);
            assert_eq!(holding.holders[0].how, How::Parent, "{start}: {holding:?}");
        }
    });
}

#[test]
fn what_start_stop_daemon_starts_is_held_by_what_it_has() {
    privately(Pid1::Tini, |world| {
        fs::write(world.file("c"), "#!/bin/bash\necho $$ >child; exec sleep 1000\n").unwrap();
        world.run("chmod +x c");
        let start =
            "start-stop-daemon --start --background --make-pidfile --pidfile p --chdir $PWD";
        world.run(&format!("{start} --exec $PWD/c"));
        let child = world.pid("child");
        wait_until("sleep", || stat(child).is_some_and(|stat| stat.name == "sleep"));
        wait_until("another parent", || stat(child).is_some_and(|stat| stat.ppid == 1));
        world.assert_loose(child, "nobody has a handle on it");
    });
}
