//! What is Claude, and what only looks like it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{Lives, listed, prune, shell_as, standin_as, start, world};
use crate::world::{Registry, World, records, run, skip, stat};

#[test]
fn h01_a_tmux_server_is_not_claude_whatever_its_arguments() {
    let world = World::new();
    world.write_global(&Registry::default());
    let (name, path) = (world.name(), world.executable());
    let path = path.to_str().unwrap();
    let sockets = ["bare", "absolute"].map(|name| world.path().join(name).display().to_string());
    // The arguments of a server are those of the command that started it.
    let servers = [
        (["-S", &sockets[0]], vec![name, "--print", "claude"]),
        (["-S", &sockets[1]], vec![path, "/usr/bin/claude", "--print"]),
        (["-L", name], vec!["exec sleep 3600; claude"]),
        (["-L", "claude"], vec!["exec sleep 3600"]),
    ];
    let tmux = |address: &[&str], arguments: &[&str]| {
        let mut tmux = world.command("tmux");
        run(tmux.args(["-f", "/dev/null"]).args(address).args(arguments), "").ok().out
    };
    let mut pids = Vec::new();
    let mut claudes = Vec::new();
    for (address, command) in &servers {
        for (session, command) in [("work", command), ("agent_2", &vec![name])] {
            let ready = world.ready();
            let variable = format!("STANDIN_READY={}", ready.directory().display());
            let new = ["new-session", "-d", "-s", session, "-e", &variable];
            tmux(address, &[&new, &command[..]].concat());
            if !command[0].starts_with("exec sleep") {
                claudes.push(ready.wait().pid);
            }
        }
        let pid = tmux(address, &["display-message", "-p", "#{pid}"]);
        let cmdline = fs::read(format!("/proc/{}/cmdline", pid.trim())).unwrap();
        assert!(String::from_utf8_lossy(&cmdline).contains("claude"), "that is the hazard");
        pids.push(pid.trim().parse::<i32>().unwrap());
    }
    let panes = || {
        let format = "#{session_name} #{pane_pid} #{pane_dead}";
        servers.each_ref().map(|(address, _)| tmux(address, &["list-panes", "-a", "-F", format]))
    };
    let before = panes();
    assert!(before.iter().all(|panes| panes.lines().count() == 2), "{before:?}");
    let claude = ["--name", name];
    let mut found = listed(&world, &claude);
    found.sort_unstable();
    claudes.sort_unstable();
    let lives = Lives::of(pids.iter().chain(&claudes).copied());

    for rule in [&claude[..], &[], &["--also-name", name]] {
        let listed = listed(&world, rule);
        assert!(!pids.iter().any(|pid| listed.contains(pid)), "{rule:?}: {listed:?} of {pids:?}");
    }
    assert_eq!(found, claudes);
    for options in [&[][..], &["--outside-tmux", "--busy"]] {
        let mut lssessions = world.tool("lssessions");
        lssessions.args(servers.iter().flat_map(|(address, _)| address));
        let scans = [world.lsagents(), lssessions, world.lsclaude()];
        let scan = scans.map(|mut lister| run(&mut lister, "").ok().out).concat();
        let findings = world.diff(&scan, options).expect(&[0, 1]).out;
        let ran = world.prune(&findings, &["--yes"]);
        lives.assert_alive(&format!("with {options:?}"));
        assert_eq!(panes(), before);
        assert!(!findings.contains("_process\""), "{findings}");
        assert_eq!(ran.ok().out, "", "there was nothing to do");
    }
}

/// Rewrites its own title as a program does that knows where its arguments are: over all
/// of them, and with `1` over the NUL that ends the last.
const RETITLE: &str = "
import ctypes, os, sys, time
stat = open('/proc/self/stat').read().rsplit(')', 1)[1].split()
start, end = int(stat[45]), int(stat[46])
length = end - start - (sys.argv[1] != '1')
title = (sys.argv[2] * length).encode()[:length]
if sys.argv[2].endswith('$'):
    title = sys.argv[2][:-1].encode().ljust(length)
ctypes.memmove(start, title, length)
open(os.environ['STANDIN_READY'] + '/' + str(os.getpid()), 'w')
while os.path.exists(os.environ['STANDIN_WORLD']):
    time.sleep(0.1)
";

/// A process whose title is `text` over and over; with `$` at its end, once and blanks.
fn retitled(world: &World, over_the_end: bool, text: &str) -> i32 {
    let mut command = world.command("python3");
    command.args(["-c", RETITLE, if over_the_end { "1" } else { "0" }, text]);
    command.args(["x".repeat(100_000), "y".repeat(31_072)]);
    start(world, command)
}

/// Processes that have to do with `word` and are not it.
fn bystanders(world: &World, word: &str) -> Vec<i32> {
    let path = |name: &str| world.path().join(name);
    let text = format!("{word}.md");
    fs::write(path(&text), "").unwrap();
    let tool = |name: &str, arguments: &[&str]| {
        let mut command = world.command(standin_as(world, name));
        command.current_dir(path(name).parent().unwrap()).args(arguments);
        start(world, command)
    };
    let mut tail = world.command("tail");
    tail.args(["-f", &text]);
    let imitation = format!("x\n1 {word} --print\n{word}\t-p\n/usr/bin/{word} daemon\r");
    let mut renamed = world.command(standin_as(world, "renamed/tool"));
    renamed.env("STANDIN_COMM", format!(") R 1 ({word}"));
    let mut titled = world.command(standin_as(world, "long/tool"));
    titled.arg0(format!("{word} --print {}", "z".repeat(131_000)));
    let mut binary = world.command(standin_as(world, "binary/tool"));
    binary.arg0(OsString::from_vec([b"\xff\xfe/", word.as_bytes(), b"\xff"].concat()));
    binary.arg(OsString::from_vec([b"\xc3(", word.as_bytes(), b"\n\t\x80"].concat()));
    vec![
        tool("editor/vim", &[&text]),
        world.spawn(tail),
        world.session(&format!("grep-{word}"), &format!("exec grep {word}")),
        world.session(&format!("shell-{word}"), &format!("sleep 3600; {word} -p; exit")),
        tool(&format!("{word}/tool"), &[&format!("/home/{word}/{word}"), word]),
        tool("prompt/tool", &["--prompt", &imitation]),
        tool(&format!("near/{word}-squad"), &[]),
        tool(&format!("near/my-{word}"), &[]),
        tool(&format!("near/{}", word.replacen('c', "C", 1)), &[]),
        // As an argument of an interpreter, but not the script.
        tool("interpreter/node", &["server.js", word]),
        tool("interpreter/python3", &["-m", word]),
        start(world, renamed),
        start(world, titled),
        start(world, binary),
        retitled(world, false, &format!("{word} --print ")),
        retitled(world, true, &format!("{word} --print ")),
    ]
}

/// Whatever its arguments are, a process is one line, and that line is JSON.
fn assert_one_line_each(world: &World) {
    let long = "q".repeat(131_071);
    let invalid = OsString::from_vec(b"caf\xe9\n\xff\xfe\t\x01\x1b[31m\"\\".to_vec());
    let claude = |change: &dyn Fn(&mut Command)| {
        let mut command = world.command(world.name());
        change(&mut command);
        start(world, command)
    };
    let mut pids = [
        claude(&|command| _ = command.args(["a\nb\r\nc\td", "", "\n", "\u{2028}é日"])),
        claude(&|command| _ = command.arg(&long)),
        claude(&|command| _ = command.arg(&invalid)),
        claude(&|command| _ = command.arg0(&long)),
        claude(&|command| _ = command.env("STANDIN_COMM", "a) R 1\n(b\t\"\\é")),
    ];
    pids.sort_unstable();
    for full in [false, true] {
        let mut command = world.lsclaude();
        let ran = run(command.args(full.then_some("--full")), "").ok();
        let found = ran.records();
        assert_eq!(found.len(), pids.len() + 1, "a line each, and the end");
        for (record, pid) in found.iter().zip(&pids) {
            assert_eq!(record["pid"], *pid);
        }
        let has = |argument: &str| {
            found.iter().any(|record| {
                record["args"].as_array().is_some_and(|args| args.iter().any(|arg| arg == argument))
            })
        };
        assert!(has("a\nb\r\nc\td") && has(&invalid.to_string_lossy()), "{}", ran.out);
        assert_eq!(has(&long), full);
    }
}

/// A process of a user called claude is not Claude. The user is one of a machine with
/// another `/etc/passwd`.
fn assert_user_is_no_claude(world: &World) -> Result<(), String> {
    let passwd = world.path().join("passwd");
    let text = fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    fs::write(&passwd, format!("{text}claude:x:54321:54321::/:/bin/sh\n")).unwrap();
    let script = "mount --bind passwd /etc/passwd && test \"$(id -un 54321)\" = claude || exit 9
        setpriv --reuid claude --clear-groups sleep 3600 & echo $! >user.pid
        until grep -q 'Uid:.54321' /proc/$!/status; do sleep 0.1; done
        lsclaude >user.listed; kill $!";
    let ran = run(world.command("unshare").args(["--mount", "sh", "-c", script]), "");
    if ran.code != 0 && !world.path().join("user.listed").exists() {
        return Err(format!("a user named claude: {}", ran.err.trim()));
    }
    let pid = fs::read_to_string(world.path().join("user.pid")).unwrap();
    let pid: i64 = pid.trim().parse().unwrap();
    let found = records(&fs::read_to_string(world.path().join("user.listed")).unwrap());
    assert!(found.last().is_some_and(|end| end["complete"] == true), "{found:?}");
    assert!(!found.iter().any(|record| record["pid"] == pid), "{found:?}");
    Ok(())
}

#[test]
fn h03_what_mentions_claude_is_not_claude() {
    let world = world();
    let of_default = bystanders(&world, "claude");
    let of_world = bystanders(&world, world.name());
    let lives = Lives::of(of_default.iter().chain(&of_world).copied());
    for (rule, bystanders) in [(&[][..], &of_default), (&["--name", world.name()], &of_world)] {
        let listed = listed(&world, rule);
        let name = |pid: &&i32| fs::read_to_string(format!("/proc/{pid}/comm"));
        let wrong: Vec<_> = bystanders.iter().filter(|pid| listed.contains(pid)).collect();
        assert!(wrong.is_empty(), "{rule:?}: {:?}", wrong.iter().map(name).collect::<Vec<_>>());
    }
    for options in [&[][..], &["--outside-tmux", "--busy"]] {
        let (findings, ran) = prune(&world, options);
        ran.ok();
        assert_eq!(records(&findings).len(), 1, "{findings}");
        lives.assert_alive(&format!("with {options:?}"));
    }
    assert_one_line_each(&world);
    if let Err(reason) = assert_user_is_no_claude(&world) {
        skip("h03_what_mentions_claude_is_not_claude", &reason);
    }
}

#[test]
fn h04_claude_is_found_in_all_its_forms() {
    let world = World::new();
    let script = world.path().join("lib/node_modules/@anthropic-ai/claude-code/cli.js");
    let script = script.to_str().unwrap().to_owned();
    let form = |path: &str, arguments: &[&str]| {
        let mut command = world.command(standin_as(&world, path));
        command.args(arguments);
        command
    };
    let titled = |path: &str, title: &str| {
        let mut command = form(path, &[]);
        command.arg0(title);
        command
    };
    let mut renamed = titled("renamed/2.js", "2.js");
    renamed.env("STANDIN_COMM", "claude");
    let replaced = standin_as(&world, "replaced/claude");
    let mut replaced_one = titled("replaced/claude", "x");
    replaced_one.env("STANDIN_COMM", "x");
    let mut wrapper = world.command(shell_as(&world, "wrapper/sh"));
    fs::write(world.path().join("claude"), format!("{} --print\nexit\n", world.name())).unwrap();
    let ready = world.ready();
    wrapper.arg("./claude").env("STANDIN_READY", ready.directory());
    let wrapper = world.spawn(wrapper);
    ready.wait();
    let forms = [
        ("an executable", start(&world, form("plain/claude", &["--print"]))),
        (".exe", start(&world, form("plain/claude.exe", &["--print"]))),
        ("a version", start(&world, form(".local/share/claude/versions/2.1.30", &["-p", "x"]))),
        ("a package", start(&world, form("node/node", &[&script, "-p", "x"]))),
        (
            "options before it",
            start(&world, form("node/node", &["--no-warnings", "-r", "./x.js", &script])),
        ),
        ("bun", start(&world, form("node/bun", &["/usr/local/bin/claude"]))),
        ("a script of the shell", wrapper),
        ("argv[0] and spaces", start(&world, titled("titled/worker", "claude                 "))),
        ("argv[0] with a directory", start(&world, titled("titled/worker", "/opt/bin/claude"))),
        ("a title over all arguments", retitled(&world, false, "claude$")),
        ("the short name", start(&world, renamed)),
        ("an executable replaced since", {
            let pid = start(&world, replaced_one);
            fs::remove_file(replaced).unwrap();
            pid
        }),
    ];
    let listed = listed(&world, &[]);
    for (form, pid) in forms {
        assert!(listed.contains(&pid), "{form}: {:?}", stat(pid));
    }
}
