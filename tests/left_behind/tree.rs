//! `--tree`: the servers of a leaked Claude end with it, by the rule for servers.

use super::{Left, NONE, brief, of_kind};
use crate::world::{alive, privately, stat, wait_until};

#[test]
fn h56_tree_ends_the_servers_of_a_leaked_claude_by_their_rule() {
    privately(|| {
        let left = Left::new();
        let start = [
            ("server", "python3 server.py a bad"),
            // By the rule for leaks, its log would hold it.
            ("server", "sh -c 'python3 server.py b worse log; :'"),
            ("server", "python3 server.py c bad tcp"),
            ("server", "python3 server.py d bad job-log"),
        ];
        let (command, _, ready) = left.command("2.1.197", &start);
        let mut setsid = left.world.command("setsid");
        setsid.arg("--fork").arg(command.get_program()).args(command.get_args());
        setsid.stdin(std::process::Stdio::null());
        setsid.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        assert!(setsid.status().unwrap().success());
        let claude = left.pid_in(&ready);
        wait_until(|| "an orphan", || stat(claude).is_some_and(|stat| stat.ppid == 1));
        let pids = ["a", "b", "c", "d"].map(|name| left.pid(name));
        let shell = stat(pids[1]).unwrap().ppid;
        let findings = left.findings(&[]);
        assert_eq!(of_kind(&findings, "leaked_process"), [claude], "{}", brief(&findings));
        assert_eq!(of_kind(&findings, "leaked_server"), NONE, "while it lives");
        let ran = left.world.prune(&findings, &["--yes", "--tree", "--grace", "1s"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let living = [claude, pids[0], shell, pids[1], pids[2], pids[3]].map(alive);
        assert_eq!(living, [false, false, false, false, true, true], "{ran:?}");
        assert!(ran.err.contains("listens on a socket"), "{ran:?}");
        assert!(ran.err.contains("its output goes to"), "{ran:?}");
    });
}
