//! Claude whose parent is gone, and who took it in.

use std::fs;

use super::{Lives, assert_judged, judgement, pipeline, prune, standin_as, start, world};
use crate::world::{World, alive, records, run, skip, stat, wait_until};

/// A process with this command line, not pid 1, that takes in a stand-in which a descendant of its
/// has started with this command; returns both.
fn taken_in(world: &World, program: &str, how: &str) -> (i32, i32) {
    let ready = world.ready();
    let mut words = program.split(' ');
    let name = words.next().unwrap();
    let mut reaper = world.command(standin_as(world, format!("reapers/{name}")));
    reaper.args(words);
    let directory = ready.directory().display();
    let command = format!(
        "(STANDIN_READY='{directory}' {how} {} --print claude >/dev/null 2>&1 </dev/null &)",
        world.name(),
    );
    reaper.env("STANDIN_REAPS", command);
    let reaper = start(world, reaper);
    let claude = ready.wait().pid;
    wait_until(|| "it to be taken in", || stat(claude).is_some_and(|stat| stat.ppid == reaper));
    (reaper, claude)
}

/// In a container: `$1` and `$2` are the directories in which the stand-ins announce
/// themselves. Nobody outlives its pid 1.
fn entry_point(world: &World) -> String {
    format!(
        "tmux -f /dev/null -S '{socket}' new-session -d -s work 'exec sleep 3600' || exit 9
        STANDIN_READY=$1 {name} --print claude </dev/null >/dev/null 2>&1 &
        child=$!
        STANDIN_READY=$2 setsid sh -c '{name} --print claude &' </dev/null >/dev/null 2>&1
        until ls $1/* $2/* >ready.txt 2>/dev/null; do sleep 0.1; done
        {pipeline} || exit 8
        cat /proc/$child/stat >child.stat || exit 7
        echo $$ $child",
        socket = world.path().join("inner").display(),
        name = world.name(),
        pipeline = pipeline(world, "").replace(
            &world.socket().display().to_string(),
            &world.path().join("inner").display().to_string(),
        ),
    )
}

/// Runs an entry point as pid 1 of a pid namespace; as root in one of users too, where
/// this is not root already.
fn container(world: &World, entry_point: &str, session: &[&str]) -> Result<(), String> {
    let unshare = || {
        let mut unshare = world.command("unshare");
        let root = nix::unistd::geteuid().is_root();
        unshare.args((!root).then_some("--map-root-user"));
        unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        unshare
    };
    let permitted = run(unshare().arg("true"), "");
    if permitted.code != 0 {
        return Err(format!("no pid namespace: {}", permitted.err.trim()));
    }
    let directories = [world.ready(), world.ready()];
    let mut command = unshare();
    command.args(session).args(["sh", "-c", entry_point, "sh"]);
    let ran = run(command.args(directories.each_ref().map(|ready| ready.directory())), "").ok();
    let pids: Vec<i32> = ran.out.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let [1, child] = pids[..] else { panic!("pid 1 and its child: {ran:?}") };
    let announced = |at: usize| {
        let entry = fs::read_dir(directories[at].directory()).unwrap().next().unwrap().unwrap();
        entry.file_name().to_str().unwrap().parse::<i32>().unwrap()
    };
    assert_eq!(announced(0), child);
    let left = announced(1);
    let read = |name: &str| fs::read_to_string(world.path().join(name)).unwrap();
    let findings = read("findings");
    assert_judged(&findings, child, "untracked_process", "process 1 (");
    assert_judged(&findings, left, "leaked_process", "its parent is gone (now 1 ");
    let state = read("child.stat");
    assert!(state.contains(&format!("({}) ", world.name())) && !state.contains(") Z "), "{state}");
    let actions = records(&read("actions"));
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert_eq!(actions[0]["target"], format!("process {left}"));
    assert_eq!(actions[0]["result"], "done");
    Ok(())
}

#[test]
fn h14_a_reaper_takes_in_what_leaked_and_starts_what_did_not() {
    let world = world();
    let (systemd, orphan) = taken_in(&world, "systemd --user", "setsid");
    // Not that of a user: anybody may name a program so.
    let (other, kept) = taken_in(&world, "systemd", "setsid");
    // The only child it has: as the init of a container starts its command.
    let (init, started) = taken_in(&world, "dumb-init", "");
    // Not known as a reaper: it may well be who wants it.
    let (editor, wanted) = taken_in(&world, "code", "setsid");
    let lives = Lives::of([systemd, other, kept, init, started, editor, wanted]);

    let (findings, ran) = prune(&world, &[]);
    ran.ok();
    lives.assert_alive("by default");
    assert_judged(&findings, orphan, "leaked_process", &format!("now {systemd} systemd"));
    assert_judged(&findings, kept, "untracked_process", &format!("parent {other} systemd"));
    assert_judged(&findings, started, "untracked_process", &format!("process {init} ("));
    assert_judged(&findings, wanted, "untracked_process", &format!("parent {editor} code"));
    assert!(!alive(orphan));

    let entry_point = entry_point(&world);
    for session in [&[][..], &["setsid"]] {
        if let Err(reason) = container(&world, &entry_point, session) {
            skip("h14_a_reaper_takes_in_what_leaked_and_starts_what_did_not", &reason);
        }
    }
}

#[test]
fn h35_who_survives_the_end_of_its_session_is_a_leak() {
    let world = world();
    let deaf = [("STANDIN_IGNORE", "HUP")];
    let piped = world.agent_session("piped-1-1", &deaf);
    let itself = format!("exec {} --print claude", world.name());
    let itself = world.live_session("agent_itself-1-1", &itself, &deaf);
    let neighbour = world.agent_session("neighbour-1-1", &deaf);
    let lives = Lives::of([neighbour.pane, neighbour.claude.pid]);
    let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
    let server: i32 = server.trim().parse().unwrap();
    for pid in [piped.claude.pid, itself.claude.pid] {
        assert_eq!(judgement(&world.findings(&[]), pid), None, "in its session");
    }
    for session in [&piped.session, &itself.session] {
        world.tmux(&["kill-session", "-t", &format!("={session}")]).ok();
    }
    wait_until(|| "the shell to end", || !alive(piped.pane));
    let parent = || stat(piped.claude.pid).map(|stat| stat.ppid);
    wait_until(|| "the survivor's new parent", || parent().is_some_and(|it| it != piped.pane));
    // tee needs a moment longer than the shell.
    wait_until(
        || "nobody to read it",
        || judgement(&world.findings(&[]), piped.claude.pid).unwrap().0 == "leaked_process",
    );
    assert_eq!(stat(itself.claude.pid).unwrap().ppid, server);

    let (findings, ran) = prune(&world, &[]);
    ran.ok();
    for survivor in [&piped, &itself] {
        let ppid = "its parent is gone (now ";
        assert_judged(&findings, survivor.claude.pid, "leaked_process", ppid);
        assert!(!alive(survivor.claude.pid));
    }
    lives.assert_alive("in its session");
    assert!(alive(server));
}
