//! Laws that hold in every world, and the rules against a second, naive implementation.
//! `PROPTEST_CASES` raises the number of worlds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod birth;
#[path = "../common/mod.rs"]
mod common;
mod oracle;
mod small;

use std::collections::{BTreeMap, BTreeSet};

use birth::{
    World, environment, holder, of_server, pane, session, session_file, shell, unasked, worlds,
    written,
};
use common::lines;
use jiff::{SignedDuration, Timestamp};
use oracle::Row;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

fn cases(least: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = default.cases.max(least);
    ProptestConfig { cases, max_global_rejects: cases, failure_persistence: None, ..default }
}

/// The findings of a world as the program has them, sorted; None if there can be none.
fn rows(world: &World) -> Option<Vec<Row>> {
    let outcome = common::judge(&lines(&world.scans).join("\n"), &world.options).ok()?;
    let mut rows: Vec<Row> = outcome.findings.iter().map(oracle::row).collect();
    rows.sort();
    Some(rows)
}

/// Those about which something would be done.
fn acts(world: &World) -> BTreeSet<Row> {
    rows(world).unwrap_or_default().into_iter().filter(|row| row[1] != "-").collect()
}

/// The records of one type, wherever they are.
fn records<'w>(world: &'w mut World, kind: &str) -> Vec<&'w mut Value> {
    let records = world.scans.iter_mut().flat_map(|scan| &mut scan.records);
    records.filter(|record| record["type"] == kind).collect()
}

fn shuffled(scans: &[common::Scan]) -> impl Strategy<Value = Vec<String>> + use<> {
    Just(lines(scans)).prop_shuffle()
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn a_naive_implementation_finds_the_same(world in worlds()) {
        prop_assert_eq!(rows(&world), oracle::findings(&lines(&world.scans), &world.options));
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_order_of_the_lines_does_not_matter(
        (world, one, other) in worlds().prop_flat_map(|world| {
            let (one, other) = (shuffled(&world.scans), shuffled(&world.scans));
            (Just(world), one, other)
        })
    ) {
        let text = |lines: &[String]| {
            common::judge(&lines.join("\n"), &world.options)
                .map(|outcome| (outcome.text, outcome.notes, outcome.too_young))
                .map_err(drop)
        };
        prop_assert_eq!(text(&one), text(&other));
    }

    #[test]
    fn not_even_when_all_scans_are_taken_at_once(
        (world, one, other) in worlds().prop_flat_map(|mut world| {
            for scan in &mut world.scans {
                scan.end["taken_at"] = json!(common::at(0));
            }
            let (one, other) = (shuffled(&world.scans), shuffled(&world.scans));
            (Just(world), one, other)
        })
    ) {
        let text = |lines: &[String]| {
            common::judge(&lines.join("\n"), &world.options).map(|outcome| outcome.text).map_err(drop)
        };
        prop_assert_eq!(text(&one), text(&other));
    }

    #[test]
    fn findings_come_once_and_in_the_order_of_the_rules(world in worlds()) {
        const ORDER: [&str; 13] = [
            "leaked_process", "untracked_process", "leaked_server", "leftover_process", "zombie_session", "busy_session", "recent_session",
            "ghost_agent", "orphan_session", "count_mismatch", "defunct_process",
            "status_mismatch", "missing_in_global",
        ];
        if let Ok(outcome) = common::judge(&lines(&world.scans).join("\n"), &world.options) {
            let lines: BTreeSet<&str> = outcome.text.lines().collect();
            prop_assert_eq!(lines.len(), outcome.findings.len());
            let places: Vec<(&str, u64, Option<usize>)> = outcome
                .findings
                .iter()
                .map(|finding| {
                    let place = ORDER.iter().position(|kind| finding["kind"] == *kind);
                    let uid = finding["evidence"]["uid"].as_u64().unwrap();
                    (finding["host"].as_str().unwrap(), uid, place)
                })
                .collect();
            prop_assert!(places.is_sorted());
        }
    }

    #[test]
    fn a_scan_without_its_end_spoils_the_stream(world in worlds(), at in any::<Index>()) {
        let full: Vec<usize> =
            (0..world.scans.len()).filter(|at| !world.scans[*at].records.is_empty()).collect();
        prop_assume!(!full.is_empty());
        let id = format!("scan {}", at.get(&full));
        let mut lines = lines(&world.scans);
        lines.retain(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["type"] != "end" || line["scan"] != id
        });
        prop_assert!(common::judge(&lines.join("\n"), &world.options).is_err());
    }

    #[test]
    fn a_lost_line_spoils_the_stream(world in worlds(), at in any::<Index>()) {
        let mut lines = lines(&world.scans);
        lines.retain(|line| !line.contains(r#""type":"end""#));
        prop_assume!(!lines.is_empty());
        let lost = at.get(&lines).clone();
        let mut lines = common::lines(&world.scans);
        lines.remove(lines.iter().position(|line| *line == lost).unwrap());
        prop_assert!(common::judge(&lines.join("\n"), &world.options).is_err());
    }

    #[test]
    fn worse_evidence_never_adds_an_action(
        world in worlds(), at in any::<Index>(), filtered in any::<bool>(),
    ) {
        prop_assume!(!world.scans.is_empty());
        let before = acts(&world);
        let mut worse = world;
        let at = at.index(worse.scans.len());
        let (field, value) = if filtered { ("filtered", true) } else { ("complete", false) };
        worse.scans[at].end[field] = json!(value);
        prop_assert!(acts(&worse).is_subset(&before));
    }

    #[test]
    fn older_scans_of_sessions_never_add_an_action(world in worlds()) {
        let before = acts(&world);
        let mut older = world;
        for scan in older.scans.iter_mut().filter(|scan| scan.end["of"] == "sessions") {
            let taken_at: Timestamp = scan.end["taken_at"].as_str().unwrap().parse().unwrap();
            scan.end["taken_at"] = json!(taken_at - SignedDuration::from_secs(5));
        }
        prop_assert!(acts(&older).is_subset(&before));
    }

    #[test]
    fn one_more_session_adds_nothing_but_itself(
        world in worlds(), added in session(801, "$99", 600), at in any::<Index>(),
    ) {
        let mut more = world.clone();
        let mut scans: Vec<_> =
            more.scans.iter_mut().filter(|scan| scan.end["of"] == "sessions").collect();
        prop_assume!(!scans.is_empty());
        let at = at.index(scans.len());
        scans[at].records.push(added);
        let new: Vec<Row> = acts(&more).difference(&acts(&world)).cloned().collect();
        prop_assert!(new.iter().all(|row| row[3] == r#"801 "$99""#), "{:?}", new);
    }

    #[test]
    fn hidden_processes_add_nothing(world in worlds()) {
        let before = acts(&world);
        let mut hidden = world;
        for scan in hidden.scans.iter_mut().filter(|scan| scan.end["of"] == "sessions") {
            scan.end["hides_others"] = json!(true);
        }
        prop_assert!(acts(&hidden).is_subset(&before));
    }

    #[test]
    fn one_more_pane_adds_nothing(world in worlds(), added in pane(), at in any::<Index>()) {
        let before = acts(&world);
        let mut more = world;
        let mut sessions = records(&mut more, "session");
        prop_assume!(!sessions.is_empty());
        let at = at.index(sessions.len());
        sessions[at]["panes"].as_array_mut().unwrap().push(added);
        prop_assert!(acts(&more).is_subset(&before));
    }

    #[test]
    fn one_more_shell_adds_nothing(
        world in worlds(), added in shell(), at in any::<Index>(),
    ) {
        let before = acts(&world);
        let mut more = world;
        let sessions = records(&mut more, "session").into_iter();
        let panes = sessions.flat_map(|session| session["panes"].as_array_mut().unwrap());
        let shells = panes.map(|pane| pane["shells"].as_array_mut().unwrap());
        // A pane of which no shell is described is busy, or has none.
        let mut shells: Vec<_> = shells.filter(|shells| !shells.is_empty()).collect();
        prop_assume!(!shells.is_empty());
        let at = at.index(shells.len());
        shells[at].push(added);
        prop_assert!(acts(&more).is_subset(&before));
    }

    #[test]
    fn later_activity_adds_nothing(world in worlds(), at in any::<Index>(), by in 1..2000i64) {
        let before = acts(&world);
        let mut later = world;
        let mut sessions = records(&mut later, "session");
        prop_assume!(!sessions.is_empty());
        let at = at.index(sessions.len());
        let active: Timestamp = sessions[at]["activity"].as_str().unwrap().parse().unwrap();
        sessions[at]["activity"] = json!(active + SignedDuration::from_secs(by));
        prop_assert!(acts(&later).is_subset(&before));
    }

    #[test]
    fn one_more_unasked_server_adds_nothing(
        world in worlds(), added in unasked(), at in any::<Index>(),
    ) {
        let before = acts(&world);
        let mut more = world;
        let mut scans: Vec<_> =
            more.scans.iter_mut().filter(|scan| scan.end["of"] == "sessions").collect();
        prop_assume!(!scans.is_empty());
        let at = at.index(scans.len());
        scans[at].end["unasked"].as_array_mut().unwrap().push(added);
        prop_assert!(acts(&more).is_subset(&before));
    }

    #[test]
    fn a_younger_entry_adds_nothing(
        world in worlds(), written in written(), seconds in 0..4000i64, at in any::<Index>(),
    ) {
        let before = acts(&world);
        let mut younger = world;
        let mut agents = records(&mut younger, "agent");
        prop_assume!(!agents.is_empty());
        let at = at.index(agents.len());
        let time = |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().unwrap());
        let later = match time(&agents[at]["updated"]) {
            Some(updated) => json!(updated + SignedDuration::from_secs(seconds)),
            None => written,
        };
        agents[at]["updated"] = later;
        prop_assert!(acts(&younger).is_subset(&before));
    }

    #[test]
    fn keeping_something_adds_no_action(world in worlds(), at in any::<Index>()) {
        let lines = lines(&world.scans);
        prop_assume!(!lines.is_empty());
        let kept = at.get(&lines);
        let acts = |keeps: &dyn Fn(&str) -> bool| -> BTreeSet<Row> {
            let outcome = common::judge_keeping(&lines.join("\n"), &world.options, keeps);
            let findings = outcome.map(|outcome| outcome.findings).unwrap_or_default();
            findings.iter().map(oracle::row).filter(|row| row[1] != "-").collect()
        };
        let fewer = acts(&|line| line == kept);
        prop_assert!(fewer.is_subset(&acts(&|_| false)));
        let record: Value = serde_json::from_str(kept).unwrap();
        if record["type"] != "end" && record["type"] != "registry" {
            prop_assert!(acts(&|_| true).iter().all(|row| row[0] == "count_mismatch"));
        }
    }

    /// Somebody has the other end of its input or output, or may; something of it listens, is
    /// Claude, a tmux server, or is held by anything of its own.
    #[test]
    fn h59_a_server_that_is_used_or_keeps_something_is_never_a_leak(
        world in worlds(), (field, value) in of_server(), at in any::<Index>(),
    ) {
        let before = acts(&world);
        let mut used = world;
        let mut servers = records(&mut used, "process");
        servers.retain(|process| process["role"] == "server");
        prop_assume!(!servers.is_empty());
        let at = at.index(servers.len());
        servers[at]["server"][field] = value;
        let (pid, start) = (servers[at]["pid"].clone(), servers[at]["start_time"].clone());
        // In all scans that saw it.
        let its = servers[at].clone();
        servers.into_iter().filter(|it| it["pid"] == pid && it["start_time"] == start).for_each(|it| {
            it["server"] = its["server"].clone();
        });
        let after = acts(&used);
        let target = format!("process {pid}");
        prop_assert!(!after.iter().any(|row| row[0] == "leaked_server" && row[2] == target));
        prop_assert!(after.is_subset(&before));
    }

    /// What says who started a process attributes it, and never condemns it.
    #[test]
    fn h59_the_environment_alone_makes_no_leaked_server(
        world in worlds(), claude in environment(), file in session_file(), at in any::<Index>(),
    ) {
        let leaked = |world: &World| -> BTreeSet<Row> {
            acts(world).into_iter().filter(|row| row[0] == "leaked_server").collect()
        };
        let before = leaked(&world);
        let mut marked = world;
        let mut processes = records(&mut marked, "process");
        prop_assume!(!processes.is_empty());
        let at = at.index(processes.len());
        processes[at]["claude"] = claude;
        processes[at]["session_file"] = file;
        prop_assert_eq!(leaked(&marked), before);
    }

    #[test]
    fn one_more_holder_adds_nothing(
        world in worlds(), (field, value) in holder(), at in any::<Index>(),
    ) {
        let before = acts(&world);
        let mut more = world;
        let mut processes = records(&mut more, "process");
        prop_assume!(!processes.is_empty());
        let at = at.index(processes.len());
        // Another terminal or pane in place of the one it has might hold less.
        let held = matches!(field, "tty" | "tmux") && !processes[at][field].is_null();
        prop_assume!(!held);
        match processes[at][field].as_array_mut() {
            Some(list) => list.extend(value.as_array().unwrap().iter().cloned()),
            None => processes[at][field] = value,
        }
        prop_assert!(acts(&more).is_subset(&before));
    }
}

/// Random worlds prove little if they are empty.
#[test]
fn every_kind_of_finding_is_frequent() {
    const WORLDS: usize = 1000;
    let mut runner = TestRunner::deterministic();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..WORLDS {
        let world = worlds().new_tree(&mut runner).unwrap().current();
        let rows = rows(&world).unwrap_or_default();
        let kinds: BTreeSet<String> = rows.into_iter().map(|row| row[..2].join(" ")).collect();
        for kind in kinds {
            *counts.entry(kind).or_default() += 1;
        }
    }
    for kind in [
        "leaked_process kill_process",
        "untracked_process -",
        "leaked_server kill_process",
        "leftover_process -",
        "zombie_session kill_session",
        "busy_session -",
        "recent_session -",
        "ghost_agent remove_entry",
        "ghost_agent terminate_entry",
        "orphan_session -",
        "count_mismatch set_counters",
        "defunct_process -",
        "status_mismatch -",
        "missing_in_global -",
    ] {
        let worlds = counts.get(kind).copied().unwrap_or_default();
        assert!(worlds * 20 >= WORLDS, "{kind} in {worlds} worlds of {WORLDS}: {counts:?}");
    }
}
