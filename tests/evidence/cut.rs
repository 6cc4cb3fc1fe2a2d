//! Pipelines of which a part is missing: a shell does not say that a program failed.

use std::process::Stdio;

use crate::world::{AGENTS, Entry, Registry, Sample, World, of_kind, records, run, wait_until};

/// What each lister says, and what depends on it as evidence of absence.
struct Scans {
    agents: String,
    sessions: String,
    processes: String,
}

const OF_SESSIONS: [&str; 3] = ["ghost_agent", "leaked_process", "untracked_process"];

fn none_of(findings: &str, kinds: &[&str], what: &str) {
    for kind in kinds {
        assert!(of_kind(findings, kind).is_empty(), "{what}: {findings}");
    }
}

/// The stream is refused as a whole: no finding, and nothing is done.
fn is_refused(world: &World, sample: &Sample, stream: &str, what: &str) {
    let judged = world.diff(stream, &[]).expect(&[2]);
    let [end] = &judged.records()[..] else { panic!("{what}: {}", judged.out) };
    assert_eq!((&end["type"], &end["complete"]), (&"end".into(), &false.into()), "{what}");
    assert!(judged.err.contains("no conclusion is drawn"), "{what}: {}", judged.err);
    let pruned = world.prune(&judged.out, &["--yes"]).expect(&[2]);
    assert!(pruned.err.contains("nothing was done"), "{what}: {}", pruned.err);
    world.assert_untouched(sample, what);
}

/// Servers of other tests in pid namespaces of their own are not this world's.
#[test]
fn h28_a_cut_pipeline_finds_nothing_that_needed_the_rest() {
    let world = World::new();
    let sample = world.sample();
    // An agent session that no entry names, and wrong counters: findings of all kinds.
    world.agent_session("orphan-1-2", &[]);
    let registry = world.write_global(&Registry::new(AGENTS.map(Entry::new)));
    let said = |mut lister| run(&mut lister, "").ok().out;
    let scans = Scans {
        agents: said(world.lsagents()),
        sessions: said(world.lssessions()),
        processes: said(world.lsclaude()),
    };
    let Scans { agents, sessions, processes } = &scans;
    let whole = world
        .diff(&[agents.as_str(), sessions, processes].concat(), &["--ignore-unasked"])
        .expect(&[1]);
    for (kind, count) in
        [("ghost_agent", 2), ("leaked_process", 1), ("zombie_session", 1), ("orphan_session", 1)]
    {
        assert_eq!(of_kind(&whole.out, kind).len(), count, "{}", whole.out);
    }

    // A lister is missing altogether: "command not found", with the rest of the pipeline.
    // Without sessions neither agents nor processes can be judged: that is trouble.
    for (stream, needed, code, why) in [
        ([agents, processes], &OF_SESSIONS[..], 2, "there is no scan of sessions"),
        ([agents, sessions], &["zombie_session", "busy_session"], 1, "no scan of processes"),
        ([sessions, processes], &["orphan_session", "count_mismatch"], 1, "no scan of agents"),
    ] {
        let judged =
            world.diff(&stream.map(String::as_str).concat(), &["--ignore-unasked"]).expect(&[code]);
        none_of(&judged.out, needed, why);
        assert!(judged.err.contains(why), "{}", judged.err);
    }
    let pipeline = format!(
        "{{ lsagents; lssession -S '{}'; lsclaude --name {}; }} | agentdiff --min-age 0s | \
         agentprune --yes",
        world.socket().display(),
        world.name()
    );
    let ran = run(world.command("sh").args(["-c", &pipeline]), "").ok();
    assert!(ran.err.contains("lssession") && ran.err.contains("nothing to do"), "{}", ran.err);
    world.assert_untouched(&sample, "no lssessions");

    // Its output ends anywhere: at every line, in lines, before the very last byte.
    let lines: Vec<usize> = sessions.match_indices('\n').map(|(at, _)| at + 1).collect();
    let last = *lines.last().expect("an end");
    let end = lines[lines.len() - 2];
    let mut cuts = lines[..lines.len() - 1].to_vec();
    cuts.extend([1, lines[0] / 2, end + 1, end + 20, (end + last) / 2, last - 3, last - 2]);
    for cut in cuts {
        let what = format!("sessions cut at {cut} of {last}");
        let sessions = &sessions[..cut];
        is_refused(&world, &sample, &[agents, sessions, processes].concat(), &what);
        is_refused(&world, &sample, &[agents, processes, sessions].concat(), &what);
        is_refused(&world, &sample, &[sessions, agents, processes].concat(), &what);
    }
    // Without its last newline it is whole by itself, but runs into what comes after it.
    let sessions_cut = &sessions[..last - 1];
    is_refused(&world, &sample, &[agents, sessions_cut, processes].concat(), "no newline");
    let judged =
        world.diff(&[agents, processes, sessions_cut].concat(), &["--ignore-unasked"]).expect(&[1]);
    assert_eq!(judged.out, whole.out);
    // The same happens to the others.
    for (cut, rest) in [(agents, [sessions, processes]), (processes, [agents, sessions])] {
        for keep in [0.3, 0.6, 0.95] {
            let keep = (cut.len() as f64 * keep) as usize;
            let keep = cut.floor_char_boundary(keep);
            let stream = [&cut[..keep], "\n", rest[0], rest[1]].concat();
            is_refused(&world, &sample, &stream, "another one cut");
        }
    }

    // Something between loses lines.
    for (filter, dropped) in [
        (r#"select(.type != "end")"#, "no end record"),
        (r#"select(.type == "session")"#, "no end record"),
        (r#"select(.of != "sessions")"#, "no end record"),
        (r#"select(.name != "agent_orphan-1-2")"#, "says 3 records, 2 came"),
        (r#"select(.type == "end")"#, "says 3 records, 0 came"),
        (r"., .", "a second end"),
    ] {
        let filtered = run(world.command("jq").args(["-c", filter]), sessions).ok().out;
        let stream = [agents.as_str(), &filtered, processes].concat();
        is_refused(&world, &sample, &stream, filter);
        let judged = world.diff(&stream, &[]).expect(&[2]);
        assert!(judged.err.contains(dropped), "{filter}: {}", judged.err);
    }
    // lssessions' own filter says that it is one.
    let own = run(world.lssessions().args(["-Q", ".name != \"agent_orphan-1-2\""]), "").ok().out;
    let judged = world
        .diff(&[agents, own.as_str(), processes].concat(), &["--ignore-unasked"])
        .expect(&[0, 1]);
    none_of(&judged.out, &OF_SESSIONS, "-Q");
    assert!(judged.err.contains("the scan of sessions was filtered"), "{}", judged.err);

    killed_half_way(&world, &sample, &scans);
    assert_eq!(std::fs::read_to_string(world.global_path()).unwrap(), registry);
}

/// lssessions is killed while it waits for tmux, and after it has written something.
fn killed_half_way(world: &World, sample: &Sample, scans: &Scans) {
    let directory = world.path().join("slow");
    std::fs::create_dir(&directory).unwrap();
    // For the test to see that it was started.
    let fake = format!("#!/bin/sh\n: >'{}/started'\nexec sleep 60\n", directory.display());
    std::fs::write(directory.join("tmux"), fake).unwrap();
    run(world.command("chmod").arg("755").arg(directory.join("tmux")), "").ok();
    let mut lister = world.lssessions();
    let path = lister.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
    let path = format!("{}:{}", directory.display(), path.unwrap().to_str().unwrap());
    let mut lister = lister.env("PATH", path).stdout(Stdio::piped()).spawn().unwrap();
    wait_until(|| "the slow tmux", || directory.join("started").exists());
    lister.kill().unwrap();
    let said = lister.wait_with_output().unwrap();
    assert_eq!((said.stdout.as_slice(), said.status.success()), (&b""[..], false));
    let stream = [scans.agents.as_str(), &scans.processes].concat();
    none_of(&world.diff(&stream, &[]).expect(&[2]).out, &OF_SESSIONS, "killed");

    // Nobody reads, so it is still writing when it is killed: of 1 000 sessions' worth.
    let many: String = {
        let line = scans.sessions.lines().next().unwrap();
        format!("{line}\n").repeat(1000)
    };
    let pipeline = format!("head -c {} | cat", many.len() * 2 / 3);
    let cut = run(world.command("sh").args(["-c", &pipeline]), &many).ok().out;
    assert!(records(cut.rsplit_once('\n').unwrap().0).len() > 600);
    let stream = [scans.agents.as_str(), &cut, "\n", &scans.processes].concat();
    is_refused(world, sample, &stream, "killed while it wrote");
}
