//! Debuggers and pidfds.

use model::record::How;

use crate::world::{Pid1, end, privately, stat, wait_until};

#[test]
fn h48_who_waits_for_its_end_by_pidfd_holds_it() {
    privately(Pid1::Tini, |world| {
        let claude = world.orphan("exec sleep 1000");
        world.assert_loose(claude, "nobody waits");
        let script = format!(
            "exec python3 -c 'import os, time; p = os.pidfd_open({claude})
open(\"w\", \"w\").write(str(os.getpid())); time.sleep(1000)'"
        );
        let watcher = world.start("w", &script);
        world.assert_held(claude, How::Watcher, Some(watcher), "a supervisor's handle");
        end(watcher);
        world.assert_loose(claude, "the supervisor is gone");
        // What this program has itself is no reason to keep it.
        let own = rustix::process::pidfd_open(
            rustix::process::Pid::from_raw(claude).unwrap(),
            rustix::process::PidfdFlags::empty(),
        );
        world.assert_loose(claude, "a handle of our own");
        drop(own);
    });
}

#[test]
fn h48_who_traces_it_holds_it() {
    privately(Pid1::Tini, |world| {
        let claude = world.orphan("exec sleep 1000");
        let tracer = world.start("t", &format!("echo $$ >t; exec strace -o trace -p {claude}"));
        wait_until("strace", || stat(tracer).is_some_and(|stat| stat.name == "strace"));
        wait_until("it to attach", || !world.holding(claude).holders.is_empty());
        world.assert_held(claude, How::Tracer, Some(tracer), "strace");
        end(tracer);
        world.assert_loose(claude, "strace is gone");
    });
}
