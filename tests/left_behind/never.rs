//! What is never ended by default, whatever started it and whether that lives.

use std::fs;

use super::{Left, NONE, VERSIONS, brief, of_kind, reason};
use crate::world::{alive, privately, run, stat, wait_until};

/// What tools start and leave. `@` is a mark for its files.
const TOOLS: [(&str, &str); 6] = [
    ("amp", "sleep 3600 & echo $! >pids/amp@.new; mv pids/amp@.new pids/amp@"),
    (
        "nohup",
        "nohup sleep 3600 >/dev/null 2>&1 & echo $! >pids/nohup@.new; mv pids/nohup@.new pids/nohup@",
    ),
    (
        "setsid",
        "setsid bash -c 'echo $$ >pids/setsid@.new; mv pids/setsid@.new pids/setsid@; exec sleep 3600' \
         </dev/null >/dev/null 2>&1 &",
    ),
    ("dev", "python3 server.py dev@ bad tcp >dev@.log 2>&1 </dev/null & true"),
    ("disown", "sleep 3600 & echo $! >pids/disown@.new; mv pids/disown@.new pids/disown@; disown"),
    ("job", "exec python3 server.py job@ bad"),
];

/// Whether what `names` announced lives.
fn assert_alive(left: &Left, names: &[String], when: &str) {
    for name in names {
        assert!(alive(left.pid(name)), "{when}: {name}");
    }
}

#[test]
fn h59_what_tools_have_left_is_reported_with_its_session_and_never_ended() {
    privately(|| {
        for version in VERSIONS {
            let left = Left::new();
            let start = |mark: &str| {
                let tools = TOOLS.map(|(_, run)| ("tool", &*run.replace('@', mark).leak()));
                let double = left.double(version, &tools);
                let names: Vec<String> = TOOLS.map(|(name, _)| format!("{name}{mark}")).into();
                names.iter().for_each(|name| {
                    left.pid(name);
                });
                (double, names)
            };
            let (living, its) = start("-l");
            let (dead, left_by_it) = start("-d");
            left.orphaned(&["amp-l", "setsid-l", "dev-l"]);
            dead.kill();
            left.orphaned(&["amp-d", "setsid-d", "dev-d", "nohup-d", "disown-d"]);
            let all: Vec<String> = its.iter().chain(&left_by_it).cloned().collect();
            for options in [&[][..], &["--busy", "--unregistered", "--despite", "log"]] {
                let findings = left.findings(options);
                assert_eq!(of_kind(&findings, "leaked_server"), NONE, "{version}");
                let of_living = its.iter().map(|name| left.pid(name));
                let reported = of_kind(&findings, "leftover_process");
                assert!(
                    of_living.clone().all(|pid| !reported.contains(&pid)),
                    "{version}: {}",
                    brief(&findings)
                );
                // Which Claude started what, is known since 2.1.150; before, only that none lives.
                let is_known = version >= "2.1.150";
                for name in ["amp-d", "setsid-d", "dev-d"] {
                    assert_eq!(reported.contains(&left.pid(name)), is_known, "{version} {name}");
                }
                if is_known {
                    let why = reason(&findings, "leftover_process", left.pid("amp-d"));
                    let session = format!(
                        "sleep 3600: left by a Claude that has ended (session {}",
                        &dead.session[..8]
                    );
                    assert!(why.starts_with(&session), "{why}");
                }
                left.world.prune(&findings, &["--yes", "--tree", "--grace", "1s"]);
                assert_alive(&left, &all, version);
            }
            assert!(alive(living.pid));
            living.kill();
            left.orphaned(&["amp-l"]);
            let reported = of_kind(&left.findings(&[]), "leftover_process");
            assert!(reported.contains(&left.pid("amp-l")), "{version}: its Claude is dead now");
        }
    });
}

/// In 2.1.150 a hook has what a server has in 2.1.197, and in 2.0.30 what a server has in 2.1.150.
#[test]
fn h59_the_worker_of_a_hook_is_never_taken_for_a_server() {
    privately(|| {
        for version in VERSIONS {
            let left = Left::new();
            let hooks = [
                ("hook", "sh -c 'sleep 3600 & echo $! >pids/amp.new; mv pids/amp.new pids/amp'"),
                // It has the hook's streams: their other ends are gone with Claude.
                ("hook", "python3 server.py worker bad"),
                ("start_hook", "python3 server.py starter bad"),
            ];
            let double = left.double(version, &hooks);
            for name in ["amp", "worker", "starter"] {
                left.pid(name);
            }
            double.kill();
            left.orphaned(&["amp", "worker", "starter"]);
            let ran = left.clean(&["--outside-tmux"], &["--tree"]);
            for name in ["amp", "worker", "starter"] {
                assert!(alive(left.pid(name)), "{version}: {name}: {ran:?}");
            }
        }
    });
}

/// What keeps a server that nobody can talk to over its input and output any more.
const KEPT: [(&str, &str, &str); 12] = [
    ("tcp", "", "listens on a socket"),
    ("unix", "", "listens on a socket"),
    ("accepted", "", "has the other end of its socket"),
    ("udp", "", "listens on a socket"),
    ("datagram", "", "listens on a socket"),
    ("client", "", "has a client on one"),
    ("job-piped", "job", "below it is held: its output goes to /"),
    ("job-log", "job", "below it is held: its output goes to /"),
    ("job-clean", "job", "below it is held: its output goes to /"),
    ("job-tcp", "job", "listens on a socket"),
    ("job-claude", "job", "Claude runs below it"),
    ("job-tmux", "job", "a tmux server runs below it"),
];

#[test]
fn h59_a_server_that_is_used_in_another_way_or_has_started_something_is_kept() {
    privately(|| {
        let left = Left::new();
        let servers = KEPT.map(|(option, ..)| {
            ("server", &*format!("sh -c 'python3 server.py {option} bad {option}; :'").leak())
        });
        let double = left.double("2.1.197", &servers);
        let loose = left.double(
            "2.1.197",
            &[("server", "sh -c 'python3 server.py loose bad job connected; :'")],
        );
        let mut kept = Vec::new();
        for (option, job, _) in KEPT {
            kept.push(left.pid(option));
            kept.push(stat(left.pid(option)).unwrap().ppid);
            if !job.is_empty() {
                kept.push(left.pid(&format!("{option}-job")));
            }
        }
        let servers = [left.pid("loose"), stat(left.pid("loose")).unwrap().ppid];
        double.kill();
        loose.kill();
        left.orphaned(&[]);
        wait_until(
            || "orphans",
            || kept.iter().chain(&servers).all(|pid| stat(*pid).unwrap().ppid != double.pid),
        );
        let findings = left.findings(&["--busy"]);
        for (option, _, says) in KEPT {
            let top = stat(left.pid(option)).unwrap().ppid;
            let why = reason(&findings, "leftover_process", top);
            assert!(why.contains(says), "{option}: {why}");
        }
        let ran = left.world.prune(&findings, &["--yes", "--grace", "1s"]);
        for pid in kept {
            assert!(alive(pid), "{pid}: {ran:?}");
        }
        // With a job that nothing holds, it is ended; the job is not, but for --tree.
        assert!(servers.iter().all(|pid| !alive(*pid)), "{ran:?}");
        assert!(alive(left.pid("loose-job")) && ran.err.contains("left running"), "{ran:?}");
    });
}

/// The other ends decide, not the parent.
#[test]
fn h59_a_server_without_a_parent_is_used_while_its_claude_lives() {
    privately(|| {
        for version in VERSIONS {
            let left = Left::new();
            let run = "setsid --fork python3 server.py a bad";
            let others = [
                "python3 server.py b bad",
                "sh -c 'exec 3<&0; python3 server.py c bad <&3 3<&- & :'",
            ];
            let double = left
                .double(version, &[("server", run), ("server", others[0]), ("server", others[1])]);
            left.orphaned(&["a", "c"]);
            left.pid("b");
            let ran = left.clean(&["--busy"], &["--tree"]);
            let are_alive = |names: &[&str]| names.iter().all(|name| alive(left.pid(name)));
            assert!(are_alive(&["a", "b", "c"]) && alive(double.pid), "{ran:?}");
            double.kill();
            left.orphaned(&["a", "b", "c"]);
            let ran = left.clean(&[], &[]);
            assert!(!alive(left.pid("b")) && !alive(left.pid("c")), "{version}: {ran:?}");
            // It has a session of its own, which Claude does not give its servers.
            assert!(alive(left.pid("a")), "{version}: {ran:?}");
        }
    });
}

/// A tmux server hands the environment of who started it on to every pane.
#[test]
fn h59_a_persons_pane_in_a_tmux_server_that_claude_started_stays() {
    privately(|| {
        for (what, version) in [("server", "2.1.197"), ("server", "2.0.30"), ("tool", "2.1.197")] {
            let left = Left::new();
            let code = "tmux -f /dev/null -S inner new-session -d -s mine bash --norc; \
                        tmux -S inner display-message -p \"#{pid}\" >pids/tmux.new; mv pids/tmux.new pids/tmux";
            let run = match what {
                "tool" => code.to_owned(),
                _ => format!("sh -c '{code}; sleep 3600'"),
            };
            let double = left.double(version, &[(what, &*run.leak())]);
            let server = left.pid("tmux");
            double.kill();
            let command = |text: &str| {
                let mut tmux = left.world.command("tmux");
                tmux.args(["-S", "inner"]).args(text.split(' '));
                super::run(&mut tmux, "").ok().out
            };
            let pane: i32 = command("display-message -p #{pane_pid}").trim().parse().unwrap();
            // A person works in it: in the foreground, in the background, with a pair of sockets.
            fs::write(
                left.world.path().join("pair.py"),
                "import socket, subprocess, time\nends = [socket.socketpair() for _ in range(2)]\n\
                 p = subprocess.Popen(['sleep', '3600'], stdin=ends[0][1], stdout=ends[1][1])\n\
                 open('pids/pair', 'w').write(str(p.pid))\ntime.sleep(3600)\n",
            )
            .unwrap();
            for line in ["sleep 3601 &", "python3 pair.py"] {
                let mut tmux = left.world.command("tmux");
                tmux.args(["-S", "inner", "send-keys", line, "Enter"]);
                super::run(&mut tmux, "").ok();
            }
            let pair = left.pid("pair");
            let findings = left.findings(&[]);
            let leaked = of_kind(&findings, "leaked_server");
            let reported = of_kind(&findings, "leftover_process");
            for pid in [pane, pair] {
                assert!(
                    !leaked.contains(&pid) && !reported.contains(&pid),
                    "{pid}: {}",
                    brief(&findings)
                );
            }
            let ran = left.clean(&[], &[]);
            assert!(alive(server) && alive(pane) && alive(pair), "{what} {version}: {ran:?}");
        }
    });
}

#[test]
fn h59_an_ssh_agent_and_a_nested_claude_stay() {
    privately(|| {
        let left = Left::new();
        let tools = [
            (
                "tool",
                "eval $(ssh-agent -s); echo $SSH_AGENT_PID >pids/agent.new; mv pids/agent.new pids/agent",
            ),
            (
                "tool",
                "$CLAUDE --print x >nested.log 2>&1 & echo $! >pids/nested.new; mv pids/nested.new pids/nested",
            ),
        ];
        let double = left.double("2.1.197", &tools);
        let (agent, nested) = (left.pid("agent"), left.pid("nested"));
        double.kill();
        left.orphaned(&["agent", "nested"]);
        let findings = left.findings(&[]);
        let why = reason(&findings, "leftover_process", agent);
        assert!(why.starts_with("ssh-agent -s: left by a Claude"), "{why}");
        assert!(
            reason(&findings, "untracked_process", nested).contains("nested.log"),
            "{}",
            brief(&findings)
        );
        let ran = left.clean(&[], &["--tree"]);
        assert!(alive(agent) && alive(nested), "{ran:?}");
    });
}

/// By ps, what Claude has left cannot be told from anything else.
#[test]
fn h59_by_ps_nothing_is_a_server() {
    privately(|| {
        let left = Left::new();
        let double = left.double("2.1.197", &[("server", "python3 server.py a bad")]);
        left.pid("a");
        double.kill();
        left.orphaned(&["a"]);
        let mut lsclaude = left.world.tool("lsclaude");
        lsclaude.args(["--role", "server,child", "--proc-source", "ps"]);
        assert_eq!(run(&mut lsclaude, "").ok().records().len(), 1);
    });
}

/// As an agent that looks after its machine would.
#[test]
fn h59_a_server_below_which_the_programs_run_is_never_ended() {
    privately(|| {
        let left = Left::new();
        fs::write(
            left.world.path().join("prune.sh"),
            "while [ ! -e go ]; do sleep 0.05; done\n\
             { lsagents; lssessions; lsclaude; } 2>/dev/null | agentdiff --min-age 0 2>/dev/null |\n\
             agentprune --yes -q 2>/dev/null\ntouch done\n",
        )
        .unwrap();
        let servers = [
            ("server", "python3 server.py a bad job-prune"),
            ("server", "python3 server.py b bad"),
        ];
        let double = left.double("2.1.197", &servers);
        let (ours, other) = (left.pid("a"), left.pid("b"));
        double.kill();
        left.orphaned(&["a", "b"]);
        fs::write(left.world.path().join("go"), "").unwrap();
        wait_until(|| "the pipeline", || left.world.path().join("done").exists());
        assert!(alive(ours) && !alive(other));
    });
}

/// A job in a session of its own, with the streams of the server that has ended with Claude: it was
/// set free to go on.
#[test]
fn h59_a_job_that_a_server_has_set_free_stays() {
    privately(|| {
        for version in VERSIONS {
            let left = Left::new();
            let double = left.double(version, &[("server", "python3 server.py a good job-free")]);
            let job = left.pid("a-job");
            double.kill();
            left.orphaned(&["a-job"]);
            let ran = left.clean(&["--outside-tmux"], &["--tree"]);
            assert!(alive(job), "{version}: {ran:?}");
        }
    });
}

#[test]
fn h59_a_server_that_somebody_watches_is_kept_while_he_does() {
    privately(|| {
        let left = Left::new();
        let double = left.double("2.1.197", &[("server", "python3 server.py a bad")]);
        let server = left.pid("a");
        let mut watcher = left.world.command("python3");
        watcher.arg("-c").arg(format!(
            "import os, select; fd = os.pidfd_open({server}); open('pids/watcher', 'w').write('%d' % os.getpid()); \
             select.select([fd], [], [])"
        ));
        left.world.spawn(watcher);
        let watcher = left.pid("watcher");
        double.kill();
        left.orphaned(&["a"]);
        let findings = left.findings(&[]);
        let why = reason(&findings, "leftover_process", server);
        assert!(why.contains("waits for its end"), "{why}");
        left.clean(&[], &[]);
        assert!(alive(server));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(watcher), nix::sys::signal::SIGKILL)
            .unwrap();
        wait_until(|| "the end of the watcher", || !alive(watcher));
        let ran = left.clean(&[], &[]);
        assert!(!alive(server), "{ran:?}");
    });
}

/// What a person starts in a pane of a tmux server that Claude started has Claude's variables, and
/// may have streams without other ends: a worker that was set to work by a program that has ended.
/// A Claude in such a pane has servers of its own.
#[test]
fn h59_a_worker_from_a_persons_pane_has_its_variables_from_tmux() {
    privately(|| {
        for version in ["2.0.30", "2.1.197"] {
            let left = Left::new();
            fs::write(
                left.world.path().join("start.py"),
                "import os, socket, subprocess\nends = [socket.socketpair() for _ in range(2)]\n\
                 p = subprocess.Popen(['sleep', '3600'], stdin=ends[0][1], stdout=ends[1][1])\n\
                 open('pids/worker', 'w').write(str(p.pid))\n",
            )
            .unwrap();
            let run = "sh -c 'tmux -f /dev/null -S inner new-session -d -s mine sh; \
                       tmux -S inner display-message -p \"#{pid}\" >pids/tmux; sleep 3600'";
            let double = left.double(version, &[("server", run)]);
            let server = left.pid("tmux");
            double.kill();
            let mut tmux = left.world.command("tmux");
            tmux.args(["-S", "inner", "send-keys", "python3 start.py", "Enter"]);
            run_ok(&mut tmux);
            left.orphaned(&["worker"]);
            let (worker, ran) = (left.pid("worker"), left.clean(&[], &["--tree"]));
            assert!(alive(server) && alive(worker), "{version}: {ran:?}");
        }
    });
}

fn run_ok(command: &mut std::process::Command) {
    run(command, "").ok();
}
