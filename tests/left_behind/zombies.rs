//! Sessions in which nothing runs any more but what a Claude has left.

use super::{Left, brief, of_kind, reason};
use crate::world::{Entry, Registry, alive, privately, records, stat, wait_until};

const ID: &str = "worker-101010-aaaaaa";

/// Starts an agent's session with a shell at its prompt, in which a double was started and killed.
/// Returns the servers of that.
fn session(left: &Left, start: &[super::Start], names: &[&str]) -> Vec<i32> {
    left.world.write_global(&Registry::new([Entry::new(ID)]));
    let name = format!("agent_{ID}");
    let pane = left.world.session(&name, "exec bash --norc");
    let (command, _, ready) = left.command("2.1.197", start);
    let plan = command.get_args().nth(1).unwrap().to_str().unwrap().to_owned();
    std::fs::write(left.world.path().join("plan"), plan).unwrap();
    let line = format!(
        "CLAUDE={} python3 double/claude \"$(cat plan)\"",
        left.world.executable().display()
    );
    left.world.tmux(&["send-keys", "-t", &name, &line, "Enter"]).ok();
    let double = super::Double { pid: left.pid_in(&ready), session: String::new() };
    let pids: Vec<i32> = names.iter().map(|name| left.pid(name)).collect();
    assert_eq!(stat(double.pid).unwrap().ppid, pane);
    assert_eq!(kinds(left), ["-"], "while its Claude lives");
    double.kill();
    // Until the shell is at its prompt again.
    wait_until(|| "the end of Claude", || kinds(left) != ["-"]);
    wait_until(
        || "the prompt",
        || {
            let findings = left.findings(&[]);
            let records = records(&findings);
            let of_session = records.iter().filter(|finding| finding["session"].is_object());
            of_session.clone().count() == 1
                && of_session
                    .clone()
                    .all(|it| !it["reason"].as_str().unwrap().contains("at work: it is not at"))
        },
    );
    pids
}

/// The kinds of what is found about the session; `-`: nothing is.
fn kinds(left: &Left) -> Vec<String> {
    let findings = left.findings(&[]);
    let kinds: Vec<String> = records(&findings)
        .iter()
        .filter(|finding| finding["session"].is_object())
        .map(|finding| finding["kind"].as_str().unwrap().to_owned())
        .collect();
    if kinds.is_empty() { vec!["-".to_owned()] } else { kinds }
}

#[test]
fn h57_a_session_with_the_servers_of_its_dead_claude_is_a_zombie() {
    privately(|| {
        let left = Left::new();
        let start = [
            ("server", "python3 server.py a bad"),
            ("server", "sh -c 'python3 server.py b worse; :'"),
        ];
        let servers = session(&left, &start, &["a", "b"]);
        assert_eq!(kinds(&left), ["zombie_session"]);
        let findings = left.findings(&[]);
        assert_eq!(of_kind(&findings, "leaked_server").len(), 3, "{}", brief(&findings));
        assert!(findings.contains("bash and 3 leaked servers left"), "{}", brief(&findings));
        // The session alone: its servers still run, and are still leaks.
        let session_only: String = findings
            .lines()
            .filter(|line| line.contains("\"kind\":\"zombie_session\""))
            .map(|line| format!("{line}\n"))
            .collect();
        let ran = left.world.prune(&session_only, &["--yes"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(left.world.session_names().iter().all(|name| name != &format!("agent_{ID}")));
        left.clean(&[], &[]);
        assert!(servers.iter().all(|pid| !alive(*pid)));
        // All is clean after two runs, or one that acts on everything.
        assert!(!left.findings(&[]).contains("\"action\":\"kill"));
    });
}

#[test]
fn h57_a_session_with_a_server_that_is_kept_is_busy() {
    privately(|| {
        let left = Left::new();
        let start =
            [("server", "python3 server.py a bad"), ("server", "python3 server.py b bad job-log")];
        let servers = session(&left, &start, &["a", "b"]);
        assert_eq!(kinds(&left), ["busy_session"]);
        let findings = left.findings(&[]);
        assert_eq!(of_kind(&findings, "leaked_server"), [servers[0]]);
        assert!(reason(&findings, "leftover_process", servers[1]).contains("its output goes to"));
        left.clean(&[], &[]);
        assert_eq!(kinds(&left), ["busy_session"]);
        assert!(alive(servers[1]) && alive(left.pid("b-job")) && !alive(servers[0]));
    });
}
