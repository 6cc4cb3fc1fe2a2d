//! What the scans must be like before a conclusion is drawn from them.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::common::{Scan, at};

/// A world in which something can be done about everything.
pub fn everything() -> World {
    let mut world = loose();
    let mut counters = common::registry(GLOBAL, "global");
    counters["counters"]["active_agents"]["stored"] = json!(9);
    *world.records(AGENTS) = vec![common::agent("gone"), common::agent("z"), counters];
    let zombie = common::pane("%4", 90, "pts/4", &["bash"]);
    world.records(SESSIONS).push(common::session("$2", "agent_z", vec![zombie]));
    let orphan = common::pane("%5", 91, "pts/5", &["claude"]);
    world.records(SESSIONS).push(common::session("$3", "agent_o", vec![orphan]));
    world.records(PROCESSES).push(common::process(91));
    world
}

fn kinds(outcome: &Outcome) -> Vec<&str> {
    outcome.findings.iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
}

/// What was changed, which kinds of findings stay (their first letters, in the order of
/// the output), and what the notes say then.
type Proof = (&'static str, Change, &'static str, &'static str);

#[test]
fn conclusions_need_their_evidence() {
    let rows: &[Proof] = &[
        ("whole", |_| {}, "lzggoc", ""),
        ("agents filtered", |w| filter(w, AGENTS), "lzgg", "scan of agents was filtered"),
        ("agents incomplete", |w| spoil(w, AGENTS), "lzggc", "scan of agents is incomplete"),
        ("no agents", |w| remove(w, AGENTS), "lz", "there is no scan of agents"),
        ("sessions filtered", |w| filter(w, SESSIONS), "zoc", "scan of sessions was filtered"),
        ("no sessions", |w| remove(w, SESSIONS), "c", "there is no scan of sessions"),
        ("processes filtered", |w| filter(w, PROCESSES), "lgoc", "scan of processes was filtered"),
        (
            "processes incomplete",
            |w| spoil(w, PROCESSES),
            "lgoc",
            "scan of processes is incomplete",
        ),
        ("no processes", |w| remove(w, PROCESSES), "goc", "there is no scan of processes"),
        (
            "sessions before agents",
            |w| w.end(SESSIONS)["taken_at"] = json!(at(-1)),
            "lzoc",
            "2 agents not judged: the scan of sessions is older than the scan of agents",
        ),
        ("sessions after agents", |w| w.end(SESSIONS)["taken_at"] = json!(at(1)), "lzggoc", ""),
        (
            "another user's process",
            |w| w.first(PROCESSES)["uid"] = json!(0),
            "zggoc",
            "1 process not judged: owned by uid 0, and the scan is for uid 1000",
        ),
        (
            "another user's registry",
            |w| w.records(AGENTS)[2]["owner_uid"] = json!(0),
            "lzo",
            "2 agents not judged: owned by uid 0, and the scan is for uid 1000; as root, give \
             --user 0 to every program\ncounters of 1 registry not judged: owned by uid 0",
        ),
        (
            "another user's session",
            |w| w.records(SESSIONS)[1]["uid"] = json!(0),
            "lgoc",
            "1 agent session not judged: owned by uid 0",
        ),
        (
            "a scan for another user",
            |w| w.scans.iter_mut().for_each(|scan| scan.end["uid"] = json!(0)),
            "",
            "2 agent sessions not judged: owned by uid 1000, and the scan is for uid 0",
        ),
        (
            "unasked servers not said",
            |w| drop(w.end(SESSIONS).as_object_mut().unwrap().remove("unasked")),
            "lzoc",
            "2 agents not judged: the scan of sessions does not say which servers it left out",
        ),
        (
            "nobody says whose registry it is",
            |w| drop(w.records(AGENTS).pop()),
            "lzo",
            "2 agents not judged: there is no record of registry",
        ),
    ];
    for (what, change, expected, note) in rows {
        let mut world = everything();
        change(&mut world);
        let outcome = world.judge();
        let letters: String = kinds(&outcome).iter().map(|kind| &kind[..1]).collect();
        assert_eq!(letters, *expected, "{what}:\n{}", outcome.text);
        assert!(outcome.notes.contains(note), "{what}: {}", outcome.notes);
        assert_eq!(outcome.notes.is_empty(), note.is_empty(), "{what}: {}", outcome.notes);
    }
}

fn filter(world: &mut World, of: usize) {
    world.end(of)["filtered"] = json!(true);
}

fn spoil(world: &mut World, of: usize) {
    world.end(of)["complete"] = json!(false);
    world.end(of)["error"] = json!("permission denied");
}

fn remove(world: &mut World, of: usize) {
    world.scans.remove(of);
}

#[test]
fn the_young_are_counted_not_judged() {
    // Process 500 and session agent_z, then the entry whose only session that is.
    let rows: &[(i64, i64, u64, &str)] = &[
        (-2, -2, 0, "lzggoc"),
        (-1, -2, 1, "zggoc"),
        (-2, -1, 1, "lgoc"),
        (0, 0, 2, "goc"),
        // The clock was set back between birth and scan.
        (3600, -600, 1, "zggoc"),
        (-600, 3600, 1, "lgoc"),
    ];
    for (started, created, too_young, expected) in rows {
        let mut world = everything();
        world.first(PROCESSES)["started"] = json!(at(*started));
        world.records(SESSIONS)[1]["created"] = json!(at(*created));
        let outcome = world.judge();
        let letters: String = kinds(&outcome).iter().map(|kind| &kind[..1]).collect();
        assert_eq!((letters.as_str(), outcome.too_young), (*expected, *too_young));
    }
    let mut world = everything();
    world.first(PROCESSES)["started"] = json!(at(0));
    world.options.min_age = SignedDuration::ZERO;
    assert_eq!(world.judge().too_young, 0);
    assert_eq!(world.judge().findings.len(), 6);
    // A process born after the scan of sessions may be in one that was not there yet; a
    // session born after the scan of processes may hold a Claude that was not.
    let mut world = everything();
    world.first(PROCESSES)["started"] = json!(at(30));
    world.end(PROCESSES)["taken_at"] = json!(at(60));
    assert_eq!(world.judge().too_young, 1);
    let mut world = everything();
    world.records(SESSIONS)[1]["created"] = json!(at(30));
    world.end(SESSIONS)["taken_at"] = json!(at(60));
    assert_eq!(world.judge().too_young, 1);
}

#[test]
fn young_entries_are_counted_not_judged() {
    // When it was started and updated, seconds after its scan; how many are too young, how many
    // not judged.
    let rows: &[(Option<i64>, Option<i64>, [u64; 2])] = &[
        (None, None, [0, 0]),
        (Some(-60), None, [0, 0]),
        (Some(-59), None, [1, 1]),
        (Some(-600), Some(-60), [0, 0]),
        (Some(-600), Some(-10), [1, 1]),
        // The time of its start counts even where it is the later one.
        (Some(-10), Some(-600), [1, 1]),
        (Some(0), Some(0), [1, 1]),
        // Written while it was read.
        (Some(1), Some(1), [1, 1]),
        // By a clock or in a zone of its own.
        (Some(60), Some(60), [0, 1]),
        (Some(-600), Some(7200), [0, 1]),
    ];
    for (started, updated, [too_young, unjudged]) in rows {
        let mut world = everything();
        world.first(AGENTS)["started"] = json!(started.map(at));
        world.first(AGENTS)["updated"] = json!(updated.map(at));
        let outcome = world.judge();
        let ghosts = kinds(&outcome).iter().filter(|kind| **kind == "ghost_agent").count() as u64;
        let what = format!("{started:?} {updated:?}: {}", outcome.notes);
        assert_eq!((ghosts, outcome.too_young), (2 - unjudged, *too_young), "{what}");
        let counted = outcome.unjudged.get("agents").copied().unwrap_or_default();
        assert_eq!(counted, *unjudged, "{what}");
        let says = match (too_young, unjudged) {
            (0, 0) => "",
            (0, _) => "1 agent not judged: by their own times they were written after",
            _ => "1 too young to judge (under 60 s; see --entry-age): agent gone (",
        };
        assert!(outcome.notes.starts_with(says), "{what}");
        assert_eq!(outcome.notes.is_empty(), says.is_empty(), "{what}");
    }
    let mut world = everything();
    world.first(AGENTS)["started"] = json!(at(0));
    world.options.entry_age = SignedDuration::ZERO;
    assert_eq!((world.judge().findings.len(), world.judge().too_young), (6, 0));
    // One with a session is not too young for anything.
    let mut world = gone();
    world.first(AGENTS)["started"] = json!(at(0));
    renamed(&mut world, "agent_a", None);
    assert_eq!((world.judge().findings.len(), world.judge().too_young), (0, 0));
}

#[test]
fn what_was_not_judged_is_counted_by_subject() {
    // What is changed, what is not judged then (agents, processes, registries, sessions), and
    // whether anything was.
    type Row = (&'static str, Change, [u64; 4], bool);
    let rows: &[Row] = &[
        ("whole", |_| {}, [0, 0, 0, 0], false),
        ("no sessions", |w| remove(w, SESSIONS), [2, 2, 0, 0], true),
        ("no processes", |w| remove(w, PROCESSES), [0, 0, 0, 2], false),
        ("agents filtered", |w| filter(w, AGENTS), [0, 0, 1, 0], false),
        (
            "an unasked server",
            |w| {
                let mut server = common::unasked(900);
                server["uid"] = json!(0);
                w.end(SESSIONS)["unasked"] = json!([server]);
                w.first(PROCESSES)["ancestors"] = json!([900, 1]);
            },
            [2, 0, 0, 0],
            false,
        ),
        ("another user's process", |w| w.first(PROCESSES)["uid"] = json!(0), [0, 0, 0, 0], false),
        (
            "another user's session",
            |w| w.records(SESSIONS)[1]["uid"] = json!(0),
            [0, 0, 0, 0],
            false,
        ),
        (
            "another user's registry",
            |w| w.records(AGENTS)[2]["owner_uid"] = json!(0),
            [2, 0, 1, 0],
            false,
        ),
        ("young", |w| w.first(PROCESSES)["started"] = json!(at(0)), [0, 1, 0, 0], false),
        (
            "nothing but a young process",
            |w| {
                w.records(AGENTS).clear();
                w.records(SESSIONS).clear();
                w.records(PROCESSES).truncate(1);
                w.first(PROCESSES)["started"] = json!(at(0));
            },
            [0, 1, 0, 0],
            false,
        ),
        (
            "nothing but registries",
            |w| {
                filter(w, AGENTS);
                w.records(AGENTS).drain(..2);
                w.records(SESSIONS).clear();
                w.records(PROCESSES).clear();
            },
            [0, 0, 1, 0],
            false,
        ),
    ];
    for (what, change, unjudged, blind) in rows {
        let mut world = everything();
        change(&mut world);
        let outcome = world.judge();
        let of = |subject| outcome.unjudged.get(subject).copied().unwrap_or_default();
        let counted = ["agents", "processes", "registries", "sessions"].map(of);
        assert_eq!((counted, outcome.is_blind), (*unjudged, *blind), "{what}: {}", outcome.notes);
    }
}

#[test]
fn what_is_kept_is_held_and_says_by_which_line() {
    let world = everything();
    let text = lines(&world.scans).join("\n");
    let kept = |what: &str| {
        let keeps = |line: &str| line.contains(what);
        common::judge_keeping(&text, &world.options, &keeps).unwrap()
    };
    for (what, expected) in [
        (r#""pid":500"#, "untracked_process - kept by line 7 of keep"),
        (r#""name":"agent_z""#, "busy_session - kept by line 7 of keep"),
        (r#""id":"gone""#, "kept_agent - kept by line 7 of keep"),
    ] {
        let outcome = kept(what);
        let expected = expected.split_once(" - ").unwrap();
        let found = |finding: &&Value| finding["kind"] == expected.0;
        let finding = outcome.findings.iter().find(found).expect(what);
        assert_eq!((&finding["action"], &finding["reason"]), (&json!(null), &json!(expected.1)));
    }
    // The entry of a session that is kept has a session.
    assert_eq!(kept("agent_z").findings.iter().filter(|f| f["kind"] == "ghost_agent").count(), 1);
    let all = kept("");
    let acts: Vec<&str> =
        kinds(&all).into_iter().filter(|kind| *kind == "count_mismatch").collect();
    assert_eq!((acts.len() as u64, all.actionable), (1, 1), "{}", all.text);
}

#[test]
fn without_all_sessions_there_is_no_finding() {
    let mut world = everything();
    spoil(&mut world, SESSIONS);
    world.scans.extend(everything().scans.into_iter().map(|scan| on_host(scan, "other")));
    let error = common::judge(&lines(&world.scans).join("\n"), &world.options).unwrap_err();
    assert_eq!(error, "the scan of sessions on h is incomplete: permission denied");
}

fn on_host(scan: Scan, host: &str) -> Scan {
    let mut scan = scan;
    scan.end["host"] = json!(host);
    scan
}

#[test]
fn hosts_boots_and_namespaces_are_kept_apart() {
    for field in ["host", "boot_id", "pid_ns"] {
        let mut world = everything();
        world.end(SESSIONS)[field] = json!("other");
        let outcome = world.judge();
        assert_eq!(kinds(&outcome), ["count_mismatch"], "{field}");
        assert!(outcome.notes.contains("there is no scan of sessions"), "{field}");
    }
    // On `h` process 500 is in a pane; on `other` no server runs.
    let mut world = loose();
    world.first(SESSIONS)["panes"][0]["pid"] = json!(500);
    let mut sessions = on_host(world.scans[SESSIONS].clone(), "other");
    sessions.records.clear();
    let processes = on_host(world.scans[PROCESSES].clone(), "other");
    world.scans.extend([sessions, processes]);
    let outcome = world.judge();
    assert_eq!(kinds(&outcome), ["leaked_process"]);
    assert_eq!(outcome.findings[0]["host"], "other");
}

#[test]
fn users_are_kept_apart() {
    // Of uid 0 there are processes alone, of uid 1000 all else.
    let mut world = everything();
    world.end(PROCESSES)["uid"] = json!(0);
    let outcome = world.judge();
    assert_eq!(kinds(&outcome), ["ghost_agent", "orphan_session", "count_mismatch"]);
    assert!(outcome.notes.contains("2 agent sessions not judged: there is no scan of processes"));
    assert!(outcome.notes.contains("2 processes not judged: owned by uid 1000"));
    // Root's scan of the same machine, in which the process is in no pane, adds nothing.
    let mut world = loose();
    world.first(SESSIONS)["panes"][0]["pid"] = json!(500);
    let mut roots = world.scans.clone();
    roots[SESSIONS].records.clear();
    roots.iter_mut().for_each(|scan| scan.end["uid"] = json!(0));
    world.scans.extend(roots);
    assert!(kinds(&world.judge()).is_empty());
    for evidence in everything().judge().findings.iter().map(|finding| &finding["evidence"]) {
        assert_eq!(evidence["uid"], 1000);
    }
}

#[test]
fn an_entry_that_is_over_hides_no_active_one_of_the_same_id() {
    for order in [["completed", "working"], ["working", "completed"]] {
        let mut world = everything();
        world.records(AGENTS).retain(|record| record["id"] == "gone");
        for status in order {
            let mut agent = common::agent("double");
            (agent["scope"], agent["registry"]) = (json!("state"), json!("/w/state.sqlite3"));
            agent["status"] = json!(status);
            world.records(AGENTS).push(agent);
        }
        world.records(AGENTS).push(common::registry("/w/state.sqlite3", "state"));
        world.records(AGENTS).push(common::registry(GLOBAL, "global"));
        let outcome = world.judge();
        let ghosts = outcome.findings.iter().filter(|finding| finding["kind"] == "ghost_agent");
        let found: Vec<_> = ghosts.map(|ghost| &ghost["agent"]["status"]).collect();
        assert_eq!(found, [&json!(null), &json!("working")], "{order:?}");
    }
}

#[test]
fn several_scans_of_one_machine_are_one() {
    type PlanItem = (&'static str, fn(&mut Scan, &mut Scan), &'static [&'static str]);
    let rows: &[PlanItem] = &[
        ("the same twice", |_, _| {}, &["leaked_process kill_process "]),
        (
            "a pane on a second socket",
            |sessions, _| {
                let pane = common::pane("%1", 500, "pts/8", &["claude"]);
                sessions.records = vec![common::session("$1", "other", vec![pane])];
                sessions.records[0]["server_pid"] = json!(802);
            },
            &[],
        ),
        (
            "one socket of two",
            |sessions, _| sessions.end["servers"] = json!("named"),
            &["leaked_process kill_process "],
        ),
        ("filtered", |sessions, _| sessions.end["filtered"] = json!(true), &[]),
        (
            "held by now",
            |_, processes| {
                processes.records[0]["holders"] =
                    json!([common::holder("terminal", json!("pts/9"))]);
                processes.end["taken_at"] = json!(at(5));
            },
            &["untracked_process - terminal pts/9"],
        ),
        (
            "held before",
            |_, processes| {
                processes.records[0]["holders"] =
                    json!([common::holder("terminal", json!("pts/9"))]);
                processes.end["taken_at"] = json!(at(-5));
            },
            &["leaked_process kill_process "],
        ),
        (
            "the pid is somebody else's by now",
            |_, processes| processes.records[0]["start_time"] = json!("9999"),
            &["leaked_process kill_process ", "leaked_process kill_process "],
        ),
    ];
    for (what, change, expected) in rows {
        let mut world = loose();
        let mut second = [world.scans[SESSIONS].clone(), world.scans[PROCESSES].clone()];
        let [sessions, processes] = &mut second;
        change(sessions, processes);
        world.scans.extend(second);
        assert_findings(what, &world.judge(), expected);
    }
}

#[test]
fn a_finding_carries_what_it_rests_on() {
    let mut world = everything();
    world.options.outside_tmux = true;
    world.options.entry_age = SignedDuration::from_millis(89_001);
    world.end(PROCESSES)["names"] = json!(["klaud"]);
    world.end(AGENTS)["taken_at"] = json!(at(-3));
    world.first(PROCESSES)["from_the_future"] = json!({"kept": [1]});
    let outcome = world.judge();
    let targets: Vec<&str> =
        outcome.findings.iter().map(|finding| finding["target"].as_str().unwrap()).collect();
    let counted = format!("registry {GLOBAL}");
    let expected =
        ["process 500", "session agent_z", "agent gone", "agent z", "session agent_o", &counted];
    assert_eq!(targets, expected);
    let about = ["process", "session", "agent", "agent", "session", "registry"];
    let records: Vec<Value> =
        lines(&world.scans).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (finding, about) in outcome.findings.iter().zip(about) {
        assert!(records.contains(&finding[about]), "{finding}");
        let evidence = json!({
            "taken_at": at(-3), "servers": "all", "sockets": ["/tmp/tmux-1000/default"],
            "names": ["klaud"], "proc_source": "proc", "prefix": "agent_", "outside_tmux": true, "despite": [],
            "busy": false,
            "ignore_unasked": false, "entry_age_seconds": 90, "uid": 1000,
        });
        for (field, value) in evidence.as_object().unwrap() {
            assert_eq!(finding["evidence"][field], *value, "{field}");
        }
        let machine = [&finding["host"], &finding["boot_id"], &finding["pid_ns"]];
        assert_eq!(machine, ["h", "boot", "4026531836"]);
    }
}
