//! Thousands of processes, some of them Claude.

use std::fmt::Write;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::guide_case::{assert_same, found_by_guide, found_by_tools, guide, pipeline};
use super::race::{program, race, time};
use super::scale::Scale;
use super::table::{Row, Target};
use super::world::{Entry, Registry, World, run, wait_until};

/// A stand-in that seldom checks whether its world still exists: thousands of them must not
/// keep the machine busy.
const SELDOM: (&str, &str) = ("STANDIN_TICK", "5000");

/// Live Claude processes in a session.
const IN_SESSION: usize = 4;

/// Some of each kind of what is to be found.
const LEFT_OVER: usize = 5;

impl World {
    /// Starts so many processes that only sleep.
    fn fill_up(&self, count: usize) {
        const LOOP: &str = "at=0; while [ $at -lt $1 ]; do sleep 3600 & at=$((at + 1)); done";
        let mut command = self.command("setsid");
        command.args(["sh", "-c", LOOP, "sh", &count.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().expect("a shell").success());
        // The last ones may not have called execve(2) yet.
        thread::sleep(Duration::from_millis(500));
    }

    /// Starts sessions with several agents at work in each, in the way of the orchestrator,
    /// and a few without any.
    fn fill_sessions(&self, count: usize) -> Vec<Entry> {
        let ready = self.ready();
        let mut entries = Vec::new();
        for number in 0..count {
            let mut line = String::new();
            for part in 0..IN_SESSION {
                let command = self.agent_command(&format!("worker-{number}-{part}"));
                // Without the `cd`, so that the pane's shell is the parent of them all: the
                // guide's way searches no deeper.
                let (_, command) = command.split_once(" && ").expect("the way of the world");
                let _ = write!(line, "{command} & ");
            }
            line += "wait";
            let ready = format!("STANDIN_READY={}", ready.directory().display());
            let seldom = format!("{}={}", SELDOM.0, SELDOM.1);
            let name = format!("agent_worker-{number}");
            let session = ["new-session", "-d", "-s", &name, "-e", &ready, "-e", &seldom, &line];
            self.tmux(&session).ok();
            entries.push(Entry::new(&name["agent_".len()..]));
        }
        for number in 0..LEFT_OVER {
            self.session(&format!("agent_zombie-{number}"), "sleep 3600");
            entries.push(Entry::new(&format!("zombie-{number}")));
        }
        let there = || std::fs::read_dir(ready.directory()).expect("the directory").count();
        wait_until(|| "the agents to be at work", || there() == count * IN_SESSION);
        entries
    }
}

/// Scans and plans, with many sessions.
pub fn plan(scale: Scale) -> Vec<Row> {
    let world = World::new();
    let sessions = scale.of(300, 5);
    let live = world.fill_sessions(sessions);
    let ghosts = (0..100).map(|number| Entry::new(&format!("ghost-{number}")));
    world.write_global(&Registry::new(ghosts.chain(live)));
    world.crowd(LEFT_OVER, &[SELDOM]);
    // In each session a shell; with each Claude its `tee`.
    let processes = scale.of(5000, 200);
    world.fill_up(processes - sessions * (1 + 2 * IN_SESSION));
    wait_until(|| "what is left over", || found_by_tools(&world).len() == 100 + 3 * LEFT_OVER);
    assert_same(&found_by_tools(&world), &found_by_guide(&world));

    let floor = format!(
        "{} -S '{}' list-panes -a; {} -eo pid,args",
        program("tmux").display(),
        world.socket().display(),
        program("ps").display()
    );
    let shell = || world.command(program("sh"));
    let turns = [&mut || time(&mut pipeline(&world, " | agentprune"), 0), &mut || {
        time(shell().args(["-c", &floor]), 0)
    }] as [&mut dyn FnMut() -> _; 2];
    let [tools, floor] = race(scale.of(11, 2), turns);
    // One turn will do: the guide's way takes a minute and more.
    let [tools_again, by_guide] = race(
        1,
        [&mut || time(&mut pipeline(&world, " | agentprune"), 0), &mut || {
            time(&mut guide(&world, "scan"), 0)
        }],
    );
    let work = format!("scan and plan, {sessions} sessions, {processes} processes");
    vec![
        Row::of_times(&work, &tools_again, "shell and Python", &by_guide, Target::Faster(50.0)),
        Row::of_times(&work, &tools, "list-panes, ps -e", &floor, Target::Within(3.0)),
    ]
}

/// Lists the few that are Claude.
pub fn lsclaude(scale: Scale) -> Vec<Row> {
    let world = World::new();
    let (few, processes) = (scale.of(20, 5), scale.of(5000, 200));
    let mut claude = world.crowd(few, &[SELDOM]);
    world.fill_up(processes - few);
    claude.sort_unstable();
    let pgrep = || {
        let mut pgrep = world.command(program("pgrep"));
        pgrep.args(["-f", world.name()]);
        pgrep
    };
    let ps = || {
        let mut ps = world.command(program("ps"));
        ps.args(["-eo", "pid,args"]);
        ps
    };
    let pids = |text: &str| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>();
    assert_eq!(pids(&run(&mut pgrep(), "").ok().out), claude);
    let listed = run(&mut world.lsclaude(), "").ok().records();
    let listed = listed.iter().filter_map(|record| record["pid"].as_i64());
    assert!(listed.eq(claude.iter().map(|&pid| i64::from(pid))));
    let [tool, pgrep, ps] = race(
        scale.of(31, 2),
        [&mut || time(&mut world.lsclaude(), 0), &mut || time(&mut pgrep(), 0), &mut || {
            time(&mut ps(), 0)
        }],
    );
    let work = format!("lsclaude, {few} of {processes} processes");
    vec![
        Row::of_times(&work, &tool, "pgrep -f", &pgrep, Target::Within(0.9)),
        Row::of_times(&work, &tool, "ps -eo pid,args", &ps, Target::None),
    ]
}
