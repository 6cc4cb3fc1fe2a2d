//! MCP servers that outlive their Claude.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{Double, Left, NONE, VERSIONS, brief, of_kind, reason};
use crate::world::{alive, privately, run, stat, wait_until};

/// Servers in every way in which they are installed; `@` is a mark for their names.
const SERVERS: [(&str, &str); 9] = [
    ("good", "python3 server.py good@ good"),
    ("direct", "python3 server.py direct@ bad"),
    ("stubborn", "python3 server.py stubborn@ worse"),
    ("shell", "sh -c 'python3 server.py shell@ bad; :'"),
    ("npx", "npx --no-install mcp-files npx@ bad"),
    ("uvx", "python3 run.py python3 run.py python3 server.py uvx@ worse"),
    ("proxy", "python3 proxy.py python3 server.py proxy@ bad"),
    ("log", "python3 server.py log@ bad log database"),
    ("redirected", "sh -c 'exec python3 server.py redirected@ bad 2>>err.log'"),
];

/// As a package that npx finds.
pub fn package(left: &Left) {
    let modules = left.world.path().join("node_modules");
    fs::create_dir_all(modules.join(".bin")).unwrap();
    fs::create_dir_all(modules.join("mcp-files")).unwrap();
    let program = modules.join("mcp-files/mcp-files");
    let text = "#!/bin/sh\npython3 server.py \"$@\"\n:\n";
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../mcp-files/mcp-files", modules.join(".bin/mcp-files")).unwrap();
    fs::write(left.world.path().join("package.json"), "{}").unwrap();
}

/// Starts a double with all servers. Returns it and the processes of the servers but for the good
/// one, those above each too.
fn with_servers(left: &Left, version: &str, mark: &str) -> (Double, Vec<i32>) {
    let servers = SERVERS.map(|(_, run)| ("server", &*run.replace('@', mark).leak()));
    let double = left.double(version, &servers);
    let mut all = Vec::new();
    for (name, _) in SERVERS {
        let mut pid = left.pid(&format!("{name}{mark}"));
        while pid != double.pid {
            if name != "good" {
                all.push(pid);
            }
            pid = stat(pid).unwrap().ppid;
        }
    }
    all.sort_unstable();
    all.dedup();
    (double, all)
}

/// Waits for the server that ends with its input.
fn good_ends(left: &Left, mark: &str) {
    let good = left.pid(&format!("good{mark}"));
    wait_until(|| "the end of the good server", || !alive(good));
}

/// The resident memory of these processes, in bytes.
fn resident(pids: &[i32]) -> u64 {
    let pages = |pid: &i32| {
        let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default()
    };
    pids.iter().map(pages).sum::<u64>() * 4096
}

#[test]
fn h56_the_servers_of_a_killed_claude_are_ended_whole_and_those_of_a_living_one_stay() {
    privately(|| {
        for version in VERSIONS {
            let left = Left::new();
            package(&left);
            let (living, its) = with_servers(&left, version, "-l");
            let (killed, servers) = with_servers(&left, version, "-k");
            assert_eq!(of_kind(&left.findings(&[]), "leaked_server"), NONE, "{version}: both live");
            killed.kill();
            good_ends(&left, "-k");
            let findings = left.findings(&[]);
            let mut found = of_kind(&findings, "leaked_server");
            let direct = left.pid("direct-k");
            let why = reason(&findings, "leaked_server", direct);
            assert!(why.starts_with("python3 server.py direct-k bad: server of a Claude"), "{why}");
            if version == "2.1.197" {
                assert!(
                    why.contains(&format!("(session {}, last active", &killed.session[..8])),
                    "{why}"
                );
            }
            // A member after its top.
            let npx = found.iter().position(|pid| *pid == left.pid("npx-k")).unwrap();
            let above = stat(left.pid("npx-k")).unwrap().ppid;
            assert!(found[..npx].contains(&above), "{version}: from the top");
            found.sort_unstable();
            assert_eq!(found, servers, "{version}: {}", brief(&findings));
            let memory = resident(&servers) >> 20;
            let ran = left.world.prune(&findings, &["--yes", "--grace", "1s"]);
            assert_eq!(ran.code, 0, "{version}: {ran:?}");
            let left_over: Vec<_> = servers.iter().filter(|pid| alive(**pid)).collect();
            assert!(left_over.is_empty(), "{version}: {left_over:?} {ran:?}");
            assert!(its.iter().all(|pid| alive(*pid)) && alive(living.pid), "{version}");
            assert!(alive(left.pid("good-l")), "{version}");
            println!("{version}: {} processes of 8 servers ended, {memory} MiB", servers.len());
            assert_eq!(of_kind(&left.findings(&[]), "leaked_server"), NONE, "{version}: again");
        }
    });
}

#[test]
fn h58_the_servers_of_a_claude_that_ended_by_itself_are_ended_too() {
    privately(|| {
        for version in VERSIONS {
            let left = Left::new();
            package(&left);
            let (ended, servers) = with_servers(&left, version, "");
            ended.end();
            good_ends(&left, "");
            let findings = left.findings(&[]);
            let mut found = of_kind(&findings, "leaked_server");
            found.sort_unstable();
            assert_eq!(found, servers, "{version}: {}", brief(&findings));
            let ran = left.clean(&[], &[]);
            assert!(servers.iter().all(|pid| !alive(*pid)), "{version}: {ran:?}");
        }
    });
}

/// What SIGTERM has not ended is looked at again.
#[test]
fn h56_what_has_begun_to_be_used_is_not_sent_sigkill() {
    privately(|| {
        let left = Left::new();
        let code = "import signal, socket, time, os; name = 'pids/late'; kept = []\n\
                    def late(*_): kept.append(socket.create_server(('127.0.0.1', 0)))\n\
                    signal.signal(signal.SIGTERM, late)\n\
                    open(name + '.new', 'w').write(str(os.getpid())); os.rename(name + '.new', name)\n\
                    while True: time.sleep(1)\n";
        fs::write(left.world.path().join("late.py"), code).unwrap();
        let double = left.double("2.1.197", &[("server", "python3 late.py")]);
        let late = left.pid("late");
        double.kill();
        left.orphaned(&["late"]);
        let findings = left.findings(&[]);
        assert_eq!(of_kind(&findings, "leaked_server"), [late]);
        let ran = left.world.prune(&findings, &["--yes", "--grace", "1s"]);
        assert!(ran.code == 1 && ran.out.contains("it is held now: process"), "{ran:?}");
        assert!(alive(late));
    });
}

/// Between the judgement and the action.
#[test]
fn h56_a_server_is_judged_again_before_it_is_ended() {
    privately(|| {
        let left = Left::new();
        let double = left.double("2.1.197", &[("server", "python3 server.py a bad")]);
        let pid = left.pid("a");
        double.kill();
        left.orphaned(&["a"]);
        let findings = left.findings(&[]);
        assert_eq!(of_kind(&findings, "leaked_server"), [pid]);
        // Somebody begins to trace it.
        let mut gdb = left.world.command("strace");
        gdb.args(["-o", "trace", "-p", &pid.to_string()]);
        let tracer = left.world.spawn(gdb);
        let status = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        wait_until(|| "a tracer", || status().contains(&format!("TracerPid:\t{tracer}")));
        let ran = left.world.prune(&findings, &["--yes"]);
        assert!(ran.code == 1 && ran.out.contains("traces it"), "{ran:?}");
        assert!(alive(pid));
        // A finding about Claude does not end it either.
        let forged = findings.replace("\"kind\":\"leaked_server\"", "\"kind\":\"leaked_process\"");
        let ran = left.world.prune(&forged, &["--yes"]);
        assert!(ran.out.contains("it is no longer Claude") && alive(pid), "{ran:?}");
    });
}

#[test]
fn h56_a_server_is_kept_as_a_whole_by_the_keep_file() {
    privately(|| {
        let left = Left::new();
        let double = left.double("2.1.197", &[("server", "sh -c 'python3 server.py a bad; :'")]);
        let pid = left.pid("a");
        let above = stat(pid).unwrap().ppid;
        double.kill();
        wait_until(|| "an orphan", || stat(above).is_some_and(|stat| stat.ppid == 1));
        let findings = left.findings(&[]);
        assert_eq!(of_kind(&findings, "leaked_server"), [above, pid]);
        let keep = left.world.path().join(".config/agentutils/keep");
        fs::create_dir_all(keep.parent().unwrap()).unwrap();
        fs::write(&keep, ".type == \"process\" and .name == \"python3\"\n").unwrap();
        let ran = left.world.prune(&findings, &["--yes"]);
        assert!(ran.code == 1 && alive(pid) && alive(above), "{ran:?}");
        let findings = left.findings(&[]);
        assert_eq!(of_kind(&findings, "leaked_server"), NONE);
        assert!(
            reason(&findings, "leftover_process", above).contains("line 1"),
            "{}",
            brief(&findings)
        );
    });
}

/// Nobody can tell, who only sees the program's own name.
#[test]
fn h56_without_a_known_version_or_with_another_name_nothing_is_a_server() {
    privately(|| {
        let left = Left::new();
        // AI_AGENT names a version of which it is not known what its hooks have.
        let double = left.double("2.1.160", &[("server", "python3 server.py a bad")]);
        let newer = left.double("2.1.190", &[("hook", "python3 server.py b bad")]);
        double.kill();
        newer.kill();
        left.orphaned(&["a", "b"]);
        let findings = left.findings(&[]);
        // 2.1.160 gives a server what 2.1.150 gives it: that is one. Its hook is none.
        assert_eq!(of_kind(&findings, "leaked_server"), [left.pid("a")]);
        // Names of one's own leave out what others have left.
        let mut named = left.world.tool("lsclaude");
        let records = run(named.args(["--name", "other"]), "").ok().records();
        assert_eq!(records.len(), 1, "{records:?}");
        // What is filtered away proves nothing.
        let mut servers = left.world.tool("lsclaude");
        let records = run(servers.args(["--role", "server"]), "").ok().records();
        assert_eq!(records.last().unwrap()["filtered"], true);
        assert_eq!(records[0]["role"], "server");
    });
}
