//! What the plan settles before anything is done.

use model::plan::{Run, read};
use model::record::{Machine, Outcome, ProcSource};
use serde_json::{Value, json};

use super::evidence::everything;
use crate::common::at;

/// Everything that can be acted on, as `agentdiff` writes it.
fn findings() -> String {
    changed(|_| {})
}

/// The same, with a change to each finding.
fn changed(change: impl Fn(&mut Value)) -> String {
    let findings = everything().judge().findings;
    let findings = findings.into_iter().map(|mut finding| {
        finding["type"] = json!("finding");
        change(&mut finding);
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

#[test]
fn h69_only_an_earlier_finding_of_the_same_thing_confirms() {
    // A change to the earlier findings, how many they confirm, and why not the others.
    type Row = (&'static str, fn(&mut Value), usize, &'static str);
    let rows: &[Row] = &[
        ("a minute before", |f| f["evidence"]["taken_at"] = json!(at(-60)), ALL, ""),
        ("a day before", |f| f["evidence"]["taken_at"] = json!(at(-86_400)), ALL, ""),
        ("the same scans", |_| {}, 0, "it was found there 0 s earlier, not at least 60 s"),
        ("just before", |f| f["evidence"]["taken_at"] = json!(at(-59)), 0, "59 s earlier"),
        ("later", |f| f["evidence"]["taken_at"] = json!(at(60)), 0, "-60 s earlier"),
        ("another host", |f| f["host"] = json!("x"), 0, "another machine, or before the last boot"),
        ("before the last boot", |f| f["boot_id"] = json!("x"), 0, "before the last boot"),
        ("another namespace", |f| f["pid_ns"] = json!("x"), 0, "on another machine"),
        ("another user", |f| f["evidence"]["uid"] = json!(0), 0, "it was found there for uid 0"),
        (
            "the pid was another process",
            |f| {
                if f["kind"] == "leaked_process" {
                    f["process"]["start_time"] = json!("1");
                }
            },
            ALL - 1,
            "does not have it",
        ),
        (
            "another session of the name",
            |f| {
                if f["kind"] == "zombie_session" {
                    f["session"]["id"] = json!("$77");
                }
            },
            ALL - 1,
            "does not have it",
        ),
        (
            "the server was another",
            |f| {
                if f["kind"] == "zombie_session" {
                    f["session"]["server_pid"] = json!(999);
                }
            },
            ALL - 1,
            "does not have it",
        ),
        (
            "another agent with the id",
            |f| {
                if f["kind"] == "ghost_agent" {
                    f["agent"]["started_at"] = json!("2025-10-29T19:00:00");
                }
            },
            ALL - 2,
            "does not have it",
        ),
        (
            "another registry",
            |f| {
                if f["kind"] == "ghost_agent" {
                    f["agent"]["registry"] = json!("/w/other.json");
                }
            },
            ALL - 2,
            "does not have it",
        ),
        (
            "nothing was to be done about it then",
            |f| {
                if f["kind"] == "leaked_process" {
                    f["kind"] = json!("untracked_process");
                    f["action"] = json!(null);
                }
            },
            ALL - 1,
            "does not have it",
        ),
    ];
    let now = findings();
    for (what, change, confirmed, why) in rows {
        let before = changed(|finding| {
            let is_same = *what == "the same scans" || what.contains("just") || *what == "later";
            if !is_same {
                finding["evidence"]["taken_at"] = json!(at(-600));
            }
            change(finding);
        });
        let before = read(&before).unwrap();
        let mut plan = read(&now).unwrap();
        assert!(plan.settle(&run()).is_empty());
        let left = plan.confirm(Some(&before), "before");
        assert_eq!(plan.actions().count(), *confirmed, "{what}");
        assert_eq!(left.len(), ALL - confirmed, "{what}");
        for (_, outcome, reason) in left {
            assert_eq!(outcome, Outcome::Unconfirmed, "{what}");
            assert!(reason.starts_with("not confirmed"), "{what}: {reason}");
            assert!(reason.contains(why), "{what}: {reason}");
        }
    }
    let mut plan = read(&now).unwrap();
    let left = plan.confirm(None, "before");
    assert_eq!((plan.actions().count(), left.len()), (0, ALL));
    assert!(left.iter().all(|(.., reason)| reason.contains("before (no such file)")));
    // A finding given twice is confirmed by the earlier of the two.
    let twice = changed(|f| f["evidence"]["taken_at"] = json!(at(-600))) + &now;
    let mut plan = read(&now).unwrap();
    assert!(plan.confirm(Some(&read(&twice).unwrap()), "before").is_empty());
}

#[test]
fn what_is_to_be_kept_is_left() {
    let now = findings();
    let mut plan = read(&now).unwrap();
    let left = plan.keep::<()>(&mut |action| {
        Ok(action.raw.contains("agent_z").then(|| "kept by line 1".to_owned()))
    });
    // The session and its entry; counters are never kept.
    let left = left.unwrap();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|(_, outcome, _)| *outcome == Outcome::Skipped));
    assert_eq!(plan.actions().count(), ALL - 2);
    assert_eq!(plan.keep(&mut |_| Err("unknown")).unwrap_err(), "unknown");
}
