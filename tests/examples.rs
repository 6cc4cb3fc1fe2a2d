//! Every `$ ` example of the README and the manual, run as a reader would run it.
//!
//! The examples of a section (all under one heading) run one after another in a world of
//! their own: the guide's case, with a task that is long over and an empty project beside
//! it, on a machine where nothing else runs. They are typed in the project's directory, each
//! into a shell of its own, with the programs on `PATH`.
//!
//! If any command of a block shows output, all of the block must print exactly what is
//! shown (see [`compare`]); a command without shown output prints nothing then. If none
//! does, the exit status counts: 0, or 1 from agentdiff or verify_cleanup.sh, which say so
//! that they have found something; and nothing may have been missing or called wrongly.
//! Where the output shows an answer to `(yes/no):`, it is given.
//!
//! What is not to be run, such as a line for cron, has no `$ ` before it.

mod compare;
pub mod document;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use compare::Reader;
use document::{Example, Section};

use crate::world::{Entry, Registry, World, privately, run};

/// Compiled in: the sources may be out of sight in [`privately`].
const SCRIPTS: [(&str, &str); 2] = [
    ("cleanup_leaked_agents.sh", include_str!("../tools/cleanup_leaked_agents.sh")),
    ("verify_cleanup.sh", include_str!("../tools/verify_cleanup.sh")),
];

/// A test for each text, and the list of all of them. The number is that of the examples
/// it has at least.
macro_rules! texts {
    ($($test:ident $file:literal $least:literal)*) => {
        const FILES: &[&str] = &[$($file),*];
        $(
            #[test]
            fn $test() {
                privately(|| {
                    check($file, include_str!(concat!("../", $file)), $least);
                });
            }
        )*
    };
}

texts! {
    the_readme_shows_what_its_examples_print "README.md" 11
    lsagents_1_shows_what_its_examples_print "man/lsagents.1" 5
    lssessions_1_shows_what_its_examples_print "man/lssessions.1" 3
    lsclaude_1_shows_what_its_examples_print "man/lsclaude.1" 4
    agentdiff_1_shows_what_its_examples_print "man/agentdiff.1" 8
    agentprune_1_shows_what_its_examples_print "man/agentprune.1" 11
    cleanup_leaked_agents_1_shows_what_its_examples_print "man/cleanup_leaked_agents.1" 3
    verify_cleanup_1_shows_what_its_examples_print "man/verify_cleanup.1" 2
    agentrecords_5_shows_what_its_examples_print "man/agentrecords.5" 1
    agentutils_7_shows_what_its_examples_print "man/agentutils.7" 10
}

#[test]
fn every_page_and_the_readme_have_a_test() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = fs::read_dir(project.join("man")).unwrap();
    let pages = pages.map(|page| format!("man/{}", page.unwrap().file_name().display()));
    let all: BTreeSet<String> = pages.chain(["README.md".to_owned()]).collect();
    assert_eq!(all, FILES.iter().map(|&file| file.to_owned()).collect());
}

/// Runs all examples of a text.
fn check(file: &str, text: &str, least: usize) {
    let sections = document::sections(file, text);
    let blocks = || sections.iter().flat_map(|section| &section.blocks);
    let count = blocks().map(Vec::len).sum::<usize>();
    assert!(count >= least, "{file}: {count} examples");
    if file.ends_with(".1") {
        let of_examples = sections.iter().filter(|section| section.heading == "EXAMPLES");
        assert_eq!(of_examples.map(|section| section.others).sum::<usize>(), 0, "{file}: no `$ `");
    }
    burn_pids();
    let wrong: Vec<String> =
        sections.iter().flat_map(|section| in_section(file, section)).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n\n"));
}

/// Small numbers are counts in what is compared: no pid is to be one.
fn burn_pids() {
    let spent = "while [ \"$(sh -c 'echo $$')\" -lt 1000 ]; do (:) & (:) & (:) & wait; done";
    run(Command::new("sh").args(["-c", spent]), "").ok();
}

/// What is wrong with the examples of a section.
fn in_section(file: &str, section: &Section) -> Vec<String> {
    if section.blocks.is_empty() {
        return Vec::new();
    }
    let world = world();
    let word = |program: &str, argument: &str| {
        run(world.command(program).arg(argument), "").ok().out.trim().to_owned()
    };
    let reader = Reader {
        directory: world.path().display().to_string(),
        host: word("uname", "-n"),
        user: word("id", "-un"),
    };
    let mut wrong = Vec::new();
    for block in &section.blocks {
        let shows = block.iter().any(|example| !example.shown.is_empty());
        for example in block {
            if let Err(what) = typed(&world, &reader, example, shows) {
                let Example { line, command, .. } = example;
                wrong.push(format!("{file}:{line} ({}): $ {command}\n{what}", section.heading));
            }
        }
    }
    wrong
}

/// The world of a section, old enough to be judged.
fn world() -> World {
    let world = World::with_default_names();
    let over = ["code_reviewer-101030-4f2a90", "test_runner-101512-9be07d"];
    let over = over.map(|id| Entry::new(id).set("status", "completed"));
    world.write_task("TASK-20251029-101024-1c9d2b77", &Registry::new(over));
    for (name, text) in SCRIPTS {
        let path = world.path().join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let beside = world.path().with_file_name("other").join(".agent-workspace/registry");
    fs::create_dir_all(&beside).unwrap();
    fs::write(beside.join("GLOBAL_REGISTRY.json"), Registry::default().global()).unwrap();
    world.guide_case();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    world
}

/// Runs an example; if `shows`, compares its output.
fn typed(world: &World, reader: &Reader, example: &Example, shows: bool) -> Result<(), String> {
    const PROMPT: &str = "(yes/no): ";
    let answer = example.shown.iter().find_map(|line| Some(line.split_once(PROMPT)?.1));
    let input = answer.map(|answer| format!("{answer}\n")).unwrap_or_default();
    let mut shell = world.command("sh");
    shell.args(["-c", &format!("exec 2>&1\n{}\n", example.command)]);
    let ran = run(&mut shell, &input);
    // What is typed shows on a terminal.
    let output = ran.out.replacen(PROMPT, &format!("{PROMPT}{input}"), 1);
    let output = reader.as_shown(&output);
    let last = example.command.rsplit('|').next().unwrap_or_default().trim_start();
    let finds = ["agentdiff", "verify_cleanup.sh"].iter().any(|name| last.starts_with(name));
    let as_expected = ran.code == 0 || ran.code == 1 && finds;
    // A pipe hides the status of what could not be run, or was called wrongly.
    let misused = !shows && ["not found", "--help"].iter().any(|sign| output.contains(sign));
    if !as_expected || misused {
        let output = compare::difference(&[], &output).unwrap_or_default();
        return Err(format!("  exit status {}\n{output}", ran.code));
    }
    match compare::difference(&example.shown, &output) {
        Some(difference) if shows => Err(difference),
        _ => Ok(()),
    }
}
