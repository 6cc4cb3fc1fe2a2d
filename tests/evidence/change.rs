//! Findings that no longer are what they were.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::{
    Entry, Ran, Registry, World, alive, living, of_kind, records, run, stat, wait_until,
};

/// The findings with their processes, sessions and so on changed.
fn edited(findings: &str, edit: impl Fn(&mut Value)) -> String {
    let mut findings = records(findings);
    findings.iter_mut().filter(|record| record["type"] == "finding").for_each(edit);
    findings.iter().map(|record| format!("{record}\n")).collect()
}

fn target(pid: i32) -> String {
    format!("process {pid}")
}

/// Makes a finding one about another pid.
fn about(finding: &mut Value, pid: i32) {
    finding["process"]["pid"] = pid.into();
    finding["target"] = target(pid).into();
}

/// What became of a target: the result and the reason.
fn result_of(ran: &Ran, target: &str) -> (String, String) {
    let records = ran.records();
    let mut of_target = records.iter().filter(|action| action["target"] == target);
    let action = of_target.next().unwrap_or_else(|| panic!("{target}: {} {}", ran.out, ran.err));
    assert_eq!(of_target.next(), None, "{target}");
    let text = |field: &str| action[field].as_str().unwrap().to_owned();
    (text("result"), text("reason"))
}

#[test]
fn h11_what_was_found_elsewhere_or_under_another_pid_is_not_touched() {
    elsewhere_or_under_another_pid(World::new());
}

#[test]
fn h11_by_ps() {
    elsewhere_or_under_another_pid(World::by_ps());
}

/// What tells a process from others with its pid, as the listers of this world write it.
fn start_time(world: &World, pid: i32) -> Value {
    if !world.reads_ps() {
        return stat(pid).unwrap().start.to_string().into();
    }
    let script = r#"date -u -d "$(LC_ALL=C TZ=UTC0 ps -o lstart= -p "$1")" +%s"#;
    let mut command = world.command("sh");
    let ran = run(command.args(["-c", script, "sh"]).arg(pid.to_string()), "").ok();
    ran.out.trim().into()
}

fn elsewhere_or_under_another_pid(world: World) {
    let sample = world.sample();
    let leaks: String = {
        let leaks = of_kind(&sample.findings, "leaked_process");
        leaks.iter().map(|leak| format!("{leak}\n")).collect()
    };
    let editor = world.editor();
    let other_leak = world.leaked(&[]).pid;
    let bystanders = [
        editor,
        other_leak,
        sample.leaked.pid,
        sample.live.claude.pid,
        sample.live.pane,
        sample.zombie_pane,
    ];
    let lives = || bystanders.map(living);
    let before = lives();
    assert!(before.iter().all(Option::is_some));

    // The pid is another process's now: one at work, an editor, one that is a leak too but
    // was not found, and this test itself.
    let own = std::process::id() as i32;
    for pid in [sample.live.claude.pid, sample.live.pane, editor, other_leak, own] {
        let reused = edited(&leaks, |finding| {
            about(finding, pid);
            // No pid is given twice in one tick of the clock, but two are.
            finding["process"]["start_time"] = "1761780300".into();
        });
        let ran = world.prune(&reused, &["--yes"]).expect(&[1]);
        let expected = format!("pid {pid} belongs to another process now");
        assert_eq!(result_of(&ran, &target(pid)), ("skipped".into(), expected));
        assert_eq!(lives(), before);
    }
    // The identity is right, what is said of it is not.
    for (pid, why) in [
        (editor, "it is no longer Claude"),
        (sample.live.claude.pid, "it is in a pane of agent_"),
        (sample.live.pane, "it is no longer Claude"),
    ] {
        let forged = edited(&leaks, |finding| {
            about(finding, pid);
            finding["process"]["start_time"] = start_time(&world, pid);
        });
        let ran = world.prune(&forged, &["--yes"]).expect(&[1]);
        let (result, reason) = result_of(&ran, &target(pid));
        assert_eq!(result, "skipped");
        assert!(reason.contains(why), "{reason}");
        assert_eq!(lives(), before);
    }
    // Nobody has it: gone, which is what was wanted.
    let gone = edited(&leaks, |finding| about(finding, 1 << 22));
    let ran = world.prune(&gone, &["--yes"]).ok();
    assert_eq!(result_of(&ran, &target(1 << 22)).0, "gone");

    // A session of the same number, of a server before this one or of another birth.
    let session = format!("session {}", sample.zombie);
    let zombies: String =
        of_kind(&sample.findings, "zombie_session").iter().map(|z| format!("{z}\n")).collect();
    for (field, value) in [
        ("server_pid", json!(editor)),
        ("created", json!("2025-01-01T00:00:00Z")),
        ("id", json!("$4711")),
    ] {
        let other = edited(&zombies, |finding| finding["session"][field] = value.clone());
        let ran = world.prune(&other, &["--yes"]).ok();
        assert_eq!(result_of(&ran, &session).0, "gone", "{field}");
        assert_eq!(lives(), before);
    }

    // With the other source of the process table, whose identities are not these.
    let other = if world.reads_ps() { "proc" } else { "ps" };
    let options = ["--yes", "--proc-source", other];
    let ran = world.prune(&sample.findings, &options).expect(&[1]);
    for action in ran.records() {
        assert_eq!(action["result"], "refused", "{action}");
        assert!(action["reason"].as_str().unwrap().contains("found with --proc-source"));
    }
    world.assert_untouched(&sample, "--proc-source");

    // Everything of it, from another boot, host or pid namespace.
    for (field, value, why) in [
        ("boot_id", "00000000-0000-0000-0000-000000000000", "before the last boot of this machine"),
        ("host", "elsewhere.example", "found on host elsewhere.example, this is host "),
        ("pid_ns", "1", "found in another pid namespace"),
    ] {
        let foreign = edited(&sample.findings, |finding| finding[field] = value.into());
        for options in [&["--yes"] as &[&str], &[]] {
            let ran = world.prune(&foreign, options).expect(&[1]);
            let actions = ran.records();
            assert_eq!(actions.len(), 4, "{}", ran.out);
            for action in actions {
                assert_eq!(action["result"], "refused", "{action}");
                assert!(action["reason"].as_str().unwrap().contains(why), "{action}");
            }
            world.assert_untouched(&sample, field);
        }
    }
    // Of another user: so says the evidence, or what it is about.
    type Edit = fn(&mut Value);
    let edits: [(&str, usize, Edit); 2] = [
        ("found for uid 4711, this run is for uid ", 4, |finding| {
            finding["evidence"]["uid"] = 4711.into();
        }),
        ("it belongs to uid 4711", 2, |finding| {
            for (about, owner) in
                [("process", "uid"), ("session", "uid"), ("registry", "owner_uid")]
            {
                if finding[about].is_object() {
                    finding[about][owner] = 4711.into();
                }
            }
            if finding["kind"] == "ghost_agent" {
                finding["action"] = Value::Null;
            }
        }),
    ];
    for (why, count, edit) in edits {
        let foreign = edited(&sample.findings, edit);
        let ran = world.prune(&foreign, &["--yes"]).expect(&[1]);
        assert_eq!(ran.records().len(), count, "{}", ran.out);
        for action in ran.records() {
            assert_eq!(action["result"], "refused", "{action}");
            assert!(action["reason"].as_str().unwrap().contains(why), "{action}");
        }
        world.assert_untouched(&sample, why);
    }
    assert_eq!(lives(), before);
}

#[test]
fn h18_what_changes_between_showing_and_acting_is_skipped() {
    between_the_two(World::new());
    at_the_moment_of_ending_a_session(World::new());
}

#[test]
fn h18_by_ps() {
    between_the_two(World::by_ps());
    at_the_moment_of_ending_a_session(World::by_ps());
}

/// A leak that becomes another program as soon as somebody writes to the FIFO.
fn leak_that_changes(world: &World, fifo: &Path) -> i32 {
    let script = world.path().join("logs").join(world.name());
    let text =
        format!(": >\"$STANDIN_READY/$$\"\nread -r word <'{}'\nexec sleep 3600\n", fifo.display());
    fs::write(&script, text).unwrap();
    let mut command = world.command("sh");
    command.arg(script).arg("--print");
    world.orphan(&command).pid
}

fn between_the_two(world: World) {
    let ids: Vec<String> = ["back", "reborn", "manned", "windowed", "watched", "ghost"]
        .map(|name| format!("{name}-1-2"))
        .into();
    let entry = |id: &String| Entry::new(id);
    world.write_global(&Registry::new(ids.iter().map(entry)));
    let zombies = ["manned", "windowed", "watched"].map(|name| {
        let name = format!("agent_{name}-1-2");
        world.session(&name, "sleep 3600");
        name
    });
    let work = world.live_session("work", world.name(), &[]);
    // A leak whose output nobody reads any more, and another that stays one.
    let fifo = world.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let adopted = if world.reads_ps() {
        // Who reads an output is nothing that ps shows.
        leak_that_changes(&world, &fifo)
    } else {
        let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let reader = OpenOptions::new().read(true).custom_flags(nonblocking).open(&fifo).unwrap();
        let mut shell = world.command("sh");
        shell.args(["-c", &format!("exec {} --print >fifo", world.name())]);
        let adopted = world.orphan(&shell).pid;
        drop(reader);
        adopted
    };
    let lost = world.leaked(&[]).pid;

    let mut findings = String::new();
    wait_until(
        || "two leaks, three zombies, six ghosts",
        || {
            findings = world.findings(&[]);
            let count = |kind| of_kind(&findings, kind).len();
            ["leaked_process", "zombie_session", "ghost_agent"].map(count) == [2, 3, 6]
        },
    );

    // Now everything changes: a session comes back, an id is given anew, a session gets its
    // Claude, another one a window, somebody attaches to a third, somebody reads what a leak
    // writes; and there is a new ghost.
    let back = world.agent_session("back-1-2", &[]);
    let reborn = Entry::new("reborn-1-2").set("started_at", "2025-12-24T18:00:00");
    let new = Entry::new("new-1-2");
    let entries = ids.iter().filter(|id| !id.starts_with("reborn")).map(entry);
    world.write_global(&Registry::new(entries.chain([reborn, new])));
    let ready = world.ready();
    let variable = format!("STANDIN_READY={}", ready.directory().display());
    let split = ["split-window", "-d", "-t", "=agent_manned-1-2:", "-e", &variable, world.name()];
    world.tmux(&split).ok();
    let manned = ready.wait();
    world.tmux(&["new-window", "-d", "-t", "=agent_windowed-1-2:", "sleep 3600"]).ok();
    let socket = world.socket().display().to_string();
    let client = format!("env -u TMUX tmux -S '{socket}' attach -t =agent_watched-1-2");
    world.tmux(&["new-window", "-d", "-t", "=work:", &client]).ok();
    let attached = ["display-message", "-p", "-t", "=agent_watched-1-2:", "#{session_attached}"];
    wait_until(|| "a client", || world.tmux(&attached).ok().out == "1\n");
    let kept = if world.reads_ps() {
        fs::write(&fifo, "now\n").unwrap();
        wait_until(|| "another program", || stat(adopted).unwrap().name == "sleep");
        "it is no longer Claude".to_owned()
    } else {
        let mut cat = world.command("cat");
        cat.arg(&fifo);
        let cat = world.spawn(cat);
        wait_until(
            || "the reader",
            || fs::read_link(format!("/proc/{cat}/fd/3")).is_ok_and(|open| open == fifo),
        );
        format!("process {cat} (cat ")
    };
    let pids = [work.claude.pid, back.claude.pid, back.pane, manned.pid, adopted];
    let before = pids.map(living);
    assert!(before.iter().all(Option::is_some));

    let ran = world.prune(&findings, &["--yes", "--grace", "60s"]).expect(&[1]);
    assert_eq!(ran.records().len(), 11, "{}", ran.out);
    for (target, result, reason) in [
        (format!("process {adopted}"), "skipped", kept),
        (format!("process {lost}"), "done", "ended after SIGTERM".into()),
        (format!("session {}", zombies[0]), "skipped", "Claude runs in it".into()),
        (format!("session {}", zombies[1]), "skipped", "its windows have changed".into()),
        (format!("session {}", zombies[2]), "skipped", "1 client attached".into()),
        ("agent back-1-2".into(), "skipped", "its session agent_back-1-2 exists".into()),
        ("agent reborn-1-2".into(), "skipped", "another agent has this id now".into()),
        ("agent manned-1-2".into(), "skipped", "its session agent_manned-1-2 exists".into()),
        ("agent windowed-1-2".into(), "skipped", "agent_windowed-1-2 exists".into()),
        ("agent watched-1-2".into(), "skipped", "agent_watched-1-2 exists".into()),
        ("agent ghost-1-2".into(), "done", "entry removed".into()),
    ] {
        let (said, why) = result_of(&ran, &target);
        assert!(said == result && why.contains(&reason), "{target}: {said}: {why}");
    }
    assert_eq!(pids.map(living), before);
    assert!(!alive(lost));
    assert_eq!(world.session_names().len(), 5);
    let left = run(&mut world.lsagents(), "").ok().records();
    let mut left: Vec<_> = left.iter().filter_map(|entry| entry["id"].as_str()).collect();
    left.sort_unstable();
    let mut expected = ["back", "manned", "new", "reborn", "watched", "windowed"]
        .map(|name| format!("{name}-1-2"));
    expected.sort_unstable();
    assert_eq!(left, expected);
}

/// The very last moment: after agentprune has looked again, before tmux hears of it.
fn at_the_moment_of_ending_a_session(world: World) {
    world.write_global(&Registry::new([Entry::new("last-1-2")]));
    world.session("work", "sleep 3600");
    let pane = world.session("agent_last-1-2", "sleep 3600");
    world.findings_with_zombies(&[], 1);
    let socket = world.socket().display().to_string();
    let client = format!("env -u TMUX tmux -S '{socket}' attach -t =agent_last-1-2");
    for change in [
        "new-window -d -t =agent_last-1-2: 'sleep 3600'",
        "split-window -d -t =agent_last-1-2: 'sleep 3600'",
        // It waits for the client to be there.
        &format!(
            "new-window -d -t =work: \"{client}\"; while ! tmux -S '{socket}' \
             list-clients -t =agent_last-1-2 | grep -q .; do sleep 0.02; done"
        ),
    ] {
        let findings = world.findings(&[]);
        let ran = world.prune_while(&findings, change).expect(&[1]);
        let (result, reason) = result_of(&ran, "session agent_last-1-2");
        assert_eq!(result, "skipped", "{change}: {reason}");
        assert!(reason.contains("it changed at the last moment"), "{change}: {reason}");
        let (result, _) = result_of(&ran, "agent last-1-2");
        assert_eq!(result, "skipped", "{change}");
        assert!(alive(pane), "{change}");
    }
}
