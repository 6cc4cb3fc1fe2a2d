//! Who has the other end of a pipe.

use model::record::How;

use crate::world::{Pid1, end, privately, wait_until};

#[test]
fn an_orphan_with_nothing_is_held_by_nothing() {
    privately(Pid1::Tini, |world| {
        let claude = world.orphan("exec sleep 1000");
        world.assert_loose(claude, "streams are /dev/null");
        let closed = world.orphan("exec sleep 1000 <&- >&- 2>&-");
        world.assert_loose(closed, "streams are closed");
    });
}

#[test]
fn h48_who_writes_to_its_input_holds_it() {
    privately(Pid1::Tini, |world| {
        world.run("mkfifo fifo");
        let writer =
            world.start("writer", "exec setsid bash -c 'echo $$ >writer; exec sleep 1000 >fifo'");
        let claude = world.orphan("exec sleep 1000 <fifo");
        wait_until("the writer", || world.holding(claude).holders.len() == 1);
        world.assert_held(claude, How::Writer, Some(writer), "a living writer of a FIFO");
        end(writer);
        world.assert_loose(claude, "nobody writes any more");
        // Open for both, it holds by its writing end.
        let both = world.start("both", "exec bash -c 'echo $$ >both; exec sleep 1000 <>fifo'");
        wait_until("the writer", || !world.holding(claude).holders.is_empty());
        world.assert_held(claude, How::Writer, Some(both), "open for reading and writing");
    });
}

#[test]
fn h48_who_reads_its_output_holds_it() {
    privately(Pid1::Tini, |world| {
        let reader = world.start(
            "reader",
            "exec bash -c 'echo $$ >reader; exec tee log < <(
                echo $BASHPID >claude; exec setsid --fork sleep 1000)' >/dev/null",
        );
        let sleep = || {
            let mut pids = std::fs::read_dir("/proc").unwrap().flatten();
            pids.find_map(|entry| {
                let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
                crate::world::stat(pid).filter(|s| s.name == "sleep" && s.ppid == 1).map(|_| pid)
            })
        };
        wait_until("an orphan", || sleep().is_some());
        let claude = sleep().unwrap();
        wait_until("tee", || crate::world::stat(reader).is_some_and(|stat| stat.name == "tee"));
        world.assert_held(claude, How::Reader, Some(reader), "tee reads it");
        end(reader);
        world.assert_loose(claude, "nobody reads it any more");
    });
}

#[test]
fn h48_who_reads_its_output_holds_it_from_below_too() {
    privately(Pid1::Tini, |world| {
        for script in ["exec sleep 1000 > >(exec cat)", "exec sleep 1000 2> >(cat; :)"] {
            let claude = world.orphan(script);
            wait_until("the reader", || !world.holding(claude).holders.is_empty());
            let holding = world.holding(claude);
            assert!(holding.holders.iter().all(|h| h.how == How::Reader), "{script}: {holding:?}");
            for reader in holding.holders {
                end(reader.pid.unwrap());
            }
            // A shell leaves what it started.
            for reader in world.holding(claude).holders {
                end(reader.pid.unwrap());
            }
            world.assert_loose(claude, script);
        }
        // Its own program that reads what it does not write to its standard output.
        let claude = world.orphan("exec sleep 1000 7> >(exec cat)");
        world.assert_loose(claude, "a pipe of its own");
    });
}

#[test]
fn a_pipe_whose_other_end_exists_and_was_not_found_is_unread() {
    privately(Pid1::Tini, |world| {
        // In flight in a socket: nobody has it as a file, and somebody may receive it.
        let script = r#"
import array, os, socket, sys, time
a, b = socket.socketpair()
r, w = os.pipe()
ends = {"r": r, "w": w}
sent = ends[sys.argv[1]]
a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sent]))])
if os.fork() == 0:
    os.setsid()
    a.close(); b.close()
    if sys.argv[1] == "r":
        os.dup2(w, 1)
    else:
        os.dup2(r, 0)
    os.close(r); os.close(w)
    if os.fork() == 0:
        open("claude.new", "w").write(str(os.getpid()))
        os.rename("claude.new", "claude")
        os.execvp("sleep", ["sleep", "1000"])
    os._exit(0)
os.close(r); os.close(w)
os.wait()
open("holder", "w").write(str(os.getpid()))
time.sleep(1000)
"#;
        std::fs::write(world.file("flight.py"), script).unwrap();
        for (end_in_flight, how) in [("r", How::Reader), ("w", How::Writer)] {
            for file in ["claude", "holder"] {
                let _ = std::fs::remove_file(world.file(file));
            }
            let holder = world.start("holder", &format!("exec python3 flight.py {end_in_flight}"));
            let claude = world.pid("claude");
            wait_until("sleep", || crate::world::stat(claude).is_some_and(|s| s.name == "sleep"));
            let holding = world.holding(claude);
            assert_eq!(
                (holding.holders.len(), &holding.unread[..]),
                (0, &[how][..]),
                "{holding:?}"
            );
            end(holder);
            world.assert_loose(claude, "what was in flight is gone");
        }
    });
}

#[test]
fn h74_what_is_left_of_a_dead_pipeline_is_its_own() {
    privately(Pid1::Tini, |world| {
        // As an orchestrator starts it, without job control; then the shell is killed.
        let pipeline = |tee: &str| {
            for file in ["claude", "shell"] {
                let _ = std::fs::remove_file(world.file(file));
            }
            std::fs::write(
                world.file("pipeline"),
                format!("echo $$ >shell; bash -c 'echo $$ >claude; exec sleep 1000' | {tee}; :\n"),
            )
            .unwrap();
            world.run("setsid --fork bash -c '. ./pipeline'");
            let (shell, claude) = (world.pid("shell"), world.pid("claude"));
            wait_until("sleep", || crate::world::stat(claude).is_some_and(|s| s.name == "sleep"));
            wait_until("tee", || {
                let holding = world.holding(claude);
                holding.holders.iter().any(|holder| holder.how == How::Parent)
            });
            end(shell);
            wait_until("another parent", || {
                crate::world::stat(claude).is_some_and(|s| s.ppid == 1)
            });
            claude
        };
        let claude = pipeline("tee log");
        world.assert_loose(claude, "tee is all that is left");
        let claude = pipeline("tee log >kept");
        let holding = world.holding(claude);
        assert_eq!(holding.holders.len(), 1, "{holding:?}");
        assert_eq!(holding.holders[0].how, How::Reader, "tee itself is held: {holding:?}");
        // With job control the pipeline is a job of its own, which outlives its shell.
        for file in ["claude", "shell"] {
            let _ = std::fs::remove_file(world.file(file));
        }
        std::fs::write(
            world.file("job"),
            "set -m; echo $$ >shell; bash -c 'echo $$ >claude; exec sleep 1000' | tee log &
            sleep 1000\n",
        )
        .unwrap();
        world.run("setsid --fork bash -c '. ./job'");
        let (shell, claude) = (world.pid("shell"), world.pid("claude"));
        wait_until("sleep", || crate::world::stat(claude).is_some_and(|s| s.name == "sleep"));
        end(shell);
        wait_until("another parent", || crate::world::stat(claude).is_some_and(|s| s.ppid == 1));
        wait_until("tee", || world.holding(claude).holders.len() == 1);
        assert_eq!(world.holding(claude).holders[0].how, How::Reader);
    });
}
