//! The same with the CLI itself, in the versions whose environments differ and in the newest one,
//! as npm has them. It talks to a stand-in of its service in Python (`api.py`), which asks for tools;
//! there is no network but loopback. What npm has brought stays beside the built programs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::servers::package;
use super::{Left, brief, of_kind, reason};
use crate::world::{alive, built, privately_offline, records, run, stat, wait_until};

const PACKAGE: &str = "@anthropic-ai/claude-code";

/// Where a version is or will be.
fn directory(version: &str) -> PathBuf {
    built().join("claude-cli").join(version)
}

/// Brings a version, once.
fn install(version: &str) -> Result<(), String> {
    let has = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|directory| directory.join(program).exists())
    };
    for program in ["npm", "node", "python3"] {
        if !has(program) {
            return Err(format!("{program} is not installed"));
        }
    }
    let directory = directory(version);
    if directory.exists() {
        return Ok(());
    }
    let new = directory.with_extension("new");
    let _ = fs::remove_dir_all(&new);
    fs::create_dir_all(&new).map_err(|error| error.to_string())?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&new);
    let ran = run(npm.arg(format!("{PACKAGE}@{version}")), "");
    if ran.code != 0 {
        return Err(format!("npm has not brought {PACKAGE}@{version}: {}", ran.err.trim()));
    }
    fs::rename(&new, &directory).map_err(|error| error.to_string())
}

/// The executable of a version: native, or a script of node.
fn executable(version: &str) -> PathBuf {
    let modules = directory(version).join("node_modules");
    let scope = fs::read_dir(modules.join("@anthropic-ai")).unwrap().flatten();
    let native = scope.map(|entry| entry.path().join("claude")).find(|path| path.exists());
    native.unwrap_or_else(|| modules.join(".bin/claude"))
}

/// The servers of a run `@`.
const SERVERS: [(&str, &str); 7] = [
    ("good", "python3 server.py good@ good"),
    ("direct", "python3 server.py direct@ bad"),
    ("stubborn", "python3 server.py stubborn@ worse"),
    ("shell", "sh -c 'python3 server.py shell@ bad; :'"),
    ("node", "node server.js node@ bad"),
    ("npx", "npx --no-install mcp-files npx@ bad"),
    ("train", "python3 server.py train@ bad job-log"),
];

/// What tools leave in a run `@`, without apostrophes, with which 2.0.30 spoils `$!`. The last keeps the CLI waiting: 2.0.30 does so until nobody has the
/// output of a command any more.
const TOOLS: [(&str, &str); 4] = [
    ("bg", "&echo $$ >pids/bg@.new; mv pids/bg@.new pids/bg@; python3 wait.py"),
    (
        "nohup",
        "nohup tail -f /dev/null >/dev/null 2>&1 & echo $! >pids/nohup@.new; mv pids/nohup@.new pids/nohup@",
    ),
    ("dev", "python3 server.py dev@ bad tcp >dev@.log 2>&1 </dev/null & true"),
    (
        "amp",
        "tail -f /dev/null & echo $! >pids/amp@.new; mv pids/amp@.new pids/amp@; \
         python3 wait.py",
    ),
];

/// Of these, what a run has that ends by itself.
const OF_ENDED: &[(&str, &str)] = &[TOOLS[1], TOOLS[2]];

/// The CLI takes its time, of which a busy machine has little.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits longer than [`wait_until`].
fn patiently(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A CLI at work, or one that has ended by itself.
struct Run {
    pid: i32,
    /// The processes of its servers, but for the good one and the one that trains.
    servers: Vec<i32>,
    /// Everything else that it has started.
    others: Vec<i32>,
}

impl Left {
    /// Starts the stand-in of the service.
    fn api(&self) -> u16 {
        let steps = |mark: &str, tools: &[(&str, &str)]| -> Vec<String> {
            tools.iter().map(|(_, command)| command.replace('@', mark)).collect()
        };
        let runs = json!({
            "living": steps("-l", &TOOLS), "killed": steps("-k", &TOOLS), "ended": steps("-e", OF_ENDED),
        });
        let mut api = self.world.command("python3");
        api.arg("api.py").arg("port").arg(runs.to_string());
        self.world.spawn(api);
        self.pid_in("port") as u16
    }

    fn run(&self, version: &str, port: u16, word: &str, mark: &str) -> Run {
        let servers: serde_json::Map<_, _> = SERVERS
            .iter()
            .map(|(name, command)| {
                let words = super::words(&command.replace('@', mark));
                ((*name).to_owned(), json!({"command": words[0], "args": words[1..]}))
            })
            .collect();
        let config = format!("mcp{mark}.json");
        fs::write(self.world.path().join(&config), json!({"mcpServers": servers}).to_string())
            .unwrap();
        let mut cli = self.world.command("setsid");
        cli.arg(executable(version)).args(["-p", "--dangerously-skip-permissions", "--mcp-config"]);
        cli.arg(config).args(["--", &format!("RUN={word}")]);
        cli.env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{port}"));
        cli.env("ANTHROPIC_API_KEY", "none-0000000000000000000000");
        for variable in [
            "IS_SANDBOX",
            "DISABLE_AUTOUPDATER",
            "DISABLE_TELEMETRY",
            "DISABLE_ERROR_REPORTING",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        ] {
            cli.env(variable, "1");
        }
        let pid = self.world.spawn(cli);
        let mut run = Run { pid, servers: Vec::new(), others: Vec::new() };
        for (name, _) in SERVERS {
            let mut at = self.announced(name, mark);
            while at != pid {
                match name {
                    "good" => {}
                    "train" => run.others.push(at),
                    _ => run.servers.push(at),
                }
                at = stat(at).unwrap_or_else(|| panic!("{version}: {name} lost its parents")).ppid;
            }
        }
        run.others.push(self.announced("train", &format!("{mark}-job")));
        run.servers.sort_unstable();
        run.servers.dedup();
        let is_over = word == "ended";
        for (name, _) in if is_over { OF_ENDED } else { &TOOLS[..] } {
            run.others.push(self.announced(name, mark));
        }
        if is_over {
            patiently("the CLI to end by itself", || !alive(pid));
        }
        run
    }

    /// The pid under this name, when it has been announced.
    fn announced(&self, name: &str, mark: &str) -> i32 {
        let file = self.world.path().join(format!("pids/{name}{mark}"));
        patiently(&format!("{name}{mark}"), || file.exists());
        self.pid(&format!("{name}{mark}"))
    }

    /// Judges, acts, and checks that the servers of a dead CLI are gone, and nothing else.
    fn assert_cleaned(&self, version: &str, dead: &Run, mark: &str, living: &Run) {
        let good = self.pid(&format!("good{mark}"));
        wait_until(|| "the end of the good server", || !alive(good));
        let alive_of =
            |pids: &[i32]| -> Vec<i32> { pids.iter().copied().filter(|pid| alive(*pid)).collect() };
        // At its normal end, the CLI has ended those that it has started itself.
        let servers = alive_of(&dead.servers);
        assert!(!servers.is_empty(), "{version}{mark}");
        let others = [&dead.others, &living.servers, &living.others].map(|pids| alive_of(pids));
        // Its threads may still be ending, and have its sockets.
        let mut findings = String::new();
        let mut found = Vec::new();
        let mut is_found = || {
            findings = self.findings(&[]);
            found = of_kind(&findings, "leaked_server");
            found.sort_unstable();
            found == servers
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        while !is_found() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(found, servers, "{version}{mark}: {}", brief(&findings));
        let train = self.pid(&format!("train{mark}"));
        if alive(train) {
            assert!(reason(&findings, "leftover_process", train).contains("train.log"));
        }
        let memory: u64 = records(&findings)
            .iter()
            .filter(|finding| finding["kind"] == "leaked_server")
            .map(|finding| finding["process"]["rss_bytes"].as_u64().unwrap())
            .sum();
        let ran = self.world.prune(&findings, &["--yes", "--grace", "1s"]);
        assert_eq!(ran.code, 0, "{version}{mark}: {ran:?}");
        assert_eq!(alive_of(&servers), super::NONE, "{version}{mark}: {ran:?}");
        let after = [&dead.others, &living.servers, &living.others].map(|pids| alive_of(pids));
        assert_eq!(after, others, "{version}{mark}: {ran:?}");
        assert!(alive(living.pid) && after[1] == living.servers, "{version}{mark}: {ran:?}");
        println!("{version}{mark}: {} processes ended, {} MiB", servers.len(), memory >> 20);
    }
}

fn after_a_kill_and_a_normal_end(version: &str) {
    let left = Left::new();
    package(&left);
    let write = |name: &str, text: &str| fs::write(left.world.path().join(name), text).unwrap();
    write("api.py", include_str!("api.py"));
    write("server.js", include_str!("server.js"));
    write("wait.py", "import time\ntime.sleep(3600)\n");
    let port = left.api();
    let living = left.run(version, port, "living", "-l");
    let killed = left.run(version, port, "killed", "-k");
    let before = left.findings(&[]);
    assert_eq!(of_kind(&before, "leaked_server"), super::NONE, "{version}: {before}");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(killed.pid), nix::sys::signal::SIGKILL)
        .unwrap();
    wait_until(|| "its end", || !alive(killed.pid));
    left.assert_cleaned(version, &killed, "-k", &living);
    let ended = left.run(version, port, "ended", "-e");
    left.assert_cleaned(version, &ended, "-e", &living);
    // What the killed one has left else is attributed, where its version says to what.
    let findings = left.findings(&[]);
    let reported = of_kind(&findings, "leftover_process");
    // Those without a session may be the living one's.
    let has_session = findings.contains("(session ");
    assert_eq!(
        reported.contains(&left.pid("nohup-k")),
        has_session,
        "{version}: {}",
        brief(&findings)
    );
    assert!(!reported.contains(&left.pid("nohup-l")), "{version}: {}", brief(&findings));
}

#[test]
fn h56_h58_the_newest_cli_leaves_servers_that_are_ended_and_nothing_else_is() {
    privately_offline(|| install("latest"), || after_a_kill_and_a_normal_end("latest"));
}

#[test]
fn h56_h58_cli_2_1_150_leaves_servers_that_are_ended_and_nothing_else_is() {
    privately_offline(|| install("2.1.150"), || after_a_kill_and_a_normal_end("2.1.150"));
}

#[test]
fn h56_h58_cli_2_1_100_leaves_servers_that_are_ended_and_nothing_else_is() {
    privately_offline(|| install("2.1.100"), || after_a_kill_and_a_normal_end("2.1.100"));
}

#[test]
fn h56_h58_cli_2_0_30_leaves_servers_that_are_ended_and_nothing_else_is() {
    privately_offline(|| install("2.0.30"), || after_a_kill_and_a_normal_end("2.0.30"));
}
