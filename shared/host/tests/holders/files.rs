//! Logs, deleted files, terminals and devices.

use std::fs;

use model::record::How;

use crate::world::{Pid1, end, privately, stat, wait_until};

#[test]
fn h48_h63_a_file_that_it_writes_to_holds_while_it_has_a_name() {
    privately(Pid1::Tini, |world| {
        for redirection in [">log", "2>>log", "1<>log"] {
            let claude = world.orphan(&format!("exec sleep 1000 {redirection}"));
            let holding = world.holding(claude);
            assert_eq!(holding.holders.len(), 1, "{redirection}: {holding:?}");
            assert_eq!(holding.holders[0].how, How::Log);
            let log = world.file("log").canonicalize().unwrap();
            assert_eq!(holding.holders[0].what.as_deref(), log.to_str());
            fs::remove_file(world.file("log")).unwrap();
            world.assert_loose(claude, "the file has no name any more");
        }
        fs::write(world.file("prompt"), "x").unwrap();
        let claude = world.orphan("exec sleep 1000 <prompt");
        world.assert_loose(claude, "what it only reads is no log");
        let claude = world.orphan("exec sleep 1000 7>log");
        world.assert_loose(claude, "its own business");
        let claude = world.orphan("exec sleep 1000 >'log (deleted)'");
        world.assert_held(claude, How::Log, None, "a name may be anything");
    });
}

#[test]
fn h74_claudes_own_directories_hold_nothing() {
    privately(Pid1::Tini, |world| {
        let uid = nix::unistd::geteuid();
        world.run("mkdir -p .claude/debug .npm/_logs config/debug");
        let temporary = format!("/tmp/claude-{uid}/agentutils-test");
        fs::create_dir_all(&temporary).unwrap();
        for log in [".claude/debug/x", ".npm/_logs/x", &format!("{temporary}/x.output")] {
            let claude = world.orphan(&format!("exec sleep 1000 >{log} 2>&1"));
            world.assert_loose(claude, log);
        }
        fs::remove_dir_all(&temporary).unwrap();
        let configured = |to: &str| {
            world.orphan(&format!("CLAUDE_CONFIG_DIR=$HOME/config exec sleep 1000 >{to}"))
        };
        world.assert_loose(configured("config/debug/x"), "its own config directory");
        for (to, why) in [
            (".claude/debug/x", "not its config directory"),
            ("config/agent.log", "a project may be its config directory"),
            ("config/debug.log", "nothing that Claude makes"),
        ] {
            world.assert_held(configured(to), How::Log, None, why);
        }
    });
}

#[test]
fn h72_a_file_without_a_name_that_a_living_collector_has_open_holds() {
    privately(Pid1::Tini, |world| {
        fs::write(
            world.file("collector.py"),
            r#"
import os, sys, tempfile, time
if sys.argv[1] == "memfd":
    fd = os.memfd_create("output")
else:
    file = tempfile.TemporaryFile(dir=".")
    fd = file.fileno()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.dup2(fd, 1)
        os.close(fd)
        open("claude.new", "w").write(str(os.getpid()))
        os.rename("claude.new", "claude")
        os.execvp("sleep", ["sleep", "1000"])
    os._exit(0)
os.wait()
open("holder.new", "w").write(str(os.getpid()))
os.rename("holder.new", "holder")
time.sleep(1000)
"#,
        )
        .unwrap();
        for kind in ["memfd", "deleted"] {
            for file in ["claude", "holder"] {
                let _ = fs::remove_file(world.file(file));
            }
            let collector = world.start("holder", &format!("exec python3 collector.py {kind}"));
            let claude = world.pid("claude");
            wait_until("sleep", || stat(claude).is_some_and(|stat| stat.name == "sleep"));
            world.assert_held(claude, How::Log, Some(collector), kind);
            end(collector);
            world.assert_loose(claude, kind);
        }
    });
}

#[test]
fn h48_devices_hold_and_the_void_does_not() {
    privately(Pid1::Tini, |world| {
        let claude = world.orphan("exec sleep 1000 </dev/zero >/dev/full 2>/dev/random");
        world.assert_loose(claude, "nothing to be seen there");
        let claude = world.orphan("exec sleep 1000 </dev/urandom >/dev/null");
        world.assert_loose(claude, "nothing to be seen there");
        // By its number: the name is another's.
        let script = "mknod kmsg c 1 11 && mknod void c 1 3";
        if world.shell(script).status().unwrap().success() {
            let claude = world.orphan("exec sleep 1000 >kmsg");
            world.assert_held(claude, How::Device, None, "the log of the kernel");
            world.run("mv kmsg null");
            world.assert_held(claude, How::Device, None, "by any name");
            world.run("rm null");
            world.assert_loose(claude, "without its name");
            let claude = world.orphan("exec sleep 1000 >void");
            world.assert_loose(claude, "/dev/null by another name");
        } else {
            let claude = world.orphan("exec sleep 1000 2>/dev/kmsg");
            world.assert_held(claude, How::Device, None, "the log of the kernel");
        }
    });
}

#[test]
fn h74_a_terminal_holds_as_long_as_it_is_there() {
    privately(Pid1::Tini, |world| {
        // script(1) makes a terminal; what ignores its end stays behind on what it was.
        fs::write(
            world.file("inner"),
            "trap '' HUP\n(echo $BASHPID >claude; exec sleep 1000) <&1 &\nexec sleep 1000\n",
        )
        .unwrap();
        let script =
            world.start("script", "echo $$ >script; exec script -qc 'bash inner' typescript");
        let claude = world.pid("claude");
        wait_until("sleep", || stat(claude).is_some_and(|stat| stat.name == "sleep"));
        let holding = world.holding(claude);
        assert_eq!(holding.holders[0].how, How::Parent, "{holding:?}");
        let parent = stat(claude).unwrap().ppid;
        end(parent);
        wait_until("another parent", || stat(claude).is_some_and(|stat| stat.ppid == 1));
        let holding = world.holding(claude);
        let all_terminal = holding.holders.iter().all(|holder| holder.how == How::Terminal);
        assert!(all_terminal && !holding.holders.is_empty(), "{holding:?}");
        end(script);
        wait_until("the terminal to go", || world.holding(claude).holders.is_empty());
        world.assert_loose(claude, "its streams are a destroyed terminal");
        let link = fs::read_link(format!("/proc/{claude}/fd/0")).unwrap();
        assert!(link.to_string_lossy().ends_with(" (deleted)"), "{link:?}");
    });
}
