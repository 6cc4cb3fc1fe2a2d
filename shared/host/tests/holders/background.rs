//! Claude's own background service, and what is its own by its session.

use std::fs;

use model::record::How;

use crate::world::{Pid1, World, end, privately, stat, wait_until};

/// A shell script by the name of Claude, with this first argument.
fn named(world: &World, word: &str) -> i32 {
    fs::write(
        world.file("claude-script"),
        "echo $$ >named.new; mv named.new named\nread x <fifo\n",
    )
    .unwrap();
    let _ = fs::remove_file(world.file("named"));
    world.run("rm -rf bin; mkdir bin; mv claude-script bin/claude; [ -p fifo ] || mkfifo fifo");
    world.run(&format!("setsid --fork bash bin/claude {word}"));
    let pid = world.pid("named");
    wait_until("another parent", || stat(pid).is_some_and(|stat| stat.ppid == 1));
    pid
}

#[test]
fn h62_a_part_of_the_background_service_is_held_while_a_service_lives() {
    privately(Pid1::Tini, |world| {
        let service = named(world, "daemon");
        world.assert_held(service, How::Background, None, "the service itself");
        let remote = named(world, "remote-control");
        world.assert_held(remote, How::Background, None, "it waits for a person elsewhere");
        let spare = named(world, "--bg-spare");
        world.assert_loose(spare, "no roster names a supervisor");
        let roster = |pid: i32, at: u128| {
            let text =
                format!(r#"{{"proto":1,"supervisorPid":{pid},"updatedAt":{at},"workers":{{}}}}"#);
            fs::create_dir_all(world.file(".claude/daemon")).unwrap();
            fs::write(world.file(".claude/daemon/roster.json"), text).unwrap();
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        roster(service, now.as_millis());
        world.assert_held(spare, How::Background, Some(service), "the roster names it");
        roster(service, now.as_millis() - 3_600_000);
        world.assert_loose(spare, "the supervisor had that pid before this process did");
        roster(service, now.as_millis());
        end(service);
        world.assert_loose(spare, "the supervisor is dead");
    });
}

#[test]
fn h74_what_its_own_hook_left_behind_is_its_own() {
    privately(Pid1::Tini, |world| {
        world.run("mkfifo pipe; mkdir -p .claude/sessions");
        let claude = world.orphan("exec 4<>pipe; exec sleep 1000 >pipe 4<&-");
        let reader = |environment: &str| {
            let _ = fs::remove_file(world.file("reader"));
            world.run(&format!(
                "{environment} setsid --fork bash -c 'echo $$ >reader; exec sleep 999 <pipe'"
            ));
            let reader = world.pid("reader");
            wait_until("sleep", || stat(reader).is_some_and(|stat| stat.name == "sleep"));
            reader
        };
        let hook = reader("CLAUDE_CODE_SESSION_ID=s1");
        world.assert_held(claude, How::Reader, Some(hook), "whose session it is is not known");
        let start = fs::read_to_string(format!("/proc/{claude}/stat")).unwrap();
        let start = start.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().to_owned();
        let session = |start: &str| {
            let text = format!(
                r#"{{"pid":{claude},"sessionId":"s1","startedAt":1,"procStart":"{start}"}}"#
            );
            fs::write(world.file(&format!(".claude/sessions/{claude}.json")), text).unwrap();
        };
        session("1");
        world.assert_held(claude, How::Reader, Some(hook), "another's session file");
        session(&start);
        world.assert_loose(claude, "its own hook");
        let other = reader("CLAUDE_CODE_SESSION_ID=s2");
        world.assert_held(claude, How::Reader, Some(other), "another session's");
    });
}
