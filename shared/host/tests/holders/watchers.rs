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

#[test]
fn h48_a_thread_traces_a_thread() {
    privately(Pid1::Tini, |world| {
        let script = "import os, threading, time
thread = threading.Thread(target=time.sleep, args=(1000,), daemon=True)
thread.start()
open(\"thread.new\", \"w\").write(str(thread.native_id))
os.rename(\"thread.new\", \"thread\")
time.sleep(1000)";
        let claude = world.orphan(&format!("exec python3 -c '{script}'"));
        let thread = world.pid("thread");
        assert_ne!(thread, claude);
        world.assert_loose(claude, "nobody traces it");
        // PTRACE_SEIZE of linux/ptrace.h, by a thread that stays.
        let tracer = |tid: i32| {
            let _ = std::fs::remove_file(world.file("t"));
            let script = format!(
                "import ctypes, os, threading, time
def trace():
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    assert ptrace(0x4206, {tid}, None, None) == 0, ctypes.get_errno()
    open(\"t.new\", \"w\").write(str(os.getpid()))
    os.rename(\"t.new\", \"t\")
    time.sleep(1000)
threading.Thread(target=trace).start()"
            );
            world.start("t", &format!("exec python3 -c '{script}'"))
        };
        for tid in [claude, thread] {
            let tracer = tracer(tid);
            world.assert_held(claude, How::Tracer, Some(tracer), "the process, not its thread");
            end(tracer);
            world.assert_loose(claude, "the tracer is gone");
        }
    });
}
