//! Several machines at once, by the recipes of the manual.

mod fleet;

use std::collections::BTreeSet;
use std::fs;

use fleet::{Fleet, HOSTS};

use crate::manual_recipes::recipe;
use crate::world::{Entry, Registry, privately, records, skip};

/// The agent of this id works on the second host, and is a ghost on the first.
const SHARED: &str = "shared-101010-aaaaaa";
/// A ghost of the second host.
const GHOST: &str = "ghost-101010-bbbbbb";

/// The ids in a host's registry.
fn ids(fleet: &Fleet, host: &str) -> BTreeSet<String> {
    let listed = fleet.ssh(host, "lsagents --workspace project").ok().records();
    listed.iter().filter_map(|record| Some(record["id"].as_str()?.to_owned())).collect()
}

/// The rows of a table that are about a host.
fn rows(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| HOSTS.iter().any(|host| line.starts_with(host)))
}

fn set<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.map(str::to_owned).into()
}

#[test]
fn hosts_are_scanned_together_judged_apart_and_cleaned_up_each_by_itself() {
    privately(|| {
        let fleet = match Fleet::start() {
            Ok(fleet) => fleet,
            Err(reason) => {
                let name = "hosts_are_scanned_together_judged_apart_and_cleaned_up_each_by_itself";
                return skip(&format!("hosts::{name}"), &reason);
            }
        };
        let [scan, act, send] =
            ["Scan all of them", "Clean up each of them", "Clean up from stored findings"]
                .map(recipe);
        let [one, two] = HOSTS;
        fleet.agent(one, "other-101010-cccccc");
        fleet.agent(two, SHARED);
        let leaks = HOSTS.map(|host| fleet.leak(host));
        std::thread::sleep(std::time::Duration::from_millis(2100));
        let fill = |host: &str| {
            let ids = if host == one { [SHARED, "other-101010-cccccc"] } else { [SHARED, GHOST] };
            fleet.write_registry(host, &Registry::new(ids.map(Entry::new)));
        };
        HOSTS.iter().copied().for_each(fill);

        // Each host is judged by its own records.
        let seen = fleet.recipe(&scan).expect(&[1]);
        assert_eq!(seen.err, "");
        let seen_rows: Vec<Vec<&str>> =
            rows(&seen.out).map(|r| r.split_whitespace().collect()).collect();
        let about = |host: &str, kind: &str, target: &str| {
            seen_rows
                .iter()
                .filter(|row| row[..2] == [host, kind] && row[2..].contains(&target))
                .count()
        };
        assert_eq!(seen_rows.len(), 4, "{}", seen.out);
        assert_eq!(about(one, "ghost_agent", SHARED), 1, "{}", seen.out);
        assert_eq!(about(two, "ghost_agent", GHOST), 1, "{}", seen.out);
        for (host, leak) in HOSTS.iter().zip(leaks) {
            assert_eq!(about(host, "leaked_process", &leak.to_string()), 1, "{}", seen.out);
        }
        let scans = records(&fs::read_to_string(fleet.home().join("scans")).unwrap());
        for field in ["host", "boot_id", "pid_ns"] {
            let ends = scans.iter().filter(|record| record["type"] == "end");
            let values: BTreeSet<&str> = ends.map(|end| end[field].as_str().unwrap()).collect();
            assert_eq!(values.len(), 2, "{field}");
        }

        // Stored findings, without one that is to stay: the leak of the first host.
        let but_one = format!("jq -c 'select(.host != \"{one}\" or .process == null)'");
        let cut =
            format!("agentdiff scans >findings\n{but_one} findings >kept\nmv kept findings\n");
        let cut = send.replace("agentdiff scans >findings\n", &cut);
        assert_ne!(cut, send);
        let sent = fleet.recipe(&cut).ok();
        let done = rows(&sent.out).filter(|row| row.contains("\tdone ")).count();
        assert_eq!(done, 3, "{}", sent.out);
        assert_eq!(ids(&fleet, one), set(["other-101010-cccccc"]));
        assert_eq!(ids(&fleet, two), set([SHARED]));
        assert!(fleet.claudes(one).contains(&leaks[0]));
        assert!(!fleet.claudes(two).contains(&leaks[1]));

        // On the wrong host all findings are refused, also if it has a process of that pid.
        HOSTS.iter().copied().for_each(fill);
        let before = fs::read(fleet.registry(two)).unwrap();
        let living = fleet.claudes(two);
        let wrong = format!(
            "agentdiff scans | jq -c 'select(.host == \"{one}\")' | ssh {two} agentprune --yes"
        );
        let refused = fleet.recipe(&wrong).expect(&[1]).records();
        assert_eq!(refused.len(), 2);
        assert!(refused.iter().all(|action| action["result"] == "refused"), "{refused:?}");
        assert_eq!(fs::read(fleet.registry(two)).unwrap(), before);
        assert_eq!(fleet.claudes(two), living);

        // Each host cleans up by itself, and says nothing.
        let cleaned = fleet.recipe(&act).ok();
        assert_eq!((cleaned.out.as_str(), cleaned.err.as_str()), ("", ""));
        assert_eq!(ids(&fleet, one), set(["other-101010-cccccc"]));
        assert_eq!(ids(&fleet, two), set([SHARED]));
        assert!(!fleet.claudes(one).contains(&leaks[0]));
        assert_eq!(HOSTS.map(|host| fleet.claudes(host).len()), [1, 1], "those at work");
        for host in HOSTS {
            fleet.ssh(host, "test -s agentprune.log").ok();
        }

        // The tmux of one host cannot be asked: no findings for either.
        HOSTS.iter().copied().for_each(fill);
        let server = fleet.ssh(two, "tmux display-message -p '#{pid}'").ok().out;
        fleet.ssh(two, &format!("kill -STOP {server}")).ok();
        let stopped = fleet.recipe(&scan).expect(&[2]);
        assert_eq!(rows(&stopped.out).count(), 0, "{}", stopped.out);
        assert!(stopped.err.contains("hosts not scanned completely: 1"), "{}", stopped.err);
        assert!(stopped.err.contains("the scan of sessions on web2"), "{}", stopped.err);
        fleet.ssh(two, &format!("kill -CONT {server}")).ok();

        // A scan that is cut off on its way, likewise.
        let cut = fleet.recipe(&scan.replace("lssessions", "lssessions | head -n 1")).expect(&[2]);
        assert_eq!(rows(&cut.out).count(), 0, "{}", cut.out);
        assert!(cut.err.contains("no end record"), "{}", cut.err);

        // A host that does not answer is reported; the other is judged.
        fleet.switch_off(two);
        let missing = fleet.recipe(&scan).expect(&[1]);
        assert!(missing.err.contains("hosts not scanned completely: 1"), "{}", missing.err);
        let others = rows(&missing.out).filter(|row| !row.starts_with(one)).count();
        assert_eq!((rows(&missing.out).count(), others), (1, 0), "{}", missing.out);
        let cleaned = fleet.recipe(&act).expect(&[1]);
        assert!(cleaned.err.lines().all(|line| line.starts_with("web2\t")), "{}", cleaned.err);
        assert_eq!(ids(&fleet, one), set(["other-101010-cccccc"]));
    });
}
