//! What the plan settles before anything is done.

use model::plan::{Run, read};
use model::record::{Machine, Outcome, ProcSource};
use serde_json::json;

use super::evidence::everything;

/// Everything that can be acted on, as `agentdiff` writes it.
fn findings() -> String {
    let findings = everything().judge().findings;
    let findings = findings.into_iter().map(|mut finding| {
        finding["type"] = json!("finding");
        format!("{finding}\n")
    });
    findings.collect()
}

fn run() -> Run {
    let machine = Machine {
        host: "h".to_owned(),
        boot_id: "boot".to_owned(),
        pid_ns: "4026531836".to_owned(),
    };
    Run { machine, uid: 1000, source: None }
}

/// How many actions are left to do, and the results and reasons of the others.
fn settled(text: &str, run: &Run) -> (usize, Vec<(Outcome, String)>) {
    let mut plan = read(text).unwrap();
    let left = plan.settle(run).into_iter().map(|(_, outcome, reason)| (outcome, reason));
    let left = left.collect();
    (plan.actions().count(), left)
}

/// A process, a session, two entries and the counters of their registry.
const ALL: usize = 5;

#[test]
fn each_thing_is_acted_on_once() {
    let once = findings();
    assert_eq!(settled(&once, &run()), (ALL, Vec::new()));
    let twice = vec![(Outcome::Gone, "an earlier finding covers it".to_owned()); ALL];
    assert_eq!(settled(&format!("{once}{once}"), &run()), (ALL, twice));
}

#[test]
fn what_was_found_elsewhere_or_for_another_user_is_refused() {
    type Change = fn(&mut Run);
    let rows: [(Change, &str); 5] = [
        (|run| run.machine.host = "x".to_owned(), "found on host h, this is host x"),
        (|run| run.machine.boot_id = "x".to_owned(), "found before the last boot"),
        (|run| run.machine.pid_ns = "x".to_owned(), "found in another pid namespace"),
        (|run| run.uid = 0, "found for uid 1000, this run is for uid 0"),
        (|run| run.source = Some(ProcSource::Ps), "found with --proc-source proc"),
    ];
    for (change, expected) in rows {
        let mut run = run();
        change(&mut run);
        let (actions, left) = settled(&findings(), &run);
        assert_eq!((actions, left.len()), (0, ALL), "{expected}");
        for (outcome, reason) in left {
            assert_eq!(outcome, Outcome::Refused);
            assert!(reason.starts_with(expected), "{reason}");
        }
    }
}
