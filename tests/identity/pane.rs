//! Claude in a pane, wherever in it.

use super::{Lives, judgement, prune, world};
use crate::world::{Entry, Registry, World, records};

/// A further pane of a session, in which the stand-in runs.
fn further(world: &World, how: &str, session: &str) -> i32 {
    let ready = world.ready();
    let variable = format!("STANDIN_READY={}", ready.directory().display());
    let target = format!("={session}:");
    let command = format!("{} --print claude; exit", world.name());
    world.tmux(&[how, "-d", "-t", &target, "-e", &variable, &command]).ok();
    ready.wait().pid
}

#[test]
fn h02_claude_anywhere_in_a_session_makes_it_live() {
    let world = world();
    let name = world.name();
    let ids =
        ["shell-1-1", "itself-1-1", "below-1-1", "pane-1-1", "window-1-1", "away-1-1", "apart-1-1"];
    world.write_global(&Registry::new(ids.map(Entry::new)));
    let shell = world.agent_session(ids[0], &[]);
    let itself = world.live_session("agent_itself-1-1", &format!("exec {name} --print x"), &[]);
    assert_eq!(itself.pane, itself.claude.pid);
    let below = format!("sh -c 'sh -c \"{name} --print; exit\"; exit'; exit");
    let below = world.live_session("agent_below-1-1", &below, &[]);
    let panes = ids[3..5].iter().map(|id| world.session(&format!("agent_{id}"), "exec sleep 3600"));
    let panes: Vec<i32> = panes.collect();
    let claudes = [
        further(&world, "split-window", "agent_pane-1-1"),
        further(&world, "new-window", "agent_window-1-1"),
    ];
    // Its parents are gone, the terminal is still its own.
    let away = format!("(set -m; {name} --print &); exec sleep 3600");
    let away = world.live_session("agent_away-1-1", &away, &[]);
    // The terminal is not its own, its parent is.
    let apart = format!("setsid {name} --print </dev/null >/dev/null 2>&1; exit");
    let apart = world.live_session("agent_apart-1-1", &apart, &[]);
    let of_sessions =
        [&shell, &itself, &below, &away, &apart].map(|live| [live.pane, live.claude.pid]);
    let all = of_sessions.into_iter().flatten().chain(panes).chain(claudes);
    let lives = Lives::of(all);
    let sessions = world.session_names();
    assert_eq!(sessions.len(), ids.len() + 1);

    for options in [&[][..], &["--outside-tmux"], &["--busy", "--outside-tmux"]] {
        let (findings, ran) = prune(&world, options);
        ran.ok();
        assert_eq!(records(&findings).len(), 1, "nothing but the end: {findings}");
        assert_eq!(judgement(&findings, shell.claude.pid), None);
        lives.assert_alive(&format!("with {options:?}"));
        assert_eq!(world.session_names(), sessions);
    }
}
