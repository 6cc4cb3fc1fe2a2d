//! The case of the cleanup guide, end to end, with the real tools on real processes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::world::{GuideCase, Ran, World, alive, run, stat, wait_until};

/// The snippet of the guide, with registry and tmux socket given.
const SNIPPET: &str = include_str!("bench/guide.py");

/// The case, old enough to be judged.
fn settled(world: &World) -> GuideCase {
    let case = world.guide_case();
    rewrite_with_python(&registry(world));
    std::thread::sleep(std::time::Duration::from_millis(3100));
    case
}

fn registry(world: &World) -> PathBuf {
    world.path().join(".agent-workspace/registry/GLOBAL_REGISTRY.json")
}

/// Rewrites the registry with Python, as the orchestrator does.
fn rewrite_with_python(path: &std::path::Path) {
    let script =
        "import json,sys; p=sys.argv[1]; d=json.load(open(p)); json.dump(d,open(p,'w'),indent=2)";
    run(std::process::Command::new("python3").args(["-c", script]).arg(path), "").ok();
}

fn script(world: &World, name: &str, arguments: &[&str], input: &str) -> Ran {
    run(world.script(name).args(arguments), input)
}

/// What must never change: the pids of all that lives, with their start times.
fn preserved(world: &World, case: &GuideCase) -> Vec<(i32, u64)> {
    let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
    let agents = case.live.iter().flat_map(|live| [live.pane, live.claude.pid]);
    let others = [case.work.claude.pid, case.editor, server.trim().parse().unwrap()];
    agents.chain(others).map(|pid| (pid, stat(pid).expect("a living process").start)).collect()
}

fn assert_preserved(before: &[(i32, u64)]) {
    for (pid, start) in before {
        assert!(alive(*pid) && stat(*pid).unwrap().start == *start, "process {pid} was to live");
    }
}

fn assert_cleaned(world: &World, case: &GuideCase, before: &[(i32, u64)], original: &str) {
    assert_preserved(before);
    assert!(!alive(case.leaked.pid), "the leaked process is dead");
    let sessions = world.session_names();
    assert!(!sessions.contains(&case.zombie), "{sessions:?}");
    assert_eq!(sessions.len(), 9);
    let text = fs::read_to_string(registry(world)).unwrap();
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["agents"].as_object().unwrap().len(), 8);
    assert_eq!((&parsed["total_agents_spawned"], &parsed["active_agents"]), (&8.into(), &8.into()));
    let twin = world.path().join("snippet.json");
    fs::write(&twin, original).unwrap();
    let mut snippet = std::process::Command::new("python3");
    snippet.args(["-c", SNIPPET]).arg(&twin).arg(world.socket());
    run(&mut snippet, "").ok();
    assert_eq!(
        text,
        fs::read_to_string(&twin).unwrap(),
        "byte for byte what the guide's snippet makes"
    );
}

#[test]
fn the_script_cleans_up_the_guides_case_and_nothing_else() {
    the_script_cleans(World::new());
}

#[test]
fn the_script_does_the_same_by_ps() {
    the_script_cleans(World::by_ps());
}

fn the_script_cleans(world: World) {
    let case = settled(&world);
    let original = fs::read_to_string(registry(&world)).unwrap();
    let before = preserved(&world, &case);

    let verify = script(&world, "verify_cleanup.sh", &[], "").expect(&[1]);
    assert!(verify.out.contains("✗ FAIL: Ghost agents in registry: 88"), "{}", verify.out);

    let cleanup = script(&world, "cleanup_leaked_agents.sh", &[], "yes\n").ok();
    for line in [
        "Claude processes running: 10",
        "Tmux sessions active: 10",
        "Do you want to proceed? (yes/no): ",
        "Step 1: ",
        "Step 5: ",
        "Claude processes killed: 1",
        "Tmux sessions killed: 1",
        "Claude processes remaining: 9",
        "Tmux sessions remaining: 9",
        "Registry agents before: 96",
        "Registry agents after: 8",
        "Active agents count: 8",
        "verify_cleanup.sh",
    ] {
        assert!(cleanup.out.contains(line), "{line} in {}", cleanup.out);
    }
    assert_cleaned(&world, &case, &before, &original);

    let verify = script(&world, "verify_cleanup.sh", &[], "").ok();
    assert!(!verify.out.contains("FAIL"), "{}", verify.out);
    let text = fs::read(registry(&world)).unwrap();
    let again = script(&world, "cleanup_leaked_agents.sh", &[], "yes\n").ok();
    assert!(again.out.contains("Nothing to clean up."), "{}", again.out);
    assert_eq!(fs::read(registry(&world)).unwrap(), text);
    assert_preserved(&before);
}

#[test]
fn a_refusal_and_a_dry_run_change_nothing() {
    let world = World::new();
    let case = settled(&world);
    let before = preserved(&world, &case);
    let state = || {
        let metadata = fs::metadata(registry(&world)).unwrap();
        let directory = fs::read_dir(registry(&world).parent().unwrap()).unwrap().count();
        let text = fs::read(registry(&world)).unwrap();
        (
            metadata.ino(),
            metadata.mtime_nsec(),
            metadata.mtime(),
            text,
            directory,
            world.session_names(),
        )
    };
    let untouched = state();
    for input in ["no\n", "", "y\n", "y\nno\n", "YES\n", "yes please\n"] {
        let ran = script(&world, "cleanup_leaked_agents.sh", &[], input).expect(&[1]);
        assert!(ran.out.contains("Aborted."), "{input:?}: {}", ran.out);
    }
    let dry = script(&world, "cleanup_leaked_agents.sh", &["--dry-run"], "").ok();
    assert!(dry.out.contains(&format!("process {}", case.leaked.pid)), "{}", dry.out);
    assert!(dry.out.contains(&format!("session {}", case.zombie)), "{}", dry.out);
    let ghosts = serde_json::from_str::<Value>(&case.registry).unwrap();
    let live: Vec<&str> = case.live.iter().map(|live| &live.session["agent_".len()..]).collect();
    for id in ghosts["agents"].as_object().unwrap().keys() {
        assert_eq!(
            dry.out.contains(&format!("agent {id}: ")),
            !live.contains(&id.as_str()),
            "{id}"
        );
    }
    for reason in ["its parent is gone", "sleep left, nobody attached", "no tmux session agent_"] {
        assert!(dry.out.contains(reason), "{reason}: {}", dry.out);
    }
    assert_eq!(state(), untouched);
    assert!(alive(case.leaked.pid) && alive(case.zombie_pane));
    assert_preserved(&before);
}

#[test]
fn the_pipeline_does_the_same_as_the_script() {
    the_pipeline_cleans(World::new());
}

#[test]
fn the_pipeline_does_the_same_by_ps() {
    the_pipeline_cleans(World::by_ps());
}

fn the_pipeline_cleans(world: World) {
    let case = settled(&world);
    let original = fs::read_to_string(registry(&world)).unwrap();
    let before = preserved(&world, &case);
    let source: Vec<&str> = world.source_option().collect();
    let source = source.join(" ");
    let pipeline = format!(
        "{{ lsagents; lssessions -S '{}' {source}; lsclaude --name {} {source}; }} \
         | agentdiff | agentprune --yes --log log",
        world.socket().display(),
        world.name()
    );
    let ran = run(world.command("sh").args(["-c", &pipeline]), "").ok();
    assert_cleaned(&world, &case, &before, &original);
    let results: Vec<Value> = ran.records();
    let source = if world.reads_ps() { "ps" } else { "proc" };
    let of_finding = |action: &Value| action["finding"]["evidence"]["proc_source"] == source;
    assert!(results.iter().all(of_finding), "{}", ran.out);
    assert_eq!(results.len(), 91);
    assert!(results.iter().all(|action| action["type"] == "action" && action["result"] == "done"));
    let log = fs::read_to_string(world.path().join("log")).unwrap();
    assert_eq!(log.matches("\"result\":\"planned\"").count(), 91);
    assert_eq!(log.matches("\"result\":\"done\"").count(), 91);
}

#[test]
fn the_pipeline_does_the_same_through_files() {
    let world = World::new();
    let case = settled(&world);
    let original = fs::read_to_string(registry(&world)).unwrap();
    let before = preserved(&world, &case);
    for (name, mut lister) in
        [("a", world.lsagents()), ("s", world.lssessions()), ("p", world.lsclaude())]
    {
        fs::write(world.path().join(name), run(&mut lister, "").ok().out).unwrap();
    }
    let findings = run(world.tool("agentdiff").args(["p", "s", "a"]), "");
    // The sessions were listed after the agents, whatever the order of the files.
    fs::write(world.path().join("f"), findings.expect(&[1]).out).unwrap();
    run(world.tool("agentprune").args(["--yes", "f"]), "").ok();
    assert_cleaned(&world, &case, &before, &original);
    let again = run(world.tool("agentprune").args(["--yes", "f"]), "").ok();
    assert!(again.records().iter().all(|action| action["result"] == "gone"), "{}", again.out);
}

#[test]
fn the_scripts_run_from_anywhere_and_through_links() {
    let world = World::new();
    world.guide_case();
    let elsewhere = world.path().join("else where");
    fs::create_dir(&elsewhere).unwrap();
    let script = PathBuf::from(world.script("verify_cleanup.sh").get_program());
    std::os::unix::fs::symlink(&script, elsewhere.join("first")).unwrap();
    std::os::unix::fs::symlink("first", elsewhere.join("verify.sh")).unwrap();
    let mut command = world.command("sh");
    command.arg("else where/verify.sh").args(["--workspace", "."]);
    command.arg("-S").arg(world.socket()).args(["--name", world.name()]);
    wait_until(
        || "a judgement",
        || run(&mut command, "").expect(&[0, 1]).out.contains("Ghost agents in registry: 88"),
    );
}
