//! Things that are born while one scans, and times that may mean two instants.

use std::fs;

use serde_json::{Value, json};

use crate::world::{Entry, Ran, Registry, World, alive, of_kind, records, run, wait_until};

fn scan(world: &World, lister: &str) -> String {
    let mut lister = match lister {
        "lsagents" => world.lsagents(),
        "lssessions" => world.lssessions(),
        _ => world.lsclaude(),
    };
    run(&mut lister, "").ok().out
}

/// The judgement as it is by default, those too young left out.
fn judge(world: &World, scan: &str) -> Ran {
    run(&mut world.tool("agentdiff"), scan).expect(&[0, 1])
}

fn too_young(judged: &Ran) -> u64 {
    judged.records().last().expect("an end")["too_young"].as_u64().expect("a number")
}

#[test]
fn h16_what_is_younger_than_its_evidence_is_not_judged() {
    between_two_looks();
    younger_than_min_age();
    agents_that_are_born_all_the_time();
    times_of_a_registry();
}

fn between_two_looks() {
    let world = World::new();
    world.session("other", "sleep 3600");
    world.write_global(&Registry::default());
    let agents = scan(&world, "lsagents");
    let sessions = scan(&world, "lssessions");
    let processes = scan(&world, "lsclaude");

    // The session first, then the entry, as the orchestrator does.
    let born = world.agent_session("born-1-2", &[]);
    let lost = world.leaked(&[]);
    world.write_global(&Registry::new([Entry::new("born-1-2")]));
    let later = ["lsagents", "lssessions", "lsclaude"].map(|lister| scan(&world, lister));

    // An agent born after the sessions were listed is no ghost, in whatever order the
    // scans come.
    for stream in [
        [&sessions, &later[0], &later[2]],
        [&later[0], &sessions, &later[2]],
        [&sessions, &later[0], &processes],
    ] {
        let stream = stream.map(String::as_str).concat();
        let judged = run(&mut world.tool("agentdiff"), &stream);
        assert_eq!(of_kind(&judged.out, "ghost_agent"), [] as [Value; 0]);
        // Where nothing else was judged either, that is not "nothing to do".
        assert!(matches!(judged.code, 0 | 2), "{}", judged.out);
        assert_eq!(judged.records().last().unwrap()["unjudged"]["agents"], 1);
        let why = "1 agent not judged: the scan of sessions is older than the scan of agents";
        assert!(judged.err.contains(why), "{}", judged.err);
    }
    // Nor is its Claude a leak, nor its session a zombie. What nobody holds is too young.
    let stream = [agents.as_str(), &sessions, &later[2]].concat();
    let judged = judge(&world, &stream);
    assert_eq!(of_kind(&judged.out, "leaked_process"), [] as [Value; 0]);
    let untracked = of_kind(&judged.out, "untracked_process");
    let pids: Vec<_> = untracked.iter().map(|finding| &finding["process"]["pid"]).collect();
    assert_eq!(pids, [&json!(born.claude.pid)], "its shell holds it");
    assert_eq!(too_young(&judged), 1, "{}", judged.out);
    let stream = [agents.as_str(), &later[1], &processes].concat();
    let judged = judge(&world, &stream);
    for kind in ["zombie_session", "busy_session", "leaked_process"] {
        let found = of_kind(&judged.out, kind);
        assert!(found.iter().all(|finding| finding["action"].is_null()), "{kind}: {found:?}");
    }
    assert_eq!(judged.code, 0, "{}", judged.out);
    // The ordinary order would have shown it all.
    let judged = world.diff(&later.concat(), &[]).expect(&[1]);
    let kinds: Vec<_> = judged.records().iter().map(|f| f["target"].to_string()).collect();
    assert_eq!(kinds[0], format!("\"process {}\"", lost.pid), "{kinds:?}");
    assert_eq!(kinds.len(), 2, "{kinds:?}");
}

fn younger_than_min_age() {
    let world = World::new();
    // So that even a slow machine sees it while it is young.
    world.session("agent_young-1-2", "sleep 3600");
    world.session("other", "sleep 3600");
    world.write_global(&Registry::new([Entry::new("young-1-2")]));
    let lost = world.leaked(&[]);
    let mut stream = String::new();
    wait_until(
        || "the zombie",
        || {
            stream = world.scan();
            of_kind(&world.diff(&stream, &[]).out, "zombie_session").len() == 1
        },
    );
    let judged = world.diff(&stream, &["--min-age", "1h"]).ok();
    let [end] = &judged.records()[..] else { panic!("{}", judged.out) };
    assert_eq!((&end["too_young"], &end["count"]), (&json!(2), &json!(0)));
    assert!(judged.err.contains("2 too young to judge (under 3600 s"), "{}", judged.err);
    world.prune(&judged.out, &["--yes"]).ok();

    // Two seconds are the default, and both grow older than that.
    let mut judged = judge(&world, &world.scan());
    wait_until(
        || "the age of two seconds",
        || {
            let old = too_young(&judged) == 0;
            let kinds = [("leaked_process", 1), ("zombie_session", 1), ("ghost_agent", 1)];
            for (kind, count) in kinds.into_iter().filter(|_| old) {
                assert_eq!(of_kind(&judged.out, kind).len(), count, "{}", judged.out);
            }
            if !old {
                judged = judge(&world, &world.scan());
            }
            old
        },
    );
    let leak = &of_kind(&judged.out, "leaked_process")[0];
    assert_eq!(leak["process"]["pid"], lost.pid);
    let instant = |text: &Value| -> jiff::Timestamp { text.as_str().unwrap().parse().unwrap() };
    let listed = records(&scan(&world, "lssessions"));
    let session = listed.iter().find(|session| session["name"] == "agent_young-1-2").unwrap();
    for born in [&leak["process"]["started"], &session["created"]] {
        let age = jiff::Timestamp::now().duration_since(instant(born));
        assert!(age.as_secs() >= 2, "{age}");
    }
}

/// Times without an offset are local time: in the hour that comes twice, the later one, by
/// which an agent is rather taken for younger.
fn times_of_a_registry() {
    let world = World::new();
    for (zone, written, instant) in [
        ("America/New_York", "2025-11-02T01:30:00", "2025-11-02T06:30:00Z"),
        ("America/New_York", "2025-11-02T01:30:00.000001", "2025-11-02T06:30:00.000001Z"),
        ("America/New_York", "2025-11-02T00:30:00", "2025-11-02T04:30:00Z"),
        ("America/New_York", "2025-11-02T02:30:00", "2025-11-02T07:30:00Z"),
        ("Europe/Berlin", "2025-10-26T02:30:00", "2025-10-26T01:30:00Z"),
        // The hour that is left out.
        ("America/New_York", "2025-03-09T02:30:00", "2025-03-09T07:30:00Z"),
        // A cron job on a machine in UTC.
        ("UTC", "2025-11-02T01:30:00.123456", "2025-11-02T01:30:00.123456Z"),
        ("", "2025-11-02T01:30:00", "2025-11-02T01:30:00Z"),
        // It says itself what it means.
        ("America/New_York", "2025-11-02T01:30:00-04:00", "2025-11-02T05:30:00Z"),
        ("America/New_York", "2025-11-02T01:30:00Z", "2025-11-02T01:30:00Z"),
        ("America/New_York", "2025-11-02T01:30:00+00:00", "2025-11-02T01:30:00Z"),
        ("America/New_York", "yesterday", ""),
    ] {
        world.write_global(&Registry::new([Entry::new("a-1-2").set("started_at", written)]));
        let mut lister = world.lsagents();
        let listed = run(lister.env("TZ", zone), "").ok().records();
        let expected = if instant.is_empty() { Value::Null } else { instant.into() };
        assert_eq!(listed[0]["started"], expected, "{zone}: {written}");
        assert_eq!(listed[0]["started_at"], written);
    }
}

/// What is listed while agents come and go is never found to be a ghost.
fn agents_that_are_born_all_the_time() {
    let world = World::new();
    world.session("other", "sleep 3600");
    world.write_global(&Registry::default());
    let stop = world.path().join("stop");
    let script = world.path().join("orchestrator.py");
    fs::write(&script, ORCHESTRATOR).unwrap();
    let mut python = world.command("python3");
    python.arg(script).arg(world.global_path()).arg(world.socket()).arg(&stop).arg(world.name());
    let python = world.spawn(python);
    let mut rounds = 0;
    wait_until(
        || "20 births",
        || {
            let scan = world.scan();
            let judged = judge(&world, &scan);
            assert_eq!((judged.code, of_kind(&judged.out, "ghost_agent")), (0, vec![]));
            rounds += 1;
            scan.matches("\"type\":\"agent\"").count() >= 20 && rounds >= 5
        },
    );
    fs::write(stop, "").unwrap();
    wait_until(|| "the orchestrator to end", || !alive(python));
}

/// Makes the session, then the entry, under the lock.
const ORCHESTRATOR: &str = r#"
import fcntl, json, os, subprocess, sys, time
path, socket, stop, claude = sys.argv[1:]
for number in range(10000):
    if os.path.exists(stop):
        break
    name = f'agent_born-1-{number}'
    subprocess.run(['tmux', '-S', socket, 'new-session', '-d', '-s', name, claude], check=True)
    with open(path, 'r+') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        registry = json.load(file)
        registry['agents'][f'born-1-{number}'] = {'id': f'born-1-{number}', 'tmux_session': name}
        registry['total_agents_spawned'] = len(registry['agents'])
        registry['active_agents'] = len(registry['agents'])
        file.seek(0)
        file.truncate()
        json.dump(registry, file, indent=2)
    time.sleep(0.05)
"#;
