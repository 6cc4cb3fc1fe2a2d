//! What no option lifts.

use std::process::Command;

use super::{assert_held, assert_leak, detached, end, python, world};
use crate::world::{Ready, run, skip, wait_until};

const ALL: [&[&str]; 3] = [
    &["--outside-tmux"],
    &["--outside-tmux", "--busy"],
    &["--outside-tmux", "--despite", "log,reader,writer,peer,terminal,service,scope,init_command"],
];

#[test]
fn h70_no_option_lifts_a_pane_a_server_a_namespace_or_what_is_unread() {
    let world = world();
    let line = |ready: &Ready| {
        format!(
            "STANDIN_READY='{}' setsid --fork {} --print x </dev/null >/dev/null 2>&1; \
             exec sleep 3600",
            ready.directory().display(),
            world.name()
        )
    };
    // Started from a pane that lives.
    let ready = world.ready();
    let pane = world.session("mine", &line(&ready));
    let of_pane = ready.wait().pid;
    // Its server lives, and is not asked.
    let ready = world.ready();
    let mut tmux = world.command("tmux");
    tmux.args(["-f", "/dev/null", "-S"]).arg(world.path().join("other"));
    run(tmux.args(["new-session", "-d", &line(&ready)]), "").ok();
    let of_server = ready.wait().pid;
    // Something has the other end of its input, and cannot be seen: the way of inetd.
    let (client, of_unread) = python(
        &world,
        "server = socket.create_server(('127.0.0.1', 0))\n\
         client = socket.create_connection(server.getsockname())\n\
         accepted, _ = server.accept()\n\
         claude(stdin=accepted); accepted.close()",
    );
    let mut held = vec![
        (of_pane, "started from %"),
        (of_server, "which was not asked"),
        (of_unread, "could not be found out: a process has the other end of its socket"),
    ];
    // In a namespace below ours.
    let mut unshare = world.command("unshare");
    unshare.args((!nix::unistd::geteuid().is_root()).then_some("--map-root-user"));
    unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    if run(Command::new(unshare.get_program()).args(unshare.get_args()).arg("true"), "").code == 0 {
        unshare.args([world.name(), "--print", "x"]).env("STANDIN_READY", "");
        let outside = world.spawn(unshare);
        let listed = || {
            let records = run(&mut world.lsclaude(), "").ok().records();
            let inside = records.iter().find(|record| record["ppid"] == outside)?;
            Some(inside["pid"].as_i64()? as i32)
        };
        wait_until(|| "a Claude in another namespace", || listed().is_some());
        held.push((listed().unwrap(), "another pid namespace"));
    } else {
        skip(
            "h70_no_option_lifts_a_pane_a_server_a_namespace_or_what_is_unread",
            "unshare is not permitted",
        );
    }
    for options in ALL {
        for (pid, says) in &held {
            assert_held(&world, options, *pid, says);
        }
    }
    // What it was connected to is gone, and it still cannot be asked: TCP knows no peer.
    end(client);
    assert_held(&world, &[], of_unread, "could not be found out");
    end(pane);
    assert_leak(&world, &[], of_pane, "its pane is gone");
}

#[test]
fn h70_what_cannot_be_lifted_is_refused() {
    let world = world();
    for (how, says) in [
        ("pane", "pane is never lifted"),
        ("self", "self is never lifted"),
        ("background", "background is never lifted"),
        ("server", "server is never lifted"),
        ("log,namespace", "namespace is never lifted"),
        ("unread", "what could not be found out is never lifted"),
        ("parent", "parent is lifted only by --outside-tmux"),
        ("logs", "\"logs\" is no way to be held"),
        ("", "\"\" is no way to be held"),
    ] {
        let ran = world.diff("", &["--despite", how]).expect(&[2]);
        assert!(ran.err.contains(says), "{how}: {}", ran.err);
    }
}

#[test]
fn h70_despite_lifts_only_what_it_names() {
    let world = world();
    let claude = detached(&world, "exec $CLAUDE --print x >log 2>&1 </dev/kmsg");
    assert_held(&world, &["--despite", "log"], claude, "its input or output is the device");
    assert_held(&world, &["--despite", "device"], claude, "its output goes to");
    assert_leak(&world, &["--despite", "device,log"], claude, "both are lifted");
}
