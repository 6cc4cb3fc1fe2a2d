//! The manual pages against the programs: their options, and the words and fields of
//! records.

mod fields;
mod mdoc;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use model::record::ActionKind;
use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::examples::document::unescaped;
use crate::sqlite::add_database;
use crate::world::{Entry, Registry, World, records, run};

const PROGRAMS: [&str; 5] = ["lsagents", "lssessions", "lsclaude", "agentdiff", "agentprune"];
const SCRIPTS: [&str; 2] = ["cleanup_leaked_agents", "verify_cleanup"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../man").join(name)
}

fn page(name: &str) -> String {
    let page = path(name);
    fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// The options that a help text lists: what its lines begin with, `-T, --table` or
/// `--log <FILE>`.
pub fn options_in_help(help: &str) -> BTreeSet<String> {
    let options = help.lines().flat_map(|line| {
        let words = line.split_whitespace().map(|word| word.trim_end_matches(','));
        words.take_while(|word| word.starts_with('-') && word.len() > 1)
    });
    options.map(str::to_owned).collect()
}

/// The options that a page lists: `.It Fl T , Fl -table`.
fn options_in_page(page: &str) -> BTreeSet<String> {
    let items = page.lines().filter_map(|line| line.strip_prefix(".It Fl "));
    let names = items.flat_map(|item| item.split(" , Fl "));
    names.filter_map(|name| Some(format!("-{}", name.split_whitespace().next()?))).collect()
}

#[test]
fn each_page_lists_the_options_of_its_program() {
    let world = World::new();
    let programs = PROGRAMS.map(|name| (name, world.tool(name)));
    let scripts = SCRIPTS.map(|name| (name, world.script(&format!("{name}.sh"))));
    for (name, mut command) in programs.into_iter().chain(scripts) {
        let help = run(command.arg("--help"), "").ok().out;
        let (in_help, in_page) =
            (options_in_help(&help), options_in_page(&page(&format!("{name}.1"))));
        assert_eq!(in_help, in_page, "{name}: --help and its page");
        assert!(in_help.contains("--help") && in_help.contains("--version"), "{name}: {help}");
    }
}

/// Somebody who knows an option of a program tries it on the script.
#[test]
fn the_scripts_take_or_explain_each_option_of_the_programs() {
    let world = World::new();
    let version = env!("CARGO_PKG_VERSION");
    for script in SCRIPTS.map(|name| format!("{name}.sh")) {
        let try_it = |argument: &str| run(world.script(&script).arg(argument), "");
        let own = options_in_help(&try_it("--help").ok().out);
        for program in PROGRAMS {
            let help = run(world.tool(program).arg("--help"), "").ok().out;
            for option in options_in_help(&help).difference(&own) {
                let ran = try_it(option).expect(&[2]);
                let says = format!("{script}: {option}: an option of ");
                assert!(ran.err.starts_with(&says), "{program}: {}", ran.err);
            }
        }
        for (argument, says) in [
            ("--no-such", format!("{script}: --no-such: unknown option; try '{script} --help'\n")),
            ("word", format!("{script}: word: unexpected argument; try '{script} --help'\n")),
            (
                "--version=",
                format!("{script}: --version=: unknown option; try '{script} --help'\n"),
            ),
        ] {
            assert_eq!(try_it(argument).expect(&[2]).err, says);
        }
        assert_eq!(try_it("--version").ok().out, format!("{script} {version}\n"));
    }
}

/// The words of an enumeration, as serde lists them when it meets another.
pub fn words<T: DeserializeOwned>() -> Vec<String> {
    let error = serde_json::from_str::<T>("\"\"").err().expect("no word is empty").to_string();
    error.split('`').skip(1).step_by(2).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// Whether a page has a word between others.
fn has(page: &str, word: &str) -> bool {
    page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|other| other == word)
}

#[test]
fn agentprune_1_explains_every_action() {
    let page = page("agentprune.1");
    let actions = words::<ActionKind>();
    assert!(actions.len() > 5, "{actions:?}");
    for word in actions.iter().filter(|word| *word != "restore_entry") {
        assert!(has(&page, word), "{word}: not in agentprune(1)");
    }
}

/// Records of every type.
pub fn every_record(world: &World) -> Vec<Value> {
    let ids = ["a-1-2", "b-1-2", "c-1-2"];
    world.write_global(&Registry::new(ids.map(Entry::new)).counters(9, 9));
    world.agent_session(ids[1], &[]);
    let scan = world.scan();
    let findings = world.diff(&scan, &[]).expect(&[1]).out;
    let actions = world.prune(&findings, &["--yes"]).ok().out;
    add_database(world, "today", "agent(c, 'd-1-2')");
    let mut database = world.tool("lsagents");
    let database = run(database.arg("--workspace").arg(world.path()), "").ok().out;
    [scan, findings, actions, database].iter().flat_map(|text| records(text)).collect()
}

#[test]
fn the_example_of_a_scan_in_agentrecords_5_is_well_formed() {
    let page = page("agentrecords.5");
    let (_, example) = page.split_once("Lines are broken here for reading only.").unwrap();
    let (example, _) = example.split_once(".Ed").unwrap();
    let lines = example.lines().skip(2).collect::<String>().replace("}{", "}\n{");
    // A scan of processes alone: nothing can be judged.
    let judged = World::new().diff(&lines, &[]).expect(&[2]);
    assert!(judged.err.contains("1 process not judged"), "{lines}\n{}", judged.err);
}

/// The texts of all sources below a directory.
fn tests(directory: &Path, found: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *found += &fs::read_to_string(&path).unwrap();
        }
    }
}

#[test]
fn each_promise_of_the_readme_has_its_tests() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(project.join("README.md")).unwrap();
    let (_, promises) = readme.split_once("| promise | tests |").unwrap();
    let rows: Vec<&str> =
        promises.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 8, "{rows:?}");
    let mut all = String::new();
    tests(&project.join("tests"), &mut all);
    for row in rows {
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        for word in cell.split([',', '–']).map(str::trim) {
            // A number of hazards, or a word in the names of tests.
            let test =
                if word.starts_with('h') { format!("fn {word}_") } else { format!("fn {word}") };
            let by_module = format!("mod {word};");
            assert!(all.contains(&test) || all.contains(&by_module), "{word} in {row}");
        }
    }
}

/// The texts of all sources of the programs, with the layout of string literals undone.
fn sources_of_programs() -> String {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut text = String::new();
    let shared = ["model", "registry", "host", "cli"].map(|name| format!("shared/{name}/src"));
    for directory in shared.iter().map(String::as_str).chain(["tools"]) {
        tests(&project.join(directory), &mut text);
    }
    for script in SCRIPTS {
        text += &fs::read_to_string(project.join(format!("tools/{script}.sh"))).unwrap();
    }
    let lines = text.replace("\\\n", " ").replace("\\\"", "\"");
    lines.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_messages_that_the_pages_explain_are_those_of_the_programs() {
    let sources = sources_of_programs();
    // Messages are put together at colons, and filled with names (in capitals here), numbers,
    // and kinds of records.
    let joints = r#"\.\.\.|\b[A-Z]+\b|\b\d+\b|\b(agents|sessions|processes|agent)\b|[:`"']"#;
    let joints = Regex::new(joints).unwrap();
    let mut explained = 0;
    let mut missing = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../man")).unwrap() {
        let path = entry.unwrap().path();
        let page = fs::read_to_string(&path).unwrap();
        let quoted = page.lines().filter_map(|line| line.strip_prefix(".It Ql \""));
        for message in quoted.filter_map(|line| line.strip_suffix('"')) {
            explained += 1;
            let message = unescaped(&message.replace("\"\"", "\""));
            let parts = joints.split(&message).map(str::trim);
            // A word alone is everywhere.
            for part in parts.filter(|part| part.contains(' ') && !sources.contains(part)) {
                missing.push(format!("{}: {message}: {part:?}", path.display()));
            }
        }
    }
    assert!(explained > 30, "{explained} messages");
    assert!(missing.is_empty(), "no such message in the sources:\n{}", missing.join("\n"));
}
