//! tmux under other names, on sockets of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::world::{Entry, Registry, World, alive, privately, records, run, wait_until};

/// A source of the process table that this build has.
const USUAL: &str = if cfg!(feature = "proc") { "proc" } else { "ps" };

/// Names of a tmux, and how the kernel shows its server: tmux cuts the title at the last space
/// in the 15 bytes that there are.
const PROGRAMS: [(&str, &str); 5] = [
    ("tmux", "tmux: server"),
    ("mux", "mux: server"),
    ("tmux-3.4", "tmux-3.4:"),
    ("terminal-mux", "terminal-mux:"),
    // Neither title nor executable show it: only what its panes say.
    ("multiplexer-of-mine", "multiplexer-of-"),
];

#[test]
fn h43_a_tmux_of_any_name_on_any_socket_is_found() {
    privately(|| {
        let world = World::new();
        let elsewhere = world.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let tmux = run(world.command("sh").args(["-c", "command -v tmux"]), "").ok().out;
        let mut claudes = Vec::new();
        for (name, title) in PROGRAMS {
            let program = elsewhere.join(name);
            fs::copy(tmux.trim(), &program).unwrap();
            let ready = world.ready();
            let socket = elsewhere.join(format!("socket-of-{name}"));
            let start = |arguments: &[&str]| {
                let mut start = world.command(&program);
                start.args(["-f", "/dev/null", "-S"]).arg(&socket).args(arguments);
                run(&mut start, "").ok().out
            };
            let ready_in = format!("STANDIN_READY={}", ready.directory().display());
            let (session, command) = (format!("agent_{name}"), world.agent_command(name));
            start(&["new-session", "-d", "-s", &session, "-e", &ready_in, &command]);
            claudes.push(ready.wait().pid);
            let server = start(&["display-message", "-p", "#{pid}"]);
            let comm = fs::read_to_string(format!("/proc/{}/comm", server.trim())).unwrap();
            assert_eq!(comm.trim_end(), title, "{name}");
        }
        world.write_global(&Registry::new(PROGRAMS.map(|(name, _)| Entry::new(name))));
        let mut findings = String::new();
        wait_until(
            || "the scan",
            || {
                let listers = [world.lsagents(), world.tool("lssessions"), world.lsclaude()];
                let scan = listers.map(|mut lister| run(&mut lister, "").ok().out).concat();
                findings = world.diff(&scan, &["--outside-tmux"]).expect(&[0, 1]).out;
                let is_session = |record: &&serde_json::Value| record["type"] == "session";
                records(&scan).iter().filter(is_session).count() == PROGRAMS.len()
            },
        );
        let [end] = &records(&findings)[..] else { panic!("{findings}") };
        assert_eq!(end["complete"], true);
        // One that cannot be asked is trouble, whatever its name.
        for (name, _) in PROGRAMS {
            let socket = elsewhere.join(format!("socket-of-{name}"));
            let moved = elsewhere.join("moved");
            fs::rename(&socket, &moved).unwrap();
            let ran = run(&mut world.tool("lssessions"), "").expect(&[2]);
            assert!(ran.err.contains("its socket"), "{name}: {}", ran.err);
            fs::rename(&moved, &socket).unwrap();
        }
        assert!(claudes.iter().all(|&pid| alive(pid)));
    });
}

#[test]
fn h43_a_server_whose_panes_do_not_name_it_is_found_by_title_or_executable() {
    privately(|| {
        let world = World::new();
        let elsewhere = world.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let tmux = run(world.command("sh").args(["-c", "command -v tmux"]), "").ok().out;
        // By the title, by the title that is cut, and by the executable alone.
        for (count, name) in ["mux", "terminal-mux", "tmux-of-a-long-name"].iter().enumerate() {
            let program = elsewhere.join(name);
            fs::copy(tmux.trim(), &program).unwrap();
            let mut start = world.command(&program);
            start.args(["-f", "/dev/null", "-S"]).arg(elsewhere.join(format!("socket-of-{name}")));
            run(start.args(["new-session", "-d", "exec env -u TMUX sleep 3600"]), "").ok();
            wait_until(
                || *name,
                || run(&mut world.tool("lssessions"), "").ok().records().len() == count + 2,
            );
        }
    });
}

#[test]
fn what_only_listens_or_is_only_called_so_is_no_server() {
    privately(|| {
        let world = World::new();
        // A service that listens, one with such a title that does not, and a client.
        let listener = "import socket, time; s = socket.socket(socket.AF_UNIX); \
                        s.bind('listening'); s.listen(); time.sleep(3600)";
        let mut python = world.command("python3");
        python.args(["-c", listener]);
        world.spawn(python);
        let mut titled = world.command("sh");
        titled.args(["-c", "printf 'web: server' >/proc/self/comm; read -r _ <>fifo"]);
        run(world.command("mkfifo").arg("fifo"), "").ok();
        let titled = world.spawn(titled);
        wait_until(|| "the socket", || world.path().join("listening").exists());
        let comm = || fs::read_to_string(format!("/proc/{titled}/comm")).unwrap();
        wait_until(|| "the title", || comm() == "web: server\n");
        world.session("work", "sleep 3600");
        let _client =
            world.screen(80, 24, &format!("tmux -S '{}' attach", world.socket().display()));
        wait_until(|| "the client", || world.tmux(&["list-clients"]).ok().out.contains("work"));
        let listed = run(&mut world.tool("lssessions"), "").ok();
        // Its own, and that of the screen.
        assert_eq!(listed.records().len(), 3, "{}", listed.out);
        assert_eq!(listed.err, "");
    });
}

#[test]
fn a_program_in_the_current_directory_is_never_run_as_tmux_or_ps() {
    privately(|| {
        let world = World::new();
        world.session("work", "sleep 3600");
        let here = world.path().join("here");
        for directory in [&here, &here.join("bin")] {
            fs::create_dir(directory).unwrap();
            for name in ["tmux", "ps"] {
                let text = format!("#!/bin/sh\n: >'{}/was-run'\nexit 1\n", here.display());
                fs::write(directory.join(name), text).unwrap();
                fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o755))
                    .unwrap();
            }
        }
        for path in ["", ":/usr/bin", ".:/usr/bin", "bin:/usr/bin", "/usr/local/none:./bin:"] {
            for source in [USUAL, "ps"] {
                let mut lister = world.lssessions();
                lister.current_dir(&here).env("PATH", path).args(["--proc-source", source]);
                let listed = run(&mut lister, "").ok();
                assert_eq!(listed.records().len(), 2, "{path}: {}", listed.out);
                assert!(!here.join("was-run").exists(), "{path}");
            }
        }
    });
}
