//! Mistakes: each gets a clear error and changes nothing.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::world::{Registry, World, run};

#[test]
fn no_workspace_names_every_place_tried() {
    let world = World::new();
    let deep = world.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    fs::remove_dir_all(world.path().join(".agent-workspace")).unwrap();
    let ran = run(world.tool("lsagents").current_dir(&deep), "").expect(&[2]);
    assert!(ran.err.starts_with("lsagents: no workspace found: "), "{}", ran.err);
    for directory in [deep.as_path(), world.path()] {
        let tried = format!("{}/.agent-workspace", directory.display());
        assert!(ran.err.contains(&tried), "{tried} in {}", ran.err);
    }
    assert!(ran.err.contains("CLAUDE_ORCHESTRATOR_WORKSPACE"), "{}", ran.err);
    assert_eq!(ran.records()[0]["complete"], false);

    let mut cleanup = world.script("cleanup_leaked_agents.sh");
    let ran = run(&mut cleanup, "yes\n").expect(&[2]);
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
}

#[test]
fn the_workspace_comes_from_the_option_then_the_variable_then_the_directory() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    let count = |command: &mut Command| run(command, "").ok().records().len();
    let inside = world.path().join(".agent-workspace/registry");
    assert_eq!(count(world.tool("lsagents").current_dir(&inside)), 2);
    let mut by_variable = world.tool("lsagents");
    by_variable.current_dir("/").env("CLAUDE_ORCHESTRATOR_WORKSPACE", world.path());
    assert_eq!(count(&mut by_variable), 2);
    let mut by_option = world.tool("lsagents");
    by_option.current_dir("/").env("CLAUDE_ORCHESTRATOR_WORKSPACE", "/nowhere");
    assert_eq!(count(by_option.arg("--workspace").arg(world.path())), 2);
    let mut wrong = world.tool("lsagents");
    let ran = run(wrong.env("CLAUDE_ORCHESTRATOR_WORKSPACE", "/nowhere"), "").expect(&[2]);
    assert!(
        ran.err.contains("CLAUDE_ORCHESTRATOR_WORKSPACE: /nowhere: No such file"),
        "{}",
        ran.err
    );
    // A directory without a workspace is an error, not an empty list.
    fs::create_dir(world.path().join("empty")).unwrap();
    for option in ["--all", "--tasks"] {
        let ran = run(world.tool("lsagents").args([option, "--workspace", "empty"]), "");
        assert!(ran.code == 2 && ran.err.contains("empty: no workspace: "), "{}", ran.err);
    }
}

#[test]
fn an_option_that_an_alias_gives_already_may_be_given_again() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    world.session("other", "sleep 60");
    let empty = world.diff(&world.scan(), &["-q", "-q"]).ok();
    assert_eq!(empty.out, "");
    let table = run(world.lsclaude().args(["-T", "-T", "--name", "other"]), "").ok().out;
    assert!(table.ends_with("no processes\n"), "{table}");
    // Those that may be repeated are not replaced.
    let ran = run(world.tool("lsagents").args(["--registry", "a", "--registry", "b"]), "");
    assert!(ran.err.contains("/a: ") || ran.err.contains(" a: "), "{}", ran.err);
    assert!(ran.err.contains("/b: ") || ran.err.contains(" b: "), "{}", ran.err);
}

#[test]
fn a_corrupt_registry_stops_the_cleanup() {
    let world = World::new();
    let path = world.path().join(".agent-workspace/registry/GLOBAL_REGISTRY.json");
    fs::write(&path, "{\n  \"agents\": {\n    \"a\": {},\n  }\n}").unwrap();
    world.session("other", "sleep 60");
    let ran = run(&mut world.lsagents(), "").expect(&[2]);
    assert!(ran.err.contains("GLOBAL_REGISTRY.json: line 4, column 3:"), "{}", ran.err);
    // Neither table nor report claims that there are none.
    let table = run(world.lsagents().arg("-T"), "").expect(&[2]).out;
    assert!(table.ends_with("\n\nthe list is incomplete\n"), "{table}");
    let report = world.diff(&ran.out, &["-T"]).expect(&[2]).out;
    assert_eq!(report, "No findings. Not everything could be judged.\n");
    let before = fs::read(&path).unwrap();
    run(world.script("cleanup_leaked_agents.sh").arg("--yes"), "").expect(&[2]);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn input_without_records_is_refused_with_the_reason() {
    let world = World::new();
    for (tool, input, what) in [
        ("agentdiff", "", "the listers wrote nothing"),
        ("agentdiff", "hello\n", "line 1: not a record: expected value (one JSON object a line"),
        ("agentdiff", "PID  ARGS\n", "-T writes none"),
        ("agentdiff", "{\"pid\":7}\n", "(written with -o?)"),
        ("agentdiff", "{\n  \"type\": \"agent\"\n}\n", "did you mean jq -c?"),
        ("agentdiff", "{\"type\":\"finding\"}\n", "give it to agentprune"),
        ("agentprune", "", "wrote nothing"),
        ("agentprune", "\n\n", "wrote nothing"),
        ("agentprune", "hello\n", "line 1: not a record"),
        ("agentprune", "{\"type\":\"session\",\"scan\":\"x\"}\n", "did you forget agentdiff?"),
        (
            "agentprune",
            "{\"type\":\"finding\",\"kind\":\"haunted\",\"action\":null}\n",
            "line 1: not a record: unknown variant `haunted`",
        ),
    ] {
        let arguments: &[&str] = if tool == "agentprune" { &["--yes"] } else { &[] };
        // No table: an empty one would say that there was nothing.
        let table = run(world.tool(tool).args(arguments).arg("-T"), input).expect(&[2]);
        assert_eq!(table.out, "", "{tool}: {input}");
        let ran = run(world.tool(tool).args(arguments), input).expect(&[2]);
        assert!(ran.err.starts_with(&format!("{tool}: ")), "{}", ran.err);
        assert!(ran.err.contains(what), "{what} in {}", ran.err);
    }
    let ran = run(world.tool("agentdiff").arg("gone"), "").expect(&[2]);
    assert!(ran.err.contains("agentdiff: gone: No such file"), "{}", ran.err);
}

#[test]
fn an_empty_prefix_is_refused() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    world.session("other", "sleep 60");
    let scan = world.scan();
    let ran = world.diff(&scan, &["--prefix", ""]).expect(&[2]);
    assert!(ran.err.contains("every session would be an agent session"), "{}", ran.err);
    assert_eq!(ran.out, "");
    // With the beginning of its name as the prefix, it is a zombie.
    let found = world.diff(&scan, &["--prefix", "oth", "--unregistered"]).expect(&[1]).out;
    assert!(found.contains("zombie_session"), "{found}");
}

#[test]
fn agentprune_refuses_the_output_of_the_listers() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    world.session("other", "sleep 60");
    let ran = world.prune(&world.scan(), &["--yes"]).expect(&[2]);
    assert!(ran.err.contains("did you forget agentdiff?"), "{}", ran.err);
}

#[test]
fn a_terminal_as_input_is_told_how_to_feed_it() {
    let world = World::new();
    for tool in ["agentdiff", "agentprune"] {
        let file = world.path().join(tool);
        let program = world.tool(tool).get_program().to_string_lossy().into_owned();
        let command = format!("'{program}' 2>'{0}.err'; echo $? >'{0}'", file.display());
        world.session(tool, &command);
        crate::world::wait_until(
            || "an exit status",
            || fs::read_to_string(&file).is_ok_and(|status| status == "2\n"),
        );
        let error = fs::read_to_string(file.with_extension("err")).unwrap();
        assert!(
            error.contains("standard input is a terminal") && error.contains("| agent"),
            "{error}"
        );
    }
}

#[test]
fn wrong_usage_points_to_help() {
    let world = World::new();
    for tool in ["lsagents", "lssessions", "lsclaude", "agentdiff", "agentprune"] {
        let ran = run(world.tool(tool).arg("--nonsense"), "").expect(&[2]);
        assert!(
            ran.err.starts_with(&format!("{tool}: unexpected argument '--nonsense'")),
            "{}",
            ran.err
        );
        assert!(ran.err.contains(&format!("Try '{tool} --help'")), "{}", ran.err);
        let help = run(world.tool(tool).arg("--help"), "").ok();
        assert!(help.out.contains("Exit status:"), "{}", help.out);
        let version = run(world.tool(tool).arg("-V"), "").ok();
        assert_eq!(version.out, format!("{tool} {}\n", env!("CARGO_PKG_VERSION")));
    }
    let ran = run(world.tool("lsclaude").args(["--name", "bash"]), "").expect(&[2]);
    assert!(ran.err.contains("\"bash\" is not allowed"), "{}", ran.err);
    let ran = run(world.tool("lsclaude").args(["-Q", ".a =="]), "").expect(&[2]);
    assert!(ran.err.contains("filter \".a ==\""), "{}", ran.err);
    let ran = run(world.tool("agentprune").args(["-n", "-y"]), "").expect(&[2]);
    assert!(ran.err.contains("cannot be used with"), "{}", ran.err);
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    let full =
        |tool: &str| format!("{} >/dev/full", world.tool(tool).get_program().to_string_lossy());
    let ran = run(world.command("sh").args(["-c", &full("lsclaude")]), "").expect(&[2]);
    assert!(ran.err.contains("lsclaude: standard output: No space left"), "{}", ran.err);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut closed = world.lsagents();
    let mut child = closed.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "", "a reader that has seen enough is no error");
}
