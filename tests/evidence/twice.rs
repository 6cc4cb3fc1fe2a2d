//! `--confirmed-by`: nothing ends because of one glance.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::{AGENTS, Entry, Ran, Registry, World, alive, records, run, wait_until};

/// These findings as a run would have made them so many seconds before.
pub fn earlier(findings: &str, seconds: i64) -> String {
    let before = |mut record: Value| {
        if let Some(taken_at) = record["evidence"]["taken_at"].as_str() {
            let taken_at: Timestamp = taken_at.parse().unwrap();
            let taken_at = taken_at - SignedDuration::from_secs(seconds);
            record["evidence"]["taken_at"] = json!(taken_at.to_string());
        }
        format!("{record}\n")
    };
    records(findings).into_iter().map(before).collect()
}

struct Twice {
    world: World,
    /// The file of the earlier findings.
    last: PathBuf,
}

impl Twice {
    fn new() -> Twice {
        let world = World::new();
        let last = world.path().join("last");
        Twice { world, last }
    }

    fn prune(&self, findings: &str, options: &[&str]) -> Ran {
        let mut prune = self.world.tool("agentprune");
        run(prune.args(["--yes", "--confirmed-by"]).arg(&self.last).args(options), findings)
    }
}

/// How many actions have each result.
fn count(ran: &Ran, result: &str) -> usize {
    ran.records().iter().filter(|action| action["result"] == result).count()
}

#[test]
fn h69_the_first_run_only_looks_and_a_later_one_acts() {
    let twice = Twice::new();
    let sample = twice.world.sample();
    let findings = &sample.findings;
    let ran = twice.prune(findings, &[]).ok();
    assert_eq!(count(&ran, "unconfirmed"), 4, "{}", ran.out);
    assert!(ran.err.contains("no such file, so nothing is confirmed; only looking"), "{}", ran.err);
    twice.world.assert_untouched(&sample, "without earlier findings");
    // Cron mails nothing about it.
    let ran = twice.prune(findings, &["--quiet", "--table"]).ok();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));

    // The same file as both; the run before, a moment ago.
    for seconds in [0, 1, 59] {
        fs::write(&twice.last, earlier(findings, seconds)).unwrap();
        let ran = twice.prune(findings, &[]).ok();
        assert_eq!(count(&ran, "unconfirmed"), 4, "{seconds}: {}", ran.out);
        assert!(ran.out.contains(&format!("{seconds} s earlier")), "{}", ran.out);
        twice.world.assert_untouched(&sample, "a moment ago");
    }
    // That file is young, but what it says is old.
    fs::write(&twice.last, earlier(findings, 60)).unwrap();
    let ran = twice.prune(findings, &[]).ok();
    assert_eq!(count(&ran, "done"), 4, "{}", ran.out);
    assert!(!alive(sample.leaked.pid) && alive(sample.live.claude.pid));
}

#[test]
fn h69_only_what_was_there_both_times_ends() {
    let twice = Twice::new();
    let world = &twice.world;
    let sample = world.sample();
    let before = earlier(&sample.findings, 600);
    // Meanwhile the leak has ended and there is another; the session was made anew, with the
    // same name; the agent was deployed again under its old id.
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(sample.leaked.pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    world.tmux(&["kill-session", "-t", &format!("={}", sample.zombie)]).ok();
    let other = world.leaked(&[]);
    let zombie_pane = world.session(&sample.zombie, "sleep 3600");
    let again = Entry::new(AGENTS[1]).set("started_at", "2025-10-30T08:00:00.000001");
    let entries = [Entry::new(AGENTS[0]), again, Entry::new(AGENTS[2])];
    world.write_global(&Registry::new(entries));
    let mut now = String::new();
    wait_until(
        || "the findings",
        || {
            now = world.findings(&[]);
            records(&now).iter().filter(|f| !f["action"].is_null()).count() == 4
        },
    );
    fs::write(&twice.last, &before).unwrap();
    let ran = twice.prune(&now, &[]);
    let results: Vec<(Value, Value)> = ran
        .records()
        .into_iter()
        .map(|mut action| (action["target"].take(), action["result"].take()))
        .collect();
    // The zombie's entry is confirmed; its session is not, and so is there: it is no ghost.
    let expected = [
        (format!("process {}", other.pid), "unconfirmed"),
        (format!("session {}", sample.zombie), "unconfirmed"),
        (format!("agent {}", AGENTS[1]), "unconfirmed"),
        (format!("agent {}", AGENTS[2]), "skipped"),
    ];
    for (target, result) in expected {
        assert!(results.contains(&(json!(target), json!(result))), "{target}: {results:?}");
    }
    assert!(alive(other.pid) && alive(zombie_pane));
    // Findings of another boot confirm nothing.
    let boot = records(&now)[0]["boot_id"].as_str().unwrap().to_owned();
    let rebooted = earlier(&now, 600).replace(&boot, "11111111-2222-3333-4444-555555555555");
    fs::write(&twice.last, rebooted).unwrap();
    let ran = twice.prune(&now, &[]).ok();
    assert_eq!(count(&ran, "unconfirmed"), 4, "{}", ran.out);
    assert!(ran.out.contains("before the last boot"), "{}", ran.out);
}

#[test]
fn h69_earlier_findings_that_cannot_be_trusted_are_an_error() {
    let twice = Twice::new();
    let sample = twice.world.sample();
    let good = earlier(&sample.findings, 600);
    let last = &twice.last;
    let refused = |why: &str| {
        let ran = twice.prune(&sample.findings, &[]).expect(&[2]);
        assert!(ran.err.contains("--confirmed-by: ") && ran.err.contains(why), "{}", ran.err);
        assert!(ran.err.contains("nothing was done") && ran.out.is_empty(), "{}", ran.err);
        twice.world.assert_untouched(&sample, why);
    };
    let last_line = good.trim_end().rfind('\n').unwrap() + 1;
    let without_end = &good[..last_line];
    let fewer = good.split_once('\n').unwrap().1;
    for (text, why) in [
        ("", "neither findings nor an end record"),
        ("{", "not a record"),
        (without_end, "cut off"),
        (fewer, "cut off, or lines were left out"),
        (&good[..good.len() / 2], "not a record"),
        ("\u{0}\u{1}", "not a record"),
    ] {
        fs::write(last, text).unwrap();
        refused(why);
    }
    fs::write(last, twice.world.scan()).unwrap();
    refused("a record of a lister");
    fs::write(last, [0xff, 0xfe]).unwrap();
    refused("UTF-8");
    // Nobody writes to the FIFO: it is not waited for.
    fs::remove_file(last).unwrap();
    run(twice.world.command("mkfifo").arg(last), "").ok();
    refused("not a regular file");
    fs::remove_file(last).unwrap();
    fs::create_dir(last).unwrap();
    refused("not a regular file");
    fs::remove_dir(last).unwrap();
    std::os::unix::fs::symlink("/dev/zero", last).unwrap();
    refused("not a regular file");
    fs::remove_file(last).unwrap();
    fs::write(last, &good).unwrap();
    if nix::unistd::geteuid().is_root() {
        chown(last, Some(12345), None).unwrap();
        refused("it belongs to uid 12345");
        chown(last, Some(0), None).unwrap();
    }
    assert_eq!(count(&twice.prune(&sample.findings, &[]).ok(), "done"), 4);
}
