//! Claude in no pane, and not leaked: what holds it has a name.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{self, Child, Command, Stdio};

use super::{Lives, assert_judged, prune, shell_as, standin_as, world};
use crate::world::{ControlGroup, World, alive, run, skip, stat, wait_until};

/// Checks that these are untracked, for these reasons, that nothing touches them, and
/// that `--outside-tmux` makes them leaks.
fn assert_held(world: &World, held: &[(i32, String)]) {
    let lives = Lives::of(held.iter().map(|(pid, _)| *pid));
    let (findings, ran) = prune(world, &[]);
    lives.assert_alive("by default");
    for (pid, holder) in held {
        assert_judged(&findings, *pid, "untracked_process", holder);
    }
    assert_eq!(ran.ok().out, "", "there was nothing to do");
    let findings = world.findings(&["--outside-tmux"]);
    for (pid, holder) in held {
        // A pane is never lifted.
        let kind = match holder.starts_with("started from") {
            true => "untracked_process",
            false => "leaked_process",
        };
        assert_judged(&findings, *pid, kind, holder);
    }
}

#[test]
fn h13_claude_without_a_terminal_that_something_holds_lives() {
    let service = ControlGroup::new("agentutils-{}.service");
    let world = world();
    let script = world.held_by_script();
    let mut held = vec![(script.claude.pid, format!("parent {} sh", script.holder))];

    // What cron runs: a shell that becomes the command, its output a pipe to cron.
    let job = format!("exec 3<>fifo; sh -c 'exec {} --print claude' >&3; exit\n", world.name());
    fs::write(world.path().join("job"), job).unwrap();
    run(Command::new("mkfifo").arg(world.path().join("fifo")), "").ok();
    let ready = world.ready();
    let mut cron = world.command("setsid");
    cron.arg(shell_as(&world, "bin/cron")).arg("job").env("STANDIN_READY", ready.directory());
    let cron = world.spawn(cron);
    held.push((ready.wait().pid, format!("parent {cron} cron")));

    // An editor talks to it through pipes, or through a socket and lets go of it.
    let (mut ide, by_pipes) = child(&world);
    held.push((by_pipes, format!("parent {} ", process::id())));
    let (ours, theirs) = UnixStream::pair().unwrap();
    let ready = world.ready();
    let mut setsid = world.command("setsid");
    setsid.args(["--fork", world.name(), "--print"]).env("STANDIN_READY", ready.directory());
    setsid.stdin(Stdio::null()).stderr(Stdio::null()).stdout(OwnedFd::from(theirs));
    assert!(setsid.status().unwrap().success());
    drop(setsid);
    held.push((ready.wait().pid, "has the other end of its socket".to_owned()));

    let leaked = world.leaked(&[]).pid;
    let taken = service.as_ref().map_err(String::clone).and_then(|service| {
        service.take(leaked).map(|()| &service.name).map_err(|error| error.to_string())
    });
    match taken {
        Ok(unit) => held.push((leaked, format!("service {unit}"))),
        Err(reason) => {
            skip("h13_claude_without_a_terminal_that_something_holds_lives", &reason);
            assert!(!prune(&world, &[]).0.is_empty() && !alive(leaked), "held by nothing");
        }
    }
    assert_held(&world, &held);
    drop(ours);
    drop(world);
    ide.wait().unwrap();
}

/// A stand-in that is a child of this process and talks to it through pipes.
fn child(world: &World) -> (Child, i32) {
    let ready = world.ready();
    let mut command = world.command(world.name());
    command.args(["--print", "--input-format", "stream-json"]);
    command.env("STANDIN_READY", ready.directory());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (command.spawn().unwrap(), ready.wait().pid)
}

/// A stand-in that `command` starts in a new session `name`; returns the pane's process
/// and the stand-in's.
fn in_session(world: &World, name: &str, command: &str) -> (i32, i32) {
    let live = world.live_session(name, command, &[]);
    (live.pane, live.claude.pid)
}

/// Closes the terminal of a session.
fn close(world: &World, session: &str, pane: i32, claude: i32) {
    world.tmux(&["kill-session", "-t", &format!("={session}")]).ok();
    wait_until(|| "the terminal to close", || !alive(pane));
    wait_until(|| "another parent", || stat(claude).is_none_or(|stat| stat.ppid != pane));
}

fn only_child_but(parent: &str, of: i32) -> Option<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|&pid| stat(pid).is_some_and(|stat| stat.name == parent && stat.sid == of))
}

#[test]
fn h15_claude_that_is_meant_to_outlive_its_terminal_does() {
    let world = world();
    let name = world.name();
    let file = format!("nohup {name} --print claude >out.log 2>&1 & wait");
    let (pane, to_file) = in_session(&world, "file", &file);
    close(&world, "file", pane, to_file);

    // With job control, as where somebody types it: else tee goes with the terminal.
    let piped = format!("set -m; nohup {name} --print claude | tee tee.log & wait");
    let (pane, to_tee) = in_session(&world, "piped", &piped);
    let sid = stat(to_tee).unwrap().sid;
    let mut tee = None;
    wait_until(
        || "tee",
        || {
            tee = only_child_but("tee", sid);
            tee.is_some()
        },
    );
    let tee = tee.unwrap();
    close(&world, "piped", pane, to_tee);
    assert!(alive(tee));

    let away = format!("set -m; setsid {name} </dev/null >/dev/null 2>&1 & exec sleep 3600");
    let (pane, away) = in_session(&world, "mine", &away);
    let parent = || stat(stat(away)?.ppid);
    wait_until(|| "setsid to end", || parent().is_some_and(|parent| parent.sid != pane));
    let pane_id = world.tmux(&["display-message", "-p", "-t", "=mine:", "#{pane_id}"]).ok().out;

    assert_held(
        &world,
        &[
            (to_file, "its output goes to /".to_owned()),
            (to_tee, format!("process {tee} (tee tee.log) reads its output")),
            (away, format!("started from {} of mine, detached", pane_id.trim())),
        ],
    );

    // And that is what held them.
    run(Command::new("kill").arg(tee.to_string()), "").ok();
    close(&world, "mine", pane, away);
    wait_until(|| "tee to end", || !alive(tee));
    let (findings, ran) = prune(&world, &[]);
    ran.ok();
    assert_judged(&findings, to_file, "untracked_process", "its output goes to /");
    assert_judged(&findings, to_tee, "leaked_process", "output to a pipe that nobody reads");
    assert_judged(&findings, away, "leaked_process", "output to /dev/null");
    assert!(alive(to_file) && !alive(to_tee) && !alive(away));
}

#[test]
fn h33_claudes_own_background_service_lives() {
    let world = world();
    // The service by another's hand: a shell by Claude's name, and `daemon` a script.
    let children = [["--bg-pty-host", "1"], ["--bg-spare", "2"]];
    let start_of = |[option, number]: [&str; 2]| {
        let ready = world.ready();
        let directory = ready.directory().display().to_string();
        (ready, format!("STANDIN_READY='{directory}' {} {option} {number} &\n", world.name()))
    };
    let started = children.map(start_of);
    let script = started.iter().map(|(_, line)| line.as_str()).collect::<String>();
    fs::write(world.path().join("daemon"), format!("{script}echo $$ >daemon.pid\nwait\n")).unwrap();
    let shell = shell_as(&world, &format!("shell/{}", world.name()));
    let mut setsid = world.command("setsid");
    setsid.arg("--fork").arg(shell).arg("daemon");
    setsid.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(setsid.status().unwrap().success());
    let [host, spare] = started.map(|(ready, _)| ready.wait().pid);
    let daemon = stat(host).unwrap().ppid;
    let of_daemon = stat(daemon).unwrap();
    assert_eq!((of_daemon.sid, stat(spare).unwrap().ppid), (daemon, daemon));

    // As a package, it has the script between its program and its arguments.
    let node = standin_as(&world, "node/node");
    let script = format!("/opt/{}", world.name());
    let mut node = world.command(node);
    node.args([&script, "daemon"]).env("STANDIN_CHILDREN", "2");
    let package = world.orphan(&node);
    assert_eq!(package.children.len(), 2);

    let all = [daemon, host, spare, package.pid];
    let all = all.into_iter().chain(package.children);
    let lives = Lives::of(all.clone());
    let leaked = world.leaked(&[]).pid;
    for options in [&[][..], &["--outside-tmux"], &["--outside-tmux", "--busy"]] {
        let (findings, ran) = prune(&world, options);
        ran.ok();
        lives.assert_alive(&format!("with {options:?}"));
        for pid in all.clone() {
            assert_judged(&findings, pid, "untracked_process", "Claude's own background service");
        }
        assert!(!alive(leaked), "it does kill");
    }
}
