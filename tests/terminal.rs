//! Hazards around terminals: output that nobody reads, a Ctrl-C, names that would steer a
//! terminal.

mod reported;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::world::{Entry, Ran, Registry, World, alive, records, run, wait_until};

const TOOLS: [&str; 5] = ["lsagents", "lssessions", "lsclaude", "agentdiff", "agentprune"];

/// A file with some findings of the guide's case, and one with the scan they rest on.
fn saved(world: &World, arguments: &[&str]) -> (PathBuf, PathBuf) {
    let mut scan = String::new();
    let mut findings = String::new();
    // For a moment, what tmux starts is still tmux.
    wait_until(
        || "a zombie session",
        || {
            scan = world.scan();
            findings = world.diff(&scan, arguments).expect(&[0, 1]).out;
            findings.contains("\"kind\":\"zombie_session\"")
        },
    );
    let at = |name| world.path().join(name);
    fs::write(at("scan"), scan).unwrap();
    fs::write(at("findings"), findings).unwrap();
    (at("scan"), at("findings"))
}

/// Each of the tools with something to print, confined to the world.
fn commands(world: &World, scan: &Path, findings: &Path) -> [Command; 5] {
    let mut agentdiff = world.tool("agentdiff");
    agentdiff.args(["--min-age", "0"]).arg(scan);
    let mut agentprune = world.tool("agentprune");
    agentprune.arg(findings);
    [world.lsagents(), world.lssessions(), world.lsclaude(), agentdiff, agentprune]
}

/// Runs a command whose standard output nobody reads any more.
fn unread(command: &mut Command) -> Ran {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn();
    ended(child.unwrap().wait_with_output().unwrap())
}

/// Runs a command whose standard output is full.
fn full(command: &mut Command) -> Ran {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn();
    ended(child.unwrap().wait_with_output().unwrap())
}

fn ended(output: std::process::Output) -> Ran {
    let signal = output.status.signal().map(|signal| 128 + signal);
    Ran {
        code: output.status.code().or(signal).unwrap(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn h26_output_that_nobody_takes_ends_a_run_and_an_interrupt_leaves_no_half_action() {
    closed_early();
    no_space_left();
    interrupted();
    scripts_that_nobody_reads();
}

fn closed_early() {
    let world = World::new();
    world.guide_case();
    let (scan, findings) = saved(&world, &[]);
    let tables = commands(&world, &scan, &findings).map(|mut command| {
        command.arg("-T");
        command
    });
    for mut command in commands(&world, &scan, &findings).into_iter().chain(tables) {
        let ran = unread(&mut command);
        assert_eq!((ran.code, ran.err.as_str()), (141, ""), "{command:?}");
    }
    for tool in TOOLS {
        let ran = unread(world.tool(tool).arg("--help"));
        assert_eq!((ran.code, ran.err.as_str()), (141, ""), "{tool}");
    }
}

fn no_space_left() {
    let world = World::new();
    world.guide_case();
    let (scan, findings) = saved(&world, &[]);
    let tables = commands(&world, &scan, &findings).map(|mut command| {
        command.arg("-T");
        command
    });
    let helps = TOOLS.map(|tool| {
        let mut command = world.tool(tool);
        command.arg("--help");
        command
    });
    let all = commands(&world, &scan, &findings).into_iter().chain(tables).chain(helps);
    for mut command in all {
        let ran = full(&mut command).expect(&[2]);
        let tool = Path::new(command.get_program()).file_name().unwrap().to_str().unwrap();
        let says = format!("{tool}: standard output: No space left");
        assert!(ran.err.contains(&says), "{command:?}: {}", ran.err);
    }

    // A log that takes nothing: then nothing is done.
    let world = World::new();
    let case = world.guide_case();
    let (_, findings) = saved(&world, &[]);
    let before = fs::read(world.global_path()).unwrap();
    let mut prune = world.tool("agentprune");
    let ran = run(prune.args(["--yes", "--log", "/dev/full"]).arg(&findings), "").expect(&[2]);
    assert!(ran.err.contains("agentprune: /dev/full: No space left"), "{}", ran.err);
    assert!(alive(case.leaked.pid) && alive(case.zombie_pane));
    assert_eq!(fs::read(world.global_path()).unwrap(), before);
}

/// SIGINT while the processes have their grace. Those that obeyed SIGTERM are gone; all
/// the rest is as it was, and the next run takes it from there.
fn interrupted() {
    let world = World::new();
    let case = world.guide_case();
    let stubborn = world.leaked(&[("STANDIN_IGNORE", "TERM")]);
    let (_, findings) = saved(&world, &[]);
    let files = || {
        let directory = fs::read_dir(world.global_path().parent().unwrap()).unwrap();
        let files = directory.map(|file| file.unwrap().path());
        files.map(|path| (fs::read(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = files();
    let mut prune = world.tool("agentprune");
    prune.args(["--yes", "--grace", "60s", "--log", "log"]).arg(&findings);
    prune.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = prune.spawn().unwrap();
    wait_until(|| "the one that obeys to end", || !alive(case.leaked.pid));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::SIGINT as i32), "{output:?}");
    assert_eq!(files(), before);
    assert!(alive(stubborn.pid) && alive(case.zombie_pane));
    assert!(world.session_names().contains(&case.zombie));
    let log = records(&fs::read_to_string(world.path().join("log")).unwrap());
    assert_eq!(log.len(), 2);
    let is_planned =
        |action: &Value| action["result"] == "planned" && action["action"] == "kill_process";
    assert!(log.iter().all(is_planned), "{log:?}");

    let findings = fs::read_to_string(&findings).unwrap();
    let ran = world.prune(&findings, &["--yes", "--grace", "1s"]).ok();
    let result = |pid: i32| {
        let all = ran.records();
        let about = all.iter().find(|action| action["finding"]["process"]["pid"] == pid);
        about.unwrap()["result"].as_str().unwrap().to_owned()
    };
    assert_eq!((result(case.leaked.pid).as_str(), result(stubborn.pid).as_str()), ("gone", "done"));
    assert!(!alive(stubborn.pid) && !world.session_names().contains(&case.zombie));
}

fn scripts_that_nobody_reads() {
    let world = World::new();
    let case = world.guide_case();
    saved(&world, &[]);
    let scratch = world.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let before = fs::read(world.global_path()).unwrap();
    for script in ["verify_cleanup.sh", "cleanup_leaked_agents.sh"] {
        let command = || {
            let mut command = world.script(script);
            if script.starts_with("cleanup") {
                command.arg("--yes");
            }
            command.env("TMPDIR", &scratch);
            command
        };
        let ran = unread(&mut command());
        assert_eq!((ran.code, ran.err.as_str()), (141, ""), "{script}");
        let ran = full(&mut command()).expect(&[2]);
        let says = format!("{script}: standard output cannot be written");
        assert!(ran.err.contains(&says), "{script}: {}", ran.err);
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "{script}");
    }
    assert!(alive(case.leaked.pid) && alive(case.zombie_pane));
    assert_eq!(fs::read(world.global_path()).unwrap(), before);
}

/// A colour and a title for a terminal, a C1 control, DEL, a carriage return, a line
/// that looks like another, and the sign that turns the direction of writing.
const EVIL: &str =
    "e\u{1b}[31m\u{1b}]0;t\u{7}\u{9b}2J\u{7f}\r\n  done  fake\t\u{202e}gpj\u{2066}\u{200f}";

fn assert_harmless(ran: &Ran, what: &str) {
    for text in [&ran.out, &ran.err] {
        let harmful = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!text.contains(harmful), "{what}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("  done  fake")), "{what}: {text}");
    }
}

#[test]
fn h29_names_that_would_steer_a_terminal_are_shown_escaped() {
    let world = World::new();
    let live = format!("live-{EVIL}");
    let ghost = format!("ghost-{EVIL}");
    let zombie = format!("zombie-{EVIL}");
    let entry = |id: &str| {
        let fields = ["status", "type", "task_id", "started_at", "last_update", "parent"];
        fields.into_iter().fold(Entry::new(id), |entry, field| entry.set(field, EVIL))
    };
    let entries = [&live, &ghost, &zombie].map(|id| entry(id));
    world.write_global(&Registry::new(entries).counters(9, 9));
    let claude = format!("{} --print", world.name());
    world.live_session(&format!("agent_{live}"), &claude, &[]);
    world.session(&format!("agent_{zombie}"), "sleep 3600");
    let mut leaked = world.command(world.name());
    leaked.args(["--print", EVIL]).env("STANDIN_COMM", "x\u{1b}[2J\r\u{202e}y");
    let leaked = world.orphan(&leaked);
    // Its parent's name is in the reason why this one is left alone.
    let rename = "printf 'p\\033[2J\\r' >/proc/$$/comm";
    let held = world.held_by_script_that(rename);
    let (scan, findings) = saved(&world, &[]);

    json_keeps_them(&world, &scan, &findings, &[&live, &ghost, &zombie], leaked.pid);
    for (at, tool) in TOOLS.into_iter().enumerate() {
        let all = [
            "id,agent_type,status,tmux_session,task_id,started_at,parent,registry",
            "name,panes,agent,socket",
            "name,args,exe,parent_name",
            "target,reason,agent,session,process",
            "target,reason,finding",
        ];
        let command = || commands(&world, &scan, &findings).into_iter().nth(at).unwrap();
        let table = run(command().arg("-T"), "").expect(&[0, 1]);
        assert_harmless(&table, tool);
        let table = run(command().args(["-T", "-o", all[at]]), "").expect(&[0, 1]);
        assert_harmless(&table, tool);
        let escaped =
            ["\\u{1b}", "\\u001b", "\\033"].iter().any(|escape| table.out.contains(escape));
        assert!(escaped, "{}", table.out);
    }
    // What could not be done, and why, names them too.
    fs::write(world.path().join("bad"), format!("{{\"type\":\"{EVIL}")).unwrap();
    for tool in ["agentdiff", "agentprune"] {
        for arguments in [["bad"], [EVIL]] {
            let ran = run(world.tool(tool).args(arguments).arg("-T"), "").expect(&[2]);
            assert_harmless(&ran, tool);
        }
    }
    assert_harmless(&run(world.lsagents().args(["-Q", EVIL]), "").expect(&[2]), "filter");

    let verify = run(&mut world.script("verify_cleanup.sh"), "").expect(&[1]);
    assert_harmless(&verify, "verify");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    for arguments in [["--dry-run"], ["--yes"]] {
        let cleanup = run(world.script("cleanup_leaked_agents.sh").args(arguments), "").ok();
        assert_harmless(&cleanup, "cleanup");
        for shown in [
            "agent ghost-e\\u{1b}[31m",
            "its parent is gone",
            &format!("{} p\\u{{1b}}[2J\\r", held.holder),
        ] {
            assert!(cleanup.out.contains(shown), "{shown} in {}", cleanup.out);
        }
    }
    assert!(!alive(leaked.pid) && alive(held.claude.pid));
    let registry: Value = serde_json::from_slice(&fs::read(world.global_path()).unwrap()).unwrap();
    let left: Vec<&String> = registry["agents"].as_object().unwrap().keys().collect();
    assert_eq!(left, [&live]);
    assert_eq!(registry["agents"][&live]["status"], EVIL);
}

fn json_keeps_them(world: &World, scan: &Path, findings: &Path, ids: &[&String], leaked: i32) {
    let scan = records(&fs::read_to_string(scan).unwrap());
    let of = |kind: &str| scan.iter().filter(|r| r["type"] == kind).collect::<Vec<_>>();
    let agents = of("agent");
    assert_eq!(agents.len(), ids.len());
    for (agent, id) in agents.iter().zip(ids) {
        assert_eq!(agent["id"], **id);
        assert_eq!(agent["tmux_session"], format!("agent_{id}"));
        for field in ["status", "agent_type", "task_id", "started_at", "last_update", "parent"] {
            assert_eq!(agent[field], EVIL, "{field}");
        }
    }
    let processes = of("process");
    let process = processes.iter().find(|process| process["pid"] == leaked).unwrap();
    assert_eq!(process["args"][2], EVIL);
    assert_eq!(process["name"], "x\u{1b}[2J\r\u{202e}y");
    let names: Vec<&str> = of("session").iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, world.session_names());

    let ghosts: Vec<Value> = records(&fs::read_to_string(findings).unwrap());
    let ghosts = ghosts.iter().filter(|finding| finding["kind"] == "ghost_agent");
    let ghosts: Vec<&str> = ghosts.map(|ghost| ghost["agent"]["id"].as_str().unwrap()).collect();
    assert_eq!(ghosts, [ids[1], ids[2]], "the live one is no ghost");
    let planned = run(world.tool("agentprune").arg(findings), "").ok();
    for id in ghosts {
        let planned = planned.records();
        assert!(planned.iter().any(|action| action["finding"]["agent"]["id"] == *id), "{id:?}");
    }
}
