//! tmux's own hook: what an agent leaves goes as soon as its session ends.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{agent, ids, installed};
use crate::manual_recipes::recipe;
use crate::world::{Entry, Registry, alive, privately, records, run, wait_until};

const AGENTS: [&str; 3] = ["first-101010-aaaaaa", "second-101010-bbbbbb", "last-101010-cccccc"];

#[test]
fn the_hook_cleans_up_after_each_session_and_after_the_last() {
    privately(|| {
        let world = installed();
        world.write_global(&Registry::new(AGENTS.map(Entry::new)));
        // The first time, the hook waits for the test instead of five seconds.
        let gate = world.path().join("gate");
        run(world.command("mkfifo").arg(&gate), "").ok();
        let gated = recipe("With tmux").replace("sleep 5;", &format!("cat {};", gate.display()));
        assert_ne!(gated, recipe("With tmux"));
        let conf = world.path().join(".tmux.conf");
        fs::write(&conf, gated).unwrap();
        let mut tmux = world.command("tmux");
        tmux.arg("-S").arg(world.socket()).args(["new-session", "-d", "-s", "work", "sleep 3600"]);
        run(&mut tmux, "").ok();
        let [first, second, last] = AGENTS.map(|id| agent(&world, id));
        let end = |pid| kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        let said = || fs::read_to_string(world.path().join("agentprune.err")).unwrap_or_default();

        // An agent ends by itself, and with it its session.
        end(first.claude.pid);
        wait_until(|| "its end", || !world.session_names().contains(&first.session));
        // The server answers meanwhile.
        world.session("meanwhile", "sleep 3600");
        assert_eq!(world.session_names().len(), 4);
        assert_eq!(ids(&world), AGENTS);
        fs::write(&gate, "").unwrap();
        wait_until(|| format!("its entry to go: {}", said()), || ids(&world) == AGENTS[1..]);
        for other in [&second, &last] {
            assert!(alive(other.pane) && alive(other.claude.pid));
        }
        assert_eq!(said(), "");
        let log = world.path().join("agentprune.log");
        let actions = records(&fs::read_to_string(&log).unwrap());
        let done: Vec<_> = actions.iter().filter(|action| action["result"] == "done").collect();
        assert_eq!(done.len(), 1, "{done:?}");
        assert_eq!(done[0]["finding"]["agent"]["id"], AGENTS[0]);

        // From here on, the recipe is unchanged.
        fs::write(&conf, recipe("With tmux")).unwrap();
        world.tmux(&["source-file", conf.to_str().unwrap()]).ok();

        // The cleanup after a killed session fails: no pane shows the message.
        fs::remove_file(&log).unwrap();
        fs::create_dir(&log).unwrap();
        let ended = Instant::now();
        world.tmux(&["kill-session", "-t", &second.session]).ok();
        wait_until(|| "it to say why", || said().contains("agentprune.log"));
        assert!(ended.elapsed() > Duration::from_secs(5), "a Claude that is just ending has time");
        assert_eq!(ids(&world), AGENTS[1..]);
        // Until the hook is over.
        std::thread::sleep(Duration::from_millis(500));
        let modes = world.tmux(&["list-panes", "-a", "-F", "#{pane_in_mode}"]).ok().out;
        assert_eq!(modes, "0\n0\n0\n");
        fs::remove_dir(&log).unwrap();

        // The server ends with its last session, but waits for the hook.
        let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
        let server: i32 = server.trim().parse().unwrap();
        for other in ["meanwhile", "work"] {
            world.tmux(&["kill-session", "-t", other]).ok();
        }
        end(last.claude.pid);
        wait_until(|| format!("all entries to go: {}", said()), || ids(&world).is_empty());
        wait_until(|| "the server to end", || !alive(server));
    });
}
