//! What the other tests rely on: worlds, stand-ins, users, signals, and the bench.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::world::{
    Entry, Json, Registry, TEAM, User, World, alive, built, privately_with_users, run, stat,
    wait_until,
};

#[test]
fn a_stand_in_answers_to_its_name() {
    let world = World::new();
    let standin = world.leaked(&[("STANDIN_CHILDREN", "2")]);
    assert_eq!(standin.children.len(), 2);
    let of_child = stat(standin.children[0]).unwrap();
    assert_eq!((of_child.ppid, of_child.name.as_str()), (standin.pid, world.name()));
    let renamed = world.leaked(&[("STANDIN_COMM", "node")]);
    assert_eq!(stat(renamed.pid).unwrap().name, "node");
    let listed = run(&mut world.lsclaude(), "").ok().records();
    let pids = listed.iter().filter_map(|record| record["pid"].as_i64());
    assert_eq!(pids.count(), 4, "{listed:?}");
}

#[test]
fn a_stand_in_dies_of_the_signals_it_does_not_ignore() {
    let world = World::new();
    let standin = world.leaked(&[("STANDIN_IGNORE", "TERM,HUP")]);
    let pid = Pid::from_raw(standin.pid);
    kill(pid, Signal::SIGTERM).unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(alive(standin.pid));
    kill(pid, Signal::SIGINT).unwrap();
    wait_until(|| "the stand-in to end", || !alive(standin.pid));
}

#[test]
fn a_stand_in_ends_after_its_time_and_with_its_world() {
    let world = World::new();
    let brief = world.leaked(&[("STANDIN_SECONDS", "1")]);
    wait_until(|| "a stand-in to end by the clock", || !alive(brief.pid));
    let lost = world.leaked(&[("STANDIN_WORLD", "/nowhere")]);
    wait_until(|| "a stand-in without a world to end", || !alive(lost.pid));
}

#[test]
fn nothing_outlives_its_world() {
    let world = World::new();
    let live = world.agent_session("x-1-2", &[("STANDIN_IGNORE", "TERM,HUP")]);
    let held = world.held_by_script();
    let mut sleep = world.command("setsid");
    sleep.args(["--fork", "sleep", "3600"]);
    sleep.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(sleep.status().unwrap().success());
    let mut other = world.command("tmux");
    other.args(["-f", "/dev/null", "-L", "other", "new-session", "-d", "sleep 3600"]);
    run(&mut other, "").ok();
    let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
    let pids = [live.pane, live.claude.pid, held.holder, held.claude.pid, world.editor()];
    assert!(pids.iter().all(|&pid| alive(pid)));
    // A server without its socket cannot be asked to end.
    fs::remove_file(world.socket()).unwrap();
    let path = world.path().to_owned();
    drop(world);
    assert!(!path.exists());
    assert!(!pids.iter().any(|&pid| alive(pid)));
    assert!(!alive(server.trim().parse().unwrap()));
    let mark = format!("STANDIN_WORLD={}", path.display());
    let marked = fs::read_dir("/proc").unwrap().flatten().filter(|process| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&mark)
    });
    assert_eq!(marked.count(), 0);
}

#[test]
fn worlds_do_not_see_each_other() {
    let (one, other) = (World::new(), World::new());
    let in_one = one.agent_session("same-1-2", &[]);
    let in_other = other.agent_session("same-1-2", &[]);
    for (world, live) in [(&one, &in_one), (&other, &in_other)] {
        let seen = run(&mut world.lsclaude(), "").ok().records();
        assert_eq!(seen[0]["pid"], live.claude.pid);
        assert_eq!(seen.len(), 2, "{seen:?}");
    }
    drop(other);
    assert!(alive(in_one.claude.pid) && alive(in_one.pane));
}

#[test]
fn a_registry_is_byte_for_byte_what_python_writes() {
    let entries = [Entry::new("a-1-2").set("status", "completed"), Entry::new("b-1-2")];
    let registry = Registry::new(entries);
    let odd = Json::object([
        ("", Json::List(vec![])),
        ("\u{7f}\u{e9}\u{2028}\u{1f600}\u{1}/", Json::Object(vec![])),
        ("list", Json::List(vec![Json::Null, 1.into(), "\u{8}\u{c}\r\n\t\"\\".into()])),
    ]);
    for text in [registry.global(), registry.task("TASK-1"), odd.to_string()] {
        let again = "import json,sys; json.dump(json.load(sys.stdin), sys.stdout, indent=2)";
        let again = run(Command::new("python3").args(["-c", again]), &text).ok();
        assert_eq!(again.out, text);
    }
    let global: Value = serde_json::from_str(&registry.global()).unwrap();
    assert_eq!((&global["total_agents_spawned"], &global["active_agents"]), (&2.into(), &1.into()));
}

#[test]
fn the_guides_case_is_as_the_guide_says() {
    let world = World::new();
    let case = world.guide_case();
    assert_eq!(world.session_names().len(), 10);
    let findings = world.findings(&[]);
    let count = |kind: &str| findings.matches(&format!("\"kind\":\"{kind}\"")).count();
    assert_eq!(count("ghost_agent"), 88);
    assert_eq!(count("leaked_process"), 1);
    assert_eq!(count("zombie_session"), 1);
    assert_eq!(count("count_mismatch"), 1);
    assert_eq!(count("untracked_process") + count("busy_session") + count("orphan_session"), 0);
    assert!(findings.contains(&format!("\"target\":\"process {}\"", case.leaked.pid)));
}

#[test]
fn the_holder_of_a_stand_in_is_reported() {
    let world = World::new();
    world.write_global(&Registry::default());
    let held = world.held_by_script();
    let nohup = world.nohup_to_file();
    assert_eq!(stat(held.claude.pid).unwrap().ppid, held.holder);
    world.session("work", "sleep 3600");
    let findings = world.findings(&[]);
    let reasons: Vec<(i64, String)> = crate::world::records(&findings)
        .iter()
        .filter(|finding| finding["kind"] == "untracked_process")
        .map(|f| (f["process"]["pid"].as_i64().unwrap(), f["reason"].to_string()))
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    for (pid, reason) in reasons {
        let of_held = pid == i64::from(held.claude.pid);
        assert!(of_held || pid == i64::from(nohup.pid));
        let expected = if of_held { "parent " } else { "its output goes to /" };
        assert!(reason.contains(expected), "{reason}");
    }
}

/// What nohup and the `&` of a script do to `make test`. The test runs anew below a shell
/// that does the same.
#[test]
fn children_take_signals_as_by_default_whatever_the_parent_ignores() {
    const IGNORED: &str = "trap '' HUP INT QUIT TERM TSTP; exec \"$@\"";
    if env::var_os("AGENTUTILS_IGNORED").is_none() {
        let own = env::current_exe().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", IGNORED, "sh"]).arg(own).args(["--exact", "--nocapture"]);
        shell.arg("harness::children_take_signals_as_by_default_whatever_the_parent_ignores");
        let ran = shell.env("AGENTUTILS_IGNORED", "1").output().unwrap();
        let out = String::from_utf8_lossy(&ran.stdout);
        let err = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && out.contains("1 passed"), "{out}{err}");
        return;
    }
    use Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
    let world = World::new();
    for pid in [world.leaked(&[]).pid, world.session("some", "sleep 3600")] {
        let status = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        // tmux names a pane's process before that has become the pane's command.
        wait_until(|| "the pane's command", || !status().starts_with("Name:\ttmux"));
        let status = status();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
        let ignored = u64::from_str_radix(ignored, 16).unwrap();
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP] {
            assert_eq!(ignored >> (signal as i32 - 1) & 1, 0, "{signal}: {status}");
        }
    }
    let standin = world.leaked(&[]);
    kill(Pid::from_raw(standin.pid), SIGHUP).unwrap();
    wait_until(|| "the stand-in to end", || !alive(standin.pid));
    // This process ignores them as before.
    kill(Pid::this(), SIGHUP).unwrap();
    kill(Pid::this(), SIGTERM).unwrap();
}

#[test]
fn other_users_are_real_and_their_worlds_are_their_own() {
    privately_with_users(|[alice, bob]| {
        let worlds = [&alice, &bob].map(World::of);
        let who = |command: &mut Command| run(command, "").ok().out.trim().to_owned();
        for (user, world) in [&alice, &bob].into_iter().zip(&worlds) {
            let name = user.name.unwrap();
            assert_eq!(who(world.command("id").arg("-un")), name);
            assert_eq!(who(world.command("id").arg("-G")), user.uid.to_string());
            let all = format!("{} {TEAM}", user.uid);
            assert_eq!(who(user.command(&world.command("id")).arg("-G")), all);
            assert_eq!(
                who(world.command("sh").args(["-c", "echo $HOME; id -un; echo ~"])),
                format!("{0}\n{name}\n{0}", user.home.display())
            );
            world.write_global(&Registry::new([Entry::new("a-1-2"), Entry::new("b-1-2")]));
            let live = world.agent_session("a-1-2", &[]);
            let leaked = world.leaked(&[]);
            for pid in [live.claude.pid, live.pane, leaked.pid] {
                assert_eq!(fs::metadata(format!("/proc/{pid}")).unwrap().uid(), user.uid);
            }
            assert_eq!(world.session_names(), ["agent_a-1-2"]);
        }
        // Neither reads what the other's processes have open, nor asks the other's server.
        let of_alice = run(&mut worlds[0].tool("lsclaude"), "").ok().records();
        let pid = &of_alice.iter().find(|record| record["uid"] == alice.uid).unwrap()["pid"];
        let mut list = worlds[1].command("ls");
        assert_ne!(run(list.arg(format!("/proc/{pid}/fd")), "").code, 0);
        let theirs = bob.run(&worlds[0].tmux_command(&["list-sessions"]), "");
        assert!(theirs.err.contains("Permission denied"), "{}", theirs.err);

        let stranger = User::without_entry();
        let mut id = stranger.command(&worlds[0].command("id"));
        assert_eq!(who(id.arg("-G")), stranger.uid.to_string());
        assert_ne!(run(worlds[0].command("id").arg(stranger.uid.to_string()), "").code, 0);
    });
}

/// The bench checks this itself before each race.
#[test]
fn in_every_race_of_the_bench_all_contenders_do_the_same_work() {
    let bench = built().join("examples/bench");
    let output = Command::new(bench).arg("--quick").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().filter(|line| line.starts_with("| ")).count(), 2 + 21, "{table}");
}
