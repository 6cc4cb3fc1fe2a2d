//! Claude's own background service.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{assert_held, assert_leak, detached, end, judged, parent_and_child, world};
use crate::world::alive;

#[test]
fn h62_background_helpers_are_left_alone_only_while_their_service_lives() {
    let world = world();
    let service = detached(&world, "exec $CLAUDE daemon");
    let spare = detached(&world, "exec $CLAUDE --bg-spare 1");
    let host = detached(&world, "exec $CLAUDE --bg-pty-host 2");
    fs::create_dir_all(world.path().join(".claude/daemon")).unwrap();
    let roster = |age: Duration| {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - age;
        let text = format!(
            r#"{{"proto":1,"supervisorPid":{service},"updatedAt":{},"workers":{{}}}}"#,
            at.as_millis()
        );
        fs::write(world.path().join(".claude/daemon/roster.json"), text).unwrap();
    };
    roster(Duration::ZERO);
    for options in [&[][..], &["--outside-tmux"], &["--outside-tmux", "--busy"]] {
        for helper in [service, spare, host] {
            assert_held(&world, options, helper, "Claude's own background service");
        }
    }
    // One with its pid, from before it: not it.
    roster(Duration::from_secs(3600));
    for helper in [spare, host] {
        assert_eq!(judged(&world.findings(&[]), helper).0, "leaked_process");
    }
    roster(Duration::ZERO);
    assert_held(&world, &[], host, &format!("process {service}"));
    end(service);
    assert_leak(&world, &[], host, "its service is dead");
    assert!(!alive(spare), "so is that of the other");
    let remote = detached(&world, "exec $CLAUDE remote-control");
    assert_held(&world, &["--outside-tmux"], remote, "Claude's own background service");

    // What it has started only as long as it lives.
    for command in ["remote-control", "daemon"] {
        let (service, child) =
            parent_and_child(&world, &format!("exec $CLAUDE {command}"), "$CLAUDE --print x");
        for options in [&[][..], &["--outside-tmux"]] {
            assert_held(&world, options, child, &format!("process {service}"));
        }
        end(service);
        assert_leak(&world, &[], child, "its service is dead");
    }
}
