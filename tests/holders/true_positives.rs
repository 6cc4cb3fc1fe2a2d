//! The leaks that the first edition found. A rule that holds more must not lose one of them.

use std::fs;
use std::process::Command;

use super::{assert_held, assert_leak, detached, end, has, python, shell, world};
use crate::world::{World, alive, run, stat, wait_until};

/// Each starts a leak and returns its pid.
type Shape = fn(&World) -> i32;

/// What the first edition called a leak, and what it did not but is one. Whether it did was found
/// out by running its programs on these shapes.
const SHAPES: [(&str, bool, Shape); 17] = [
    ("nothing on its streams", true, |w| detached(w, "exec $CLAUDE --print x")),
    ("closed streams", true, |w| detached(w, "exec $CLAUDE --print x <&- >&- 2>&-")),
    ("a prompt in a file", true, |w| {
        fs::write(w.path().join("prompt"), "x").unwrap();
        detached(w, "exec $CLAUDE --print <prompt")
    }),
    ("a pipe that nobody reads", true, |w| {
        python(w, "r, p = os.pipe(); claude(stdout=p); os.close(r); os.close(p)").1
    }),
    ("a pipe that nobody writes", true, |w| {
        python(w, "r, p = os.pipe(); claude(stdin=r); os.close(r); os.close(p)").1
    }),
    ("a FIFO that nobody reads", true, |w| {
        run(Command::new("mkfifo").arg(w.path().join("nobody")), "").ok();
        detached(w, "exec 4<>nobody; exec $CLAUDE --print x >nobody 4<&-")
    }),
    ("a file open on another descriptor", true, |w| detached(w, "exec $CLAUDE --print x 7>own")),
    ("a connection to a service", true, |w| {
        python(
            w,
            "server = socket.socket(socket.AF_UNIX); server.bind('service'); server.listen()\n\
             its = socket.socket(socket.AF_UNIX); its.connect('service')\n\
             claude(pass_fds=[its.fileno()]); its.close(); kept, _ = server.accept()",
        )
        .1
    }),
    ("in a dead session, not its leader", true, |w| w.crowd(1, &[])[0]),
    ("started by start-stop-daemon", true, |w| {
        detached(
            w,
            "start-stop-daemon --start --background --make-pidfile --pidfile p --chdir . \
             --startas \"$(command -v $CLAUDE)\" -- --print x",
        )
    }),
    ("its session was ended and it ignored that", true, |w| {
        let command = format!("exec {} --print x </dev/null >/dev/null 2>&1", w.name());
        let live = w.live_session("ended", &command, &[("STANDIN_IGNORE", "HUP")]);
        // tmux ends it by itself if nobody has its terminal open.
        w.tmux(&["kill-session", "-t", "=ended"]);
        assert!(alive(live.claude.pid));
        live.claude.pid
    }),
    ("its pane is gone", true, |w| {
        let command = format!(
            "setsid --fork {} --print x </dev/null >/dev/null 2>&1; exec sleep 3600",
            w.name()
        );
        let live = w.live_session("gone", &command, &[]);
        w.tmux(&["kill-session", "-t", "=gone"]).ok();
        live.claude.pid
    }),
    ("its terminal is gone, its streams lead there", true, |w| {
        let ready = w.ready();
        let emulator = "exec script -qfc \
            'set -m; trap \"\" HUP; $CLAUDE --print x & exec sleep 3600' /dev/null";
        let emulator = w.spawn(shell(w, &ready, emulator));
        let claude = ready.wait().pid;
        let started_by = stat(claude).unwrap().ppid;
        end(emulator);
        if alive(started_by) {
            end(started_by);
        }
        wait_until(|| "a new parent", || stat(claude).is_some_and(|s| s.ppid != started_by));
        claude
    }),
    ("below timeout", false, |w| detached(w, "exec timeout 900 $CLAUDE --print x")),
    ("below another leak", false, |w| w.leaked(&[("STANDIN_CHILDREN", "1")]).children[0]),
    ("its log was deleted", false, |w| {
        let claude = detached(w, "exec $CLAUDE --print x >deleted.log");
        fs::remove_file(w.path().join("deleted.log")).unwrap();
        claude
    }),
    ("a helper of a service that is dead", false, |w| detached(w, "exec $CLAUDE --bg-spare 1")),
];

#[test]
fn every_leak_that_the_first_edition_found_is_found() {
    let world = world();
    for (what, _, start) in SHAPES {
        let name = "every_leak_that_the_first_edition_found_is_found";
        if what.contains("start-stop-daemon") && !has(name, "start-stop-daemon") {
            continue;
        }
        let claude = start(&world);
        assert_leak(&world, &[], claude, what);
    }
    // And it does not call everything a leak.
    assert_held(&world, &[], world.held_by_script().claude.pid, "parent ");
    assert_held(&world, &[], world.nohup_to_file().pid, "its output goes to /");
    assert!(SHAPES.iter().filter(|(_, before, _)| *before).count() >= 13);
}
