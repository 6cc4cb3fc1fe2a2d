//! Servers elsewhere, and servers in servers.

use std::fs;

use serde_json::Value;

use crate::world::{
    Entry, Registry, World, alive, living, of_kind, privately, records, run, wait_until,
};

/// What agentdiff says to a scan at all servers.
fn findings_of_all(world: &World) -> String {
    let listers = [world.lsagents(), world.tool("lssessions"), world.lsclaude()];
    let scan = listers.map(|mut lister| run(&mut lister, "").ok().out).concat();
    world.diff(&scan, &[]).expect(&[0, 1]).out
}

fn session<'l>(listed: &'l [Value], name: &str) -> &'l Value {
    let mut named = listed.iter().filter(|session| session["name"] == name);
    let session = named.next().unwrap_or_else(|| panic!("{name} in {listed:?}"));
    assert_eq!(named.next(), None);
    session
}

#[test]
fn h08_servers_on_other_sockets_are_listed_and_theirs_is_neither_leak_nor_ghost() {
    privately(|| {
        let world = World::new();
        let elsewhere = world.path().join("else where");
        fs::create_dir(&elsewhere).unwrap();
        let socket = elsewhere.join("sock");
        let socket = socket.to_str().unwrap();
        let tmpdir = elsewhere.to_str().unwrap();
        let own = world.path().join("tmux");
        let own = own.to_str().unwrap();
        // Agent, TMUX_TMPDIR, the server's options.
        let servers: [(&str, &str, &[&str]); 6] = [
            ("default-1-1", own, &[]),
            ("label-1-2", own, &["-L", "other"]),
            ("socket-1-3", own, &["-S", socket]),
            ("relative-1-4", own, &["-S", "else where/relative"]),
            ("tmpdir-1-5", tmpdir, &[]),
            ("both-1-6", tmpdir, &["-L", "other"]),
        ];
        let mut started = Vec::new();
        for (id, tmpdir, options) in servers {
            let ready = world.ready();
            let mut tmux = world.command("tmux");
            tmux.env("TMUX_TMPDIR", tmpdir).args(["-f", "/dev/null"]).args(options);
            tmux.args(["new-session", "-d", "-s", &format!("agent_{id}")]);
            tmux.arg("-e").arg(format!("STANDIN_READY={}", ready.directory().display()));
            run(tmux.arg(world.agent_command(id)), "").ok();
            started.push(ready.wait().pid);
        }
        world.write_global(&Registry::new(servers.map(|(id, ..)| Entry::new(id))));
        for tmpdir in [Some(own), Some(tmpdir), None] {
            let mut lister = world.tool("lssessions");
            match tmpdir {
                Some(tmpdir) => lister.env("TMUX_TMPDIR", tmpdir),
                None => lister.env_remove("TMUX_TMPDIR"),
            };
            let listed = run(&mut lister, "").ok().records();
            assert_eq!(listed.len(), 7, "{tmpdir:?}: {listed:?}");
            for (id, ..) in servers {
                session(&listed, &format!("agent_{id}"));
            }
            assert_eq!(listed[6]["sockets"].as_array().unwrap().len(), 6);
        }
        let findings = findings_of_all(&world);
        assert_eq!(records(&findings).len(), 1, "{findings}");
        world.prune(&findings, &["--yes"]).ok();
        assert!(started.iter().all(|&pid| alive(pid)));

        // What only some servers show is no ground for a leak: a process that was started
        // from a pane of another one is held by that.
        let mut named = world.tool("lssessions");
        named.env("TMUX_TMPDIR", own).args(["-L", "other", "-S", socket]);
        let listers = [run(&mut named, "").ok(), run(&mut world.lsclaude(), "").ok()];
        let judged = world.diff(&listers.map(|ran| ran.out).concat(), &[]).ok();
        assert_eq!(of_kind(&judged.out, "leaked_process"), [] as [Value; 0]);
        assert_eq!(of_kind(&judged.out, "untracked_process").len(), 4, "{}", judged.out);
    });
}

#[test]
fn h09_nested_servers_live_and_the_outer_session_is_busy() {
    privately(|| {
        let world = World::new();
        // The inner server ends with its only session; the outer pane shows its client.
        let ready = world.ready();
        let inner = format!(
            "env -u TMUX tmux -f /dev/null -L inner new-session -s agent_inner-1-1 \
             -e STANDIN_READY='{}' {}; sleep 3600",
            ready.directory().display(),
            world.name()
        );
        world.session("agent_outer-1-2", &inner);
        let claude = ready.wait();
        // Of the same server, seen from a session that is no agent's.
        world.live_session("work", world.name(), &[]);
        // Programs that look like little and may be all: a Claude on another machine, say.
        for name in ["ssh", "docker"] {
            fs::hard_link(world.executable(), world.path().join("bin").join(name)).unwrap();
            world.live_session(&format!("agent_{name}-1-3"), &format!("{name} host x"), &[]);
        }
        let python = "import sys; print(sys.executable)";
        let python = run(std::process::Command::new("python3").args(["-c", python]), "").ok().out;
        let sleep = format!("'{}' -c 'import time; time.sleep(3600)'", python.trim());
        world.session("agent_python-1-3", &sleep);
        let busy = ["outer-1-2", "ssh-1-3", "docker-1-3", "python-1-3"];
        let entries = busy.iter().chain(&["inner-1-1"]).map(|id| Entry::new(id));
        world.write_global(&Registry::new(entries));

        let mut findings = String::new();
        let reason_of = |findings: &str, id: &str| {
            let target = format!("session agent_{id}");
            let busy = of_kind(findings, "busy_session");
            let finding = busy.iter().find(|finding| finding["target"] == target.as_str());
            finding.map(|finding| finding["reason"].as_str().unwrap().to_owned())
        };
        // Python is python only after its start.
        wait_until(
            || "four busy sessions",
            || {
                findings = findings_of_all(&world);
                let names = ["tmux", "ssh", "docker", "python"];
                busy.iter().zip(names).all(|(id, name)| {
                    reason_of(&findings, id).is_some_and(|reason| reason.contains(name))
                })
            },
        );
        assert_eq!(records(&findings).len(), 5, "{findings}");
        let listed = run(&mut world.tool("lssessions"), "").ok().records();
        let servers = |name: &str| session(&listed, name)["server_pid"].as_i64().unwrap();
        assert_ne!(servers("agent_inner-1-1"), servers("agent_outer-1-2"));
        assert_eq!(servers("work"), servers("agent_outer-1-2"));
        let outer = session(&listed, "agent_outer-1-2");
        assert!(outer["panes"][0]["running"].to_string().contains("tmux: client"), "{outer}");
        assert_eq!(session(&listed, "agent_inner-1-1")["attached"], 1);

        let before = living(claude.pid).unwrap();
        world.prune(&findings, &["--yes"]).ok();
        let after = run(&mut world.tool("lssessions"), "").ok().records();
        assert_eq!(after.len(), listed.len());
        for (before, after) in listed.iter().zip(&after).take(6) {
            assert_eq!((&before["id"], &before["panes"]), (&after["id"], &after["panes"]));
        }
        assert_eq!(living(claude.pid), Some(before));
    });
}
