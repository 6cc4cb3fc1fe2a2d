//! Running unattended: with an empty environment, and as a line of a crontab. What cron
//! would mail is what such a line prints.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{agent, ids, installed, leak};
use crate::evidence::earlier;
use crate::manual_recipes::{recipe, sources};
use crate::world::{Entry, Ran, Registry, World, alive, privately, records, run, wait_until};

/// The entry that goes and the one that stays.
const AGENTS: [&str; 2] = ["ghost-101010-aaaaaa", "live-101010-bbbbbb"];

/// The directory with the tools.
fn tools(world: &World) -> PathBuf {
    PathBuf::from(world.tool("agentdiff").get_program()).parent().unwrap().to_owned()
}

/// A shell as cron starts it, except that nothing at all is set.
fn bare(line: &str) -> Command {
    let mut command = Command::new("env");
    command.args(["-i", "/bin/sh", "-c", line]).current_dir("/");
    command
}

#[test]
fn h32_an_empty_environment_is_enough_or_it_says_what_to_set() {
    let world = World::new();
    world.write_global(&Registry::new(AGENTS.map(Entry::new)).counters(7, 7));
    world.agent_session(AGENTS[1], &[]);
    let leaked = world.leaked(&[]).pid;
    let tools = tools(&world);
    let (tools, home) = (tools.display(), world.path().display());
    let (name, socket) = (world.name(), world.socket().display());

    // Without a workspace: every place is named, and what to set.
    let ran = run(&mut bare(&format!("'{tools}/lsagents'")), "").expect(&[2]);
    for said in
        ["no workspace found", "--workspace", "CLAUDE_ORCHESTRATOR_WORKSPACE", "/.agent-workspace"]
    {
        assert!(ran.err.contains(said), "{said} in {}", ran.err);
    }
    assert_eq!(ran.records()[0]["complete"], false);

    // Each tool by its path, one after the other.
    let line = format!(
        "'{tools}/lsagents' --workspace '{home}' && '{tools}/lssessions' -S '{socket}' && \
         '{tools}/lsclaude' --name {name}"
    );
    let scan = run(&mut bare(&line), "").ok();
    assert_eq!(scan.err, "");
    assert_eq!(scan.records().iter().filter(|record| record["type"] == "session").count(), 1);
    let findings =
        run(&mut bare(&format!("'{tools}/agentdiff' --min-age 0")), &scan.out).expect(&[1]);
    let kinds = ["ghost_agent", "leaked_process", "count_mismatch"];
    for kind in kinds {
        assert!(findings.out.contains(&format!("\"kind\":\"{kind}\"")), "{kind}: {}", findings.out);
    }
    let planned = run(&mut bare(&format!("'{tools}/agentprune'")), &findings.out).ok();
    assert_eq!(planned.records().len(), 3);

    // The scripts, in a directory without the programs: they say where they searched.
    for script in ["verify_cleanup.sh", "cleanup_leaked_agents.sh"] {
        let path = PathBuf::from(world.script(script).get_program());
        let path = path.display();
        let ran = run(&mut bare(&format!("'{path}'")), "").expect(&[2]);
        assert!(ran.err.contains("lsagents: not found beside this script"), "{}", ran.err);
        assert!(ran.err.contains("or on PATH"), "{}", ran.err);
    }
    for tool in ["lsagents", "lssessions", "lsclaude", "agentdiff", "agentprune"] {
        let beside = world.path().join("bin").join(tool);
        std::os::unix::fs::symlink(world.tool(tool).get_program(), beside).unwrap();
    }
    let bin = world.path().join("bin");
    let bin = bin.display();
    let ran = run(&mut bare(&format!("'{bin}/verify_cleanup.sh' -S '{socket}' --name {name}")), "");
    assert!(ran.code == 2 && ran.err.contains("CLAUDE_ORCHESTRATOR_WORKSPACE"), "{}", ran.err);
    let confined = format!("--workspace '{home}' -S '{socket}' --name {name}");
    thread::sleep(Duration::from_millis(2100));
    let ran = run(&mut bare(&format!("'{bin}/verify_cleanup.sh' {confined}")), "").expect(&[1]);
    assert!(ran.out.contains("Leaked Claude processes: 1"), "{}", ran.out);
    // Without HOME the log would be in that of the password database, not in this world.
    let cleanup = format!("'{bin}/cleanup_leaked_agents.sh' {confined} --yes --log '{home}/a log'");
    let ran = run(&mut bare(&cleanup), "").ok();
    assert!(ran.out.contains("Registry agents after: 1"), "{}", ran.out);
    let undo = format!("Undo the changes of registries: agentprune --undo --yes '{home}/a log'\n");
    assert!(ran.out.ends_with(&undo), "{}", ran.out);
    assert!(!alive(leaked));
    run(&mut bare(&format!("'{bin}/verify_cleanup.sh' {confined}")), "").ok();
}

/// The crontab of the manual: what it sets, and the command of its line.
fn crontab() -> (Vec<(String, String)>, String) {
    let (mut set, mut commands) = (Vec::new(), Vec::new());
    for line in recipe("With cron").lines() {
        let fields: Vec<&str> = line.splitn(6, ' ').collect();
        match (fields.get(5), line.split_once('=')) {
            (Some(command), _) => commands.push((*command).to_owned()),
            (None, Some((name, value))) => set.push((name.to_owned(), value.to_owned())),
            _ => panic!("neither a command nor a setting: {line}"),
        }
    }
    let [command] = &commands[..] else { panic!("{commands:?}") };
    // cron ends a command at a `%`.
    assert!(!command.contains('%'), "{command}");
    (set, command.clone())
}

/// A command as cron starts it, in the home directory, with what the crontab sets.
fn by_cron(world: &World, set: &[(String, String)], command: &str) -> Command {
    let mut cron = Command::new("env");
    cron.args(["-i", "SHELL=/bin/sh", "LOGNAME=nobody", "PATH=/usr/bin:/bin"]);
    cron.arg(format!("HOME={}", world.path().display()));
    cron.args(set.iter().map(|(name, value)| format!("{name}={value}")));
    cron.args(["/bin/sh", "-c", command]).current_dir(world.path());
    cron
}

/// The line of the manual, confined to the world. Everything in a world is young.
fn cron(world: &World, lssessions: &str, meanwhile: &str) -> Ran {
    let lsclaude = format!("lsclaude --name {}; {meanwhile}", world.name());
    let (set, mut command) = crontab();
    for (part, confined) in [
        ("$HOME/project", "$HOME"),
        ("lssessions;", &format!("{lssessions};")),
        ("lsclaude;", &lsclaude),
        ("--min-age 1m", "--min-age 0"),
        ("--log \"$HOME/agentprune.log\"", "--log cleanup.log --lock-timeout 1s"),
    ] {
        assert!(command.contains(part), "{part} in {command}");
        command = command.replace(part, confined);
    }
    let command = format!("PATH={}:$PATH; {command}", tools(world).display());
    run(&mut by_cron(world, &set, &command), "")
}

#[test]
fn the_readme_has_the_crontab_of_the_manual() {
    let readme = fs::read_to_string(sources().join("README.md")).unwrap();
    let indented: String = recipe("With cron").lines().map(|l| format!("    {l}\n")).collect();
    assert!(readme.contains(&indented), "not in README.md:\n{indented}");
}

#[test]
fn the_crontab_of_the_manual_works_as_it_stands() {
    privately(|| {
        let world = installed();
        let (set, command) = crontab();
        let start = || {
            let mut cron = by_cron(&world, &set, &command);
            cron.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            cron.spawn().unwrap()
        };
        let silent = |ran: Output, what: &str| {
            let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
            assert_eq!((ran.status.code(), said.as_str()), (Some(0), ""), "{what}");
        };
        let notes = || fs::read_to_string(world.path().join("agentdiff.notes")).unwrap();
        let of_result = |result: &str| {
            let log = fs::read_to_string(world.path().join("agentprune.log")).unwrap();
            records(&log).iter().filter(|action| action["result"] == result).count()
        };
        // As if the run before had been ten minutes earlier.
        let last = world.path().join("agentdiff.last");
        let ten_minutes_pass =
            || fs::write(&last, earlier(&fs::read_to_string(&last).unwrap(), 600)).unwrap();
        let live = agent(&world, AGENTS[1]);
        let leaked = leak(&world);
        let leaked_at = Instant::now();
        let ghosts = || (0..200).map(|number| Entry::new(&format!("ghost-{number}-abcdef")));
        let all = || Registry::new(ghosts().chain([Entry::new(AGENTS[1])]));

        // The first run only looks, and the second, a moment later, too: without a message. What
        // is young is not even seen.
        world.write_global(&all());
        for number in 1..=2 {
            silent(start().wait_with_output().unwrap(), "a first run");
            assert_eq!(ids(&world).len(), 201);
            assert_eq!((of_result("done"), of_result("unconfirmed")), (0, 200 * number));
        }
        ten_minutes_pass();
        silent(start().wait_with_output().unwrap(), "the next run");
        assert_eq!(ids(&world), [AGENTS[1]]);
        assert!(alive(leaked.pid) && notes().contains("too young to judge"), "{}", notes());
        assert_eq!(of_result("done"), 200);

        // Overlapping runs: each ghost is removed once, without a message.
        for round in 2..=6 {
            world.write_global(&all());
            silent(start().wait_with_output().unwrap(), "a run that looks");
            ten_minutes_pass();
            let runs = [(); 3].map(|()| start());
            runs.into_iter()
                .for_each(|run| silent(run.wait_with_output().unwrap(), "one of three"));
            assert_eq!(ids(&world), [AGENTS[1]], "round {round}");
            assert_eq!(of_result("done"), 200 * round);
        }
        assert!(alive(leaked.pid) || leaked_at.elapsed() > Duration::from_secs(60));

        // A person tries the line in a pane: that session is left alone too.
        let tried = format!("{command}; echo $? >tried; sleep 3600");
        let set: Vec<String> = set.iter().map(|(n, v)| format!("export {n}='{v}'; ")).collect();
        fs::write(world.path().join("try"), set.concat() + &tried).unwrap();
        thread::sleep(Duration::from_secs(61).saturating_sub(leaked_at.elapsed()));
        silent(start().wait_with_output().unwrap(), "the run that sees the leak");
        assert!(alive(leaked.pid));
        ten_minutes_pass();
        let pane = world.session("agent_trier", "sh ./try");
        let tried = world.path().join("tried");
        wait_until(|| "the line in a pane", || fs::metadata(&tried).is_ok_and(|f| f.len() > 0));
        assert_eq!(fs::read_to_string(tried).unwrap(), "0\n");
        assert!(!alive(leaked.pid), "{}", notes());
        assert!(alive(live.claude.pid) && alive(live.pane) && alive(pane));

        // The next run does nothing: the new leak is too young.
        let newcomer = leak(&world);
        ten_minutes_pass();
        silent(start().wait_with_output().unwrap(), "the last run");
        let left = fs::read_dir(world.path()).unwrap().flatten();
        let left = left.map(|file| file.file_name().into_string().unwrap());
        let mut left: Vec<String> = left.filter(|name| name.starts_with("agentdiff.")).collect();
        left.sort();
        assert_eq!(left, ["agentdiff.last", "agentdiff.notes"]);
        assert!(alive(newcomer.pid) && notes().contains("too young"), "{}", notes());
    });
}

#[test]
fn a_crontab_line_mails_what_a_person_must_know_and_nothing_else() {
    let world = World::new();
    world.write_global(&Registry::new(AGENTS.map(Entry::new)).counters(7, 7));
    world.write_task("TASK-1", &Registry::new([]));
    world.agent_session(AGENTS[1], &[]);
    let held = world.held_by_script();
    let listed = format!("lssessions -S '{}'", world.socket().display());
    let log = || fs::read_to_string(world.path().join("cleanup.log")).unwrap_or_default();
    let silent = |ran: Ran, what: &str| {
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{what}");
    };

    // Something to clean up: recorded in the log, without output.
    let leaked = world.leaked(&[]).pid;
    wait_until(
        || "tmux to have started the shell",
        || !world.findings(&[]).contains("busy_session"),
    );
    let last = world.path().join("agentdiff.last");
    let ten_minutes_pass =
        || fs::write(&last, earlier(&fs::read_to_string(&last).unwrap(), 600)).unwrap();
    silent(cron(&world, &listed, ""), "seen for the first time");
    assert!(alive(leaked));
    ten_minutes_pass();
    silent(cron(&world, &listed, ""), "cleaned");
    assert!(!alive(leaked));
    let cleaned = log();
    let done = records(&cleaned).into_iter().filter(|action| action["result"] == "done");
    let done: Vec<Value> = done.map(|action| action["action"].clone()).collect();
    assert_eq!(done, ["kill_process", "remove_entry", "set_counters"]);

    // Nothing to do: no output, although something is held and an agent works.
    silent(cron(&world, &listed, ""), "nothing to do");
    assert_eq!(log(), cleaned);
    assert!(alive(held.claude.pid));

    // An action that fails is printed in a table, with the reason.
    world.write_global(&Registry::new(AGENTS.map(Entry::new)));
    let before = fs::read(world.global_path()).unwrap();
    let leaked = world.leaked(&[]).pid;
    silent(cron(&world, &listed, ""), "seen for the first time");
    ten_minutes_pass();
    // The orchestrator takes the registry's lock after the scan, and keeps it.
    let locked = format!(
        "STANDIN_WORLD='{}' flock -F '{registry}' sleep 60 >/dev/null 2>&1 & echo $! >locker; \
         while flock -n '{registry}' true; do sleep 0.05; done;",
        world.path().display(),
        registry = world.global_path().display(),
    );
    let ran = cron(&world, &listed, &locked);
    let locker = fs::read_to_string(world.path().join("locker")).unwrap();
    kill(Pid::from_raw(locker.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{}", ran.out);
    assert!(ran.out.starts_with("RESULT"), "{}", ran.out);
    let rows: Vec<&str> = ran.out.lines().skip(1).take_while(|row| !row.is_empty()).collect();
    assert!(rows.iter().all(|row| row.starts_with("failed")), "{}", ran.out);
    assert!(rows[0].contains(AGENTS[0]) && rows[0].contains("lock"), "{}", ran.out);
    assert!(!alive(leaked), "what could be done was done");
    assert_eq!(fs::read(world.global_path()).unwrap(), before);

    // A server that cannot be asked: the reason is printed, and nothing is touched.
    let leaked = world.leaked(&[]).pid;
    let logged = log();
    let ran = cron(&world, "lssessions -S /nowhere/socket", "").expect(&[2]);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("no tmux server answers on /nowhere/socket"), "{}", ran.err);
    let last = ran.err.lines().last().unwrap();
    assert!(last.starts_with("agentprune: ") && last.ends_with("nothing was done"), "{}", ran.err);
    let ran = cron(&world, "lssessionsX", "");
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("lssessionsX"), "{}", ran.err);
    let notes = fs::read_to_string(world.path().join("agentdiff.notes")).unwrap();
    assert!(notes.contains("agents not judged: there is no scan of sessions"), "{notes}");
    assert!(alive(leaked));
    assert_eq!((fs::read(world.global_path()).unwrap(), log()), (before, logged));
}
