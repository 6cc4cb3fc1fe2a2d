//! Prunes that are killed at a system call, or in which one fails, and who comes next.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{SESSION, found, journal, litter, live, mixed, world};
use crate::world::{Entry, Ran, Registry, World, run, skip, through};

/// The calls that change a file, or wait for the disk.
const CALLS: [&str; 12] = [
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "fchmod",
    "fchown",
];

/// The next update of the orchestrator: it says `unreadable` where that fails, else it
/// adds an agent.
const UPDATE: &str = r#"
import fcntl, json, sys
with open(sys.argv[1], 'r+') as f:
    fcntl.flock(f.fileno(), fcntl.LOCK_EX)
    try:
        registry = json.load(f)
    except ValueError:
        sys.exit('unreadable')
    entry = {'id': 'late', 'tmux_session': sys.argv[2], 'status': 'running'}
    agents = registry['agents']
    agents.append(entry) if isinstance(agents, list) else agents.update(late=entry)
    f.seek(0)
    json.dump(registry, f, indent=2)
    f.truncate()
"#;

/// A registry, its content before and after what is going to be interrupted, and the
/// command for that.
struct Case<'w> {
    world: &'w World,
    registry: PathBuf,
    before: String,
    after: String,
    command: Command,
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn save(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path());
    entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn load(registry: &Path, files: &Files) {
    for entry in fs::read_dir(registry.parent().unwrap()).unwrap().flatten() {
        if !files.contains_key(&entry.path()) {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

/// Runs the command under strace, which injects `what` at the `number`th of some call.
fn injected(case: &Case<'_>, call: &str, what: &str, number: usize) -> Ran {
    let trace = format!("trace={}", CALLS.join(","));
    let inject = format!("inject={call}:{what}:when={number}");
    let strace = ["strace", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    run(&mut through(&strace, &case.command), "")
}

/// Interrupts a command at each of its calls, and shows every state that leaves.
fn at_each_call(case: &Case<'_>, what: &str, mut each: impl FnMut(&str, &Ran)) -> usize {
    let fresh: Files = [(case.registry.clone(), case.before.clone().into_bytes())].into();
    let mut points = 0;
    for call in CALLS {
        for number in 1.. {
            load(&case.registry, &fresh);
            let ran = injected(case, call, what, number);
            let text = fs::read_to_string(&case.registry).unwrap_or_default();
            if ran.code == 0 && text == case.after && litter(&case.registry).is_empty() {
                break;
            }
            points += 1;
            each(&format!("{call} {number}"), &ran);
            assert!(number < 1000, "{call} does not come to its end: {} {}", ran.code, ran.err);
        }
    }
    points
}

impl<'w> Case<'w> {
    /// The prune of a registry that is there.
    fn prune(world: &'w World, registry: PathBuf, before: String) -> Case<'w> {
        let findings = world.path().join("findings");
        fs::write(&findings, found(world, &[&registry])).unwrap();
        let mut command = world.tool("agentprune");
        command.args(["--yes", "--log", "log"]).arg(findings);
        Case::of(world, registry, before, command)
    }

    fn of(world: &'w World, registry: PathBuf, before: String, mut command: Command) -> Case<'w> {
        run(&mut command, "").ok();
        let after = fs::read_to_string(&registry).unwrap();
        assert_ne!(before, after);
        Case { world, registry, before, after, command }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.registry).unwrap()
    }

    /// The same command again, which finds what the first one has left.
    fn again(&self, at: &str) -> Ran {
        let mut command = through(&["env"], &self.command);
        let ran = run(&mut command, "");
        assert!([0, 1].contains(&ran.code), "{at}: {}{}", ran.out, ran.err);
        assert_eq!(litter(&self.registry), Vec::<String>::new(), "{at}");
        ran
    }

    fn is_traceable(&self) -> bool {
        let strace = ["strace", "-qq", "-o", "/dev/null", "true"];
        let ran = run(Command::new(strace[0]).args(&strace[1..]), "");
        if ran.code != 0 {
            skip("h23, at each call", &format!("strace cannot trace here: {}", ran.err.trim()));
        }
        ran.code == 0
    }
}

/// Few ghosts in a file that takes more than one call to write.
fn large(ghosts: usize) -> Registry {
    let prompt = "You are a worker. ".repeat(700);
    let ghosts = (0..ghosts).map(|number| Entry::new(&format!("ghost-{number}")));
    let live_ones = (0..8).map(|number| live(&format!("live-{number}")));
    let entries = live_ones.zip(ghosts).flat_map(|(live, ghost)| [ghost, live]);
    Registry::new(entries.map(|entry| entry.set("prompt", prompt.as_str())))
}

/// Kills at each call; after each, everybody who might come next, each on a copy.
fn survives_kills(case: &Case<'_>) -> [usize; 3] {
    let mut orchestrator = case.world.command("python3");
    orchestrator.args(["-c", UPDATE]).arg(&case.registry).arg(SESSION);
    let (mut updates, mut journals) = (0, 0);
    let points = at_each_call(case, "signal=KILL", |at, ran| {
        assert_eq!(ran.code, 128 + 9, "{at}: {}", ran.err);
        let crashed = save(case.registry.parent().unwrap());

        case.again(at);
        assert_eq!(case.text(), case.after, "{at}");

        load(&case.registry, &crashed);
        let listed = run(case.world.tool("lsagents").arg("--registry").arg(&case.registry), "");
        let has_journal = journal(&case.registry).exists();
        journals += usize::from(has_journal);
        assert_eq!(listed.code, if has_journal { 2 } else { 0 }, "{at}: {}", listed.err);
        assert_eq!(listed.err.contains("--recover"), has_journal, "{at}: {}", listed.err);
        case.again(at);
        assert_eq!(case.text(), case.after, "{at}");

        load(&case.registry, &crashed);
        run(case.world.tool("agentprune").arg("--recover").arg(&case.registry), "").ok();
        assert!(case.text() == case.before || case.text() == case.after, "{at}");
        assert_eq!(litter(&case.registry), Vec::<String>::new(), "{at}");

        load(&case.registry, &crashed);
        let updated = run(&mut orchestrator, "");
        case.again(at);
        if updated.code == 0 {
            updates += 1;
            assert!(case.text().contains("\"late\""), "{at}");
            let mut end: Value = serde_json::from_str(&case.text()).unwrap();
            let mut after: Value = serde_json::from_str(&case.after).unwrap();
            drop_late(&mut end);
            drop_late(&mut after);
            assert_eq!(end["agents"], after["agents"], "{at}");
        } else {
            assert!(updated.err.contains("unreadable"), "{at}: {}", updated.err);
            assert_eq!(case.text(), case.after, "{at}");
        }
    });
    [points, journals, updates]
}

/// Without the agent that came later, and without the times of marks.
fn drop_late(registry: &mut Value) {
    match &mut registry["agents"] {
        Value::Object(agents) => drop(agents.remove("late")),
        Value::Array(agents) => {
            agents.retain(|entry| entry["id"] != "late");
            for entry in agents {
                for name in ["terminated_at", "last_update"] {
                    entry[name] = Value::Null;
                }
            }
        }
        _ => {}
    }
}

#[test]
fn h23_a_prune_killed_at_any_call_loses_nothing() {
    let world = world();
    let registry = world.global_path();
    let before = world.write_global(&large(8));
    let case = Case::prune(&world, registry, before);
    if !case.is_traceable() {
        return;
    }
    let [points, journals, updates] = survives_kills(&case);
    println!(
        "{points} crash points ({journals} leave a journal), {} bytes; {updates} later updates, 0 lost; 0 entries lost",
        case.before.len()
    );
    assert!(points > 15 && journals > 4, "{points} {journals}");
}

#[test]
fn h23_an_undo_killed_at_any_call_loses_nothing() {
    let world = world();
    let registry = world.global_path();
    let whole = world.write_global(&large(6));
    let pruned = Case::prune(&world, registry.clone(), whole).after;
    super::reset(&registry, pruned.as_bytes());
    let mut command = world.tool("agentprune");
    command.args(["--yes", "--undo", "log"]);
    let case = Case::of(&world, registry, pruned, command);
    if !case.is_traceable() {
        return;
    }
    let [points, journals, updates] = survives_kills(&case);
    println!("{points} crash points ({journals} leave a journal), {updates} later updates");
    assert!(points > 10 && journals > 4, "{points} {journals}");
}

/// What cannot be written is as if it had not been begun, or is whole.
#[test]
fn h24_a_call_that_fails_leaves_the_old_content_or_the_new() {
    let world = world();
    let entries = (0..12).map(|n| Entry::new(&format!("g-{n}")).set("status", "running"));
    let task = world.write_task("TASK-1", &Registry::new(entries.chain([live("live-1")])));
    let before = fs::read_to_string(&task).unwrap();
    let global = world.global_path();
    let global_before = world.write_global(&mixed(12, 3));
    for (registry, before) in [(global, global_before), (task, before)] {
        let mut case = Case::prune(&world, registry, before);
        if !case.is_traceable() {
            return;
        }
        // Marks have a time.
        let ids = |text: &str| text.matches("terminated_at").count();
        let marks = ids(&case.after);
        if marks > 0 {
            case.after.clear();
        }
        let fresh: Files = [(case.registry.clone(), case.before.clone().into_bytes())].into();
        let mut failures = 0;
        for call in CALLS {
            for number in 1..100 {
                load(&case.registry, &fresh);
                let ran = injected(&case, call, "error=ENOSPC", number);
                let text = case.text();
                let is_after = text == case.after || marks > 0 && ids(&text) == marks;
                if ran.code == 0 && ran.err.matches("could not").count() == 0 && is_after {
                    break;
                }
                failures += 1;
                assert!(text == case.before || is_after, "{call} {number}: {}", ran.err);
                assert!(serde_json::from_str::<Value>(&text).is_ok());
                case.again(&format!("{call} {number}"));
            }
        }
        println!("{failures} calls that failed, {marks} marks");
        assert!(failures > 10, "{failures}");
    }
}
