//! What is on the screen when a person is asked, and where there is nothing to ask: a terminal of
//! 80 columns and 24 lines, and a small one. Whatever there is to say, the plan and the question
//! are on it together.

use std::env;
use std::fs;
use std::path::Path;

use model::record::HOWS;
use serde_json::{Value, json};

use super::dialogue::{handed_over, place_scripts, review};
use super::redacted;
use crate::world::{Entry, Registry, World, built, privately, records, run};

const GHOSTS: usize = 2000;

/// The screen of a command, when it shows `until`.
fn screen(world: &World, (columns, lines): (u16, u16), command: &str, until: &str) -> String {
    let screen = world.screen(columns, lines, &format!("clear; {command}"));
    screen.wait_for(until);
    let text = screen.text();
    // `make pictures` draws the first of them.
    if let Some(name) = env::var_os("AGENTUTILS_PICTURE").filter(|_| columns == 80) {
        let path = built().join(name);
        if !path.exists() {
            fs::write(path, screen.coloured()).unwrap();
        }
    }
    if until == QUESTION {
        assert!(text.contains("To clean up: ") || text.contains("This would "), "{text}");
        screen.enter("no");
    }
    screen.status();
    let rule = "-".repeat(columns.into());
    format!("$ {command}\n{rule}\n{}\n{rule}\n\n", text.trim_end())
}

const QUESTION: &str = "(yes/no):";

fn ghosts(world: &World) {
    let tasks = ["TASK-20261120-091000-5f3c", "TASK-20261121-101500-77aa"];
    let entries = (0..GHOSTS).map(|at| {
        let entry = Entry::new(&format!("worker-{:06}-{at:06x}", at % 240_000));
        match at % 3 {
            0 => entry,
            of => entry.set("task_id", tasks[of - 1]),
        }
    });
    world.write_global(&Registry::new(entries).counters(95, 15));
}

/// A scan in which thirty processes are held, in every way there is.
fn held(world: &World) -> String {
    let scan = records(&world.scan());
    let is_process = |record: &&Value| record["type"] == "process";
    let one = scan.iter().find(is_process).expect("the leak of the guide's case").clone();
    let mut all: Vec<Value> = scan.into_iter().filter(|record| !is_process(&record)).collect();
    let at = all.iter().position(|end| end["of"] == "processes").unwrap();
    for number in 0..30 {
        let mut process = one.clone();
        process["pid"] = json!(49_000 + number);
        process["ppid"] = json!(1);
        process["ancestors"] = json!([1]);
        process["tmux"] = Value::Null;
        process["tty"] = Value::Null;
        process["holders"] = json!([{
            "how": HOWS[number % HOWS.len()].word, "pid": 48_000 + number, "name": "python3",
            "what": "python3 orchestrator.py --watch", "of": null,
        }]);
        all.insert(at, process);
    }
    all[at + 30]["count"] = json!(30);
    all.iter().map(|record| format!("{record}\n")).collect()
}

fn record(size: (u16, u16)) {
    fs::write("/proc/sys/kernel/ns_last_pid", "41000").unwrap();
    let world = World::with_default_names();
    let case = world.guide_case();
    place_scripts(&world);
    let cleanup = "cleanup_leaked_agents.sh --min-age 0";
    let mut shown = screen(&world, size, cleanup, QUESTION);

    world.write("held.jsonl", &held(&world));
    shown += &screen(&world, size, "agentdiff --min-age 0 -T held.jsonl", "ended ");

    world.write("findings", &world.findings(&[]));
    run(world.tool("agentprune").args(["--yes", "--log", "log", "findings"]), "").ok();
    assert_ne!(fs::read_to_string(world.global_path()).unwrap(), case.registry);
    shown += &screen(&world, size, cleanup, "ended ");
    shown += &screen(&world, size, "agentprune --undo -i log", QUESTION);
    // And the guide's registry is what it was.
    run(world.tool("agentprune").args(["--undo", "--yes", "log"]), "").ok();
    assert_eq!(fs::read_to_string(world.global_path()).unwrap(), case.registry);

    shown += &screen(&world, size, "verify_cleanup.sh -S /nowhere | tail -n 12", "ended ");

    ghosts(&world);
    shown += &screen(&world, size, cleanup, QUESTION);
    world.write("findings", &world.findings(&[]));
    shown += &screen(&world, size, "agentprune -i findings", QUESTION);
    fs::write(handed_over(&name(size)), redacted(&shown)).unwrap();
}

fn name((columns, lines): (u16, u16)) -> String {
    format!("screens-{columns}x{lines}")
}

#[test]
fn h68_the_plan_and_the_question_are_on_a_screen_of_80_columns() {
    privately(|| record((80, 24)));
    review(&name((80, 24)));
}

#[test]
fn h68_the_plan_and_the_question_are_on_a_screen_of_40_columns() {
    privately(|| record((40, 20)));
    review(&name((40, 20)));
}

impl World {
    fn write(&self, name: &str, text: &str) {
        fs::write(Path::new(self.path()).join(name), text).unwrap();
    }
}
