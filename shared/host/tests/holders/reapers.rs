//! Who takes in orphans, and who starts a command.

use std::fs;

use model::record::How;

use crate::world::{Pid1, privately, stat, wait_until};

#[test]
fn h45_the_first_born_of_a_container_init_is_its_command() {
    privately(Pid1::Tini, |world| {
        for init in ["tini -s --", "dumb-init", "catatonit --"] {
            for file in ["command", "orphan"] {
                let _ = fs::remove_file(world.file(file));
            }
            fs::write(
                world.file("c"),
                "echo $$ >command; sleep 0.03; setsid --fork bash -c 'echo $$ >orphan; exec sleep 1001'
                exec sleep 1000\n",
            )
            .unwrap();
            world.spawn(world.shell(&format!("exec {init} bash c")));
            let (command, orphan) = (world.pid("command"), world.pid("orphan"));
            wait_until("sleep", || stat(command).is_some_and(|stat| stat.name == "sleep"));
            wait_until("sleep", || stat(orphan).is_some_and(|stat| stat.name == "sleep"));
            let init_pid = stat(command).unwrap().ppid;
            let holding = world.holding(command);
            let by = (holding.holders[0].how, holding.holders[0].pid);
            assert_eq!(by, (How::InitCommand, Some(init_pid)), "{init}: {holding:?}");
            world.assert_loose(orphan, init);
        }
        // The first-born of pid 1 is this test.
        let own = std::process::id() as i32;
        assert_eq!(world.holding(own).holders[0].how, How::InitCommand);
    });
}

#[test]
fn h71_below_a_shell_only_what_is_of_a_dead_session_is_an_orphan() {
    privately(Pid1::Shell, |world| {
        let leader = world.orphan("exec sleep 1000");
        let holding = world.holding(leader);
        assert_eq!(holding.holders[0].how, How::InitCommand, "{holding:?}");
        assert!(!holding.orphaned);
        world.run("setsid bash -c '(echo $BASHPID >left; exec sleep 1000) & :'");
        let left = world.pid("left");
        wait_until("sleep", || stat(left).is_some_and(|stat| stat.name == "sleep"));
        wait_until("another parent", || stat(left).is_some_and(|stat| stat.ppid == 1));
        world.assert_loose(left, "its session is dead");
        // The shell of a container is not logged in to.
        for variable in ["SSH_CONNECTION=x", "TMUX=/tmp/x,9,0", "CLAUDECODE=1"] {
            let leader = world.orphan(&format!("{variable} exec sleep 1000"));
            world.assert_loose(leader, variable);
        }
        let leader = world.orphan("TERM=xterm SHELL=/bin/sh exec sleep 1000");
        assert_eq!(world.holding(leader).holders[0].how, How::InitCommand);
    });
}

#[test]
fn h45_pid_1_that_is_a_program_may_have_started_it() {
    privately(Pid1::Python, |world| {
        let claude = world.orphan("exec sleep 1000");
        let holding = world.holding(claude);
        let held: Vec<_> = holding.holders.iter().map(|holder| (holder.how, holder.pid)).collect();
        assert_eq!(held, [(How::InitCommand, Some(1))], "{holding:?}");
        assert!(holding.examined && !holding.orphaned, "what else holds it is asked: {holding:?}");
    });
}

#[test]
fn what_is_in_another_pid_namespace_is_held() {
    privately(Pid1::Tini, |world| {
        world.run("setsid --fork unshare --pid --fork --mount-proc sh -c 'sleep 1000; exit' sh");
        let inner = || {
            let mut pids = fs::read_dir("/proc").unwrap().flatten();
            pids.find_map(|entry| {
                let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
                stat(pid).filter(|stat| stat.name == "sleep").map(|_| pid)
            })
        };
        wait_until("sleep", || inner().is_some());
        let holding = world.holding(inner().unwrap());
        assert!(!holding.holders.is_empty() && !holding.examined, "{holding:?}");
    });
}
