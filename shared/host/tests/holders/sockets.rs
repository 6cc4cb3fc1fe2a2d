//! Who has the other end of a unix socket.

use std::fs;

use model::record::How;

use crate::world::{Pid1, World, end, privately, stat, wait_until};

/// Starts a Python program that starts an orphan: it calls `orphan(function)`, whose function
/// prepares the orphan before it becomes `sleep`. Returns the program and the orphan.
fn started(world: &World, script: &str) -> (i32, i32) {
    const PRELUDE: &str = r#"
import os, socket, sys, time
def orphan(prepare):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            prepare()
            open("claude.new", "w").write(str(os.getpid()))
            os.rename("claude.new", "claude")
            os.execvp("sleep", ["sleep", "1000"])
        os._exit(0)
    os.wait()
def stay():
    open("holder.new", "w").write(str(os.getpid()))
    os.rename("holder.new", "holder")
    time.sleep(1000)
"#;
    for file in ["claude", "holder"] {
        let _ = fs::remove_file(world.file(file));
    }
    fs::write(world.file("program.py"), format!("{PRELUDE}{script}")).unwrap();
    let holder = world.start("holder", "exec python3 program.py");
    let claude = world.pid("claude");
    wait_until("sleep", || stat(claude).is_some_and(|stat| stat.name == "sleep"));
    (holder, claude)
}

#[test]
fn h48_the_other_half_of_a_socket_pair_holds_on_any_descriptor() {
    privately(Pid1::Tini, |world| {
        for fd in [0, 1, 2, 9] {
            let (holder, claude) = started(
                world,
                &format!(
                    "a, b = socket.socketpair()\n\
                     def prepare():\n    a.close(); os.dup2(b.fileno(), {fd})\n\
                     orphan(prepare); b.close(); stay()"
                ),
            );
            world.assert_held(claude, How::Peer, Some(holder), &format!("on fd {fd}"));
            end(holder);
            world.assert_loose(claude, &format!("the peer of fd {fd} is gone"));
        }
    });
}

#[test]
fn h48_a_client_that_it_accepted_holds_and_a_service_it_went_to_does_not() {
    privately(Pid1::Tini, |world| {
        let (holder, claude) = started(
            world,
            "s = socket.socket(socket.AF_UNIX); s.bind('name'); s.listen()
c = socket.socket(socket.AF_UNIX); c.connect('name')
def prepare():
    c.close(); a, _ = s.accept(); a.set_inheritable(True); s.close(); os.dup2(a.fileno(), 9)
orphan(prepare); s.close(); stay()",
        );
        world.assert_held(claude, How::Peer, Some(holder), "it accepted the client");
        end(holder);
        world.assert_loose(claude, "the client is gone");

        fs::remove_file(world.file("name")).unwrap();
        let out = |fd: i32| {
            format!(
                "s = socket.socket(socket.AF_UNIX); s.bind('name'); s.listen()
def prepare():
    s.close(); c = socket.socket(socket.AF_UNIX); c.connect('name'); os.dup2(c.fileno(), {fd})
orphan(prepare); a, _ = s.accept(); stay()"
            )
        };
        let (service, claude) = started(world, &out(9));
        world.assert_loose(claude, "it went to a service");
        end(service);
        fs::remove_file(world.file("name")).unwrap();
        let (service, claude) = started(world, &out(1));
        world.assert_held(claude, How::Peer, Some(service), "its output goes to a service");
    });
}

#[test]
fn a_socket_that_the_kernel_does_not_show_here_is_unread() {
    privately(Pid1::Tini, |world| {
        // Made in another network namespace.
        let made = "import ctypes\nassert ctypes.CDLL(None).unshare(0x40000000) == 0\n";
        for fd in [1, 9] {
            let (holder, claude) = started(
                world,
                &format!(
                    "{made}a, b = socket.socketpair()\n\
                     def prepare():\n    a.close(); os.dup2(b.fileno(), {fd})\n\
                     orphan(prepare); b.close(); stay()"
                ),
            );
            let holding = world.holding(claude);
            assert_eq!((holding.holders.len(), &holding.unread[..]), (0, &[How::Peer][..]), "{fd}");
            end(holder);
        }
        let tcp = |fd: i32| {
            format!(
                "def prepare():\n    t = socket.socket(); os.dup2(t.fileno(), {fd})\n\
                 orphan(prepare); stay()"
            )
        };
        let (_, claude) = started(world, &tcp(9));
        world.assert_loose(claude, "a TCP socket is no unix socket");
        let (_, claude) = started(world, &tcp(0));
        assert_eq!(world.holding(claude).unread, [How::Peer], "inetd's way");
    });
}

#[test]
fn h48_peers_in_its_own_tree_are_its_own() {
    privately(Pid1::Tini, |world| {
        // A server below it, on a socket pair, as Claude has.
        let (_, claude) = started(
            world,
            "def prepare():
    a, b = socket.socketpair()
    if os.fork() == 0:
        os.dup2(b.fileno(), 0); os.dup2(b.fileno(), 1); a.close()
        os.execvp('sleep', ['sleep', '999'])
    b.close(); os.dup2(a.fileno(), 9)
orphan(prepare); stay()",
        );
        world.assert_loose(claude, "its server is its child");
    });
}
