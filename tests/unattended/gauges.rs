//! Gauges for a textfile collector, read as strictly as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::SystemTime;

use super::{agent, by_hand, installed};
use crate::manual::words;
use crate::manual_recipes::recipe;
use crate::world::{Entry, Registry, World, privately};
use model::record::Kind;

const AGENTS: [&str; 3] = ["live-101010-aaaaaa", "ghost-101010-bbbbbb", "ghost-101010-cccccc"];

/// Names with labels, and values.
type Samples = BTreeMap<String, f64>;

/// Whether a text is a name by the data model of Prometheus.
fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Reads the text exposition format, version 0.0.4, without escapes and timestamps: each
/// metric has its type, once and before its first sample, and its samples together; no
/// sample comes twice; the last line ends.
fn samples(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "{text}");
    let mut typed: Vec<&str> = Vec::new();
    let mut samples = Samples::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(is_name(name) && kind == "gauge" && !typed.contains(&name), "{line}");
            typed.push(name);
            continue;
        }
        let (metric, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let (name, labels) = metric.split_once('{').unwrap_or((metric, "}"));
        assert_eq!(Some(&name), typed.last(), "{line}: under its type");
        let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once('=').unwrap();
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap();
            assert!(is_name(name) && is_name(value), "{line}");
        }
        let value: f64 = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(samples.insert(metric.to_owned(), value).is_none(), "{line}: twice");
    }
    samples
}

fn count(kind: &str) -> String {
    format!("agentutils_findings{{kind=\"{kind}\"}}")
}

/// Runs the recipe, and reads what a collector finds then.
fn collected(world: &World, recipe: &str) -> (i32, Samples) {
    let directory = world.path().join("collector");
    let file = directory.join("agentutils.prom");
    let code = by_hand(world, recipe, &[("PROM", file.to_str().unwrap())]).code;
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "the file alone");
    (code, samples(&fs::read_to_string(file).unwrap()))
}

#[test]
fn gauges_are_zero_where_there_is_nothing_and_absent_where_nothing_is_known() {
    privately(|| {
        let world = installed();
        fs::create_dir(world.path().join("collector")).unwrap();
        let recipe = recipe("Gauges");
        agent(&world, AGENTS[0]);
        // Old enough to be judged: nothing is too young.
        std::thread::sleep(std::time::Duration::from_millis(2100));
        let now = || {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            since.unwrap().as_secs_f64()
        };

        world.write_global(&Registry::new([Entry::new(AGENTS[0])]));
        let began = now();
        let (code, clean) = collected(&world, &recipe);
        assert_eq!(code, 0);
        assert_eq!((clean["agentutils_complete"], clean["agentutils_too_young"]), (1.0, 0.0));
        assert_eq!(clean["agentutils_unjudged"], 0.0);
        let taken_at = clean["agentutils_taken_at_seconds"];
        assert!((began.floor()..=now()).contains(&taken_at), "{began} {taken_at}");
        // A count for each kind, except stale tasks: those need an option.
        let kinds: BTreeSet<String> = words::<Kind>().iter().map(|kind| count(kind)).collect();
        let counted = clean.keys().filter(|name| name.contains('{')).cloned();
        let missing = kinds.difference(&counted.collect()).cloned().collect::<Vec<_>>();
        assert_eq!(missing, [count("stale_task")]);
        assert_eq!(clean.len(), kinds.len() - 1 + 4);
        assert!(clean.iter().all(|(name, value)| !name.contains('{') || *value == 0.0));

        world.write_global(&Registry::new(AGENTS.map(Entry::new)).counters(9, 9));
        let (code, drift) = collected(&world, &recipe);
        assert_eq!(code, 0);
        assert_eq!((drift[&count("ghost_agent")], drift[&count("count_mismatch")]), (2.0, 1.0));
        assert_eq!(drift.keys().collect::<Vec<_>>(), clean.keys().collect::<Vec<_>>());

        // Not everything could be scanned: no counts, and above all no zeros.
        fs::write(world.global_path(), "{").unwrap();
        let (_, torn) = collected(&world, &recipe);
        assert_eq!(torn["agentutils_complete"], 0.0);
        assert_eq!(torn.len(), 2, "{torn:?}");
        world.write_global(&Registry::new(AGENTS.map(Entry::new)).counters(9, 9));
        let (code, missing) = collected(&world, &recipe.replace("lssessions", "lssessionsX"));
        assert_eq!((code, missing.len(), missing["agentutils_complete"]), (0, 2, 0.0));
        // There is no scan at all, so this is the time of the judgement.
        let taken_at = missing["agentutils_taken_at_seconds"];
        assert!((began.floor()..=now()).contains(&taken_at), "{began} {taken_at}");

        // agentdiff is missing: the old file stays, and its time tells so.
        let (_, last) = collected(&world, &recipe);
        let (code, stays) = collected(&world, &recipe.replace("agentdiff", "agentdiffX"));
        assert_ne!(code, 0);
        assert_eq!(stays, last);
    });
}
