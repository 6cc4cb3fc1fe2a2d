//! A limit on the size of files, as of `ulimit -f`.

use std::fs;
use std::process::Command;

use crate::world::{Entry, Registry, World, alive, run, through, wait_until};

/// A command under a limit of so many bytes, with its output in a file.
fn limited(command: &Command, bytes: u64, output: &str) -> Command {
    let limit = format!("--fsize={bytes}");
    let shell = format!("exec \"$@\" >'{output}'");
    through(&["sh", "-c", &shell, "sh", "prlimit", &limit], command)
}

#[test]
fn h52_what_cannot_be_written_any_more_is_an_error_and_not_the_end() {
    let world = World::new();
    let ids: Vec<String> = (0..200).map(|number| format!("ghost-{number}-aaaaaa")).collect();
    world.write_global(&Registry::new(ids.iter().map(|id| Entry::new(id))));
    world.session("work", "sleep 3600");
    let leak = world.leaked(&[]);
    let findings = world.findings(&[]);
    let output = world.path().join("actions");
    let registry = fs::read(world.global_path()).unwrap();

    // Every program says so, instead of being ended by SIGXFSZ.
    for mut command in
        [world.lsagents(), world.lssessions(), world.lsclaude(), world.tool("agentdiff")]
    {
        let name = command.get_program().to_string_lossy().rsplit('/').next().unwrap().to_owned();
        let input = if name == "agentdiff" { world.scan() } else { String::new() };
        command.env("PATH", "/usr/bin:/bin");
        let ran = run(&mut limited(&command, 10, output.to_str().unwrap()), &input).expect(&[2]);
        let why = format!("{name}: standard output: File too large");
        assert!(ran.err.contains(&why), "{name}: {}", ran.err);
    }

    // The process was ended before that could be reported; the registry does not fit.
    let prune = world.tool("agentprune");
    let mut prune = limited(&prune, 1024, output.to_str().unwrap());
    let ran = run(prune.arg("--yes"), &findings);
    assert!([1, 2].contains(&ran.code), "{}: {}", ran.code, ran.err);
    assert!(ran.err.contains("File too large"), "{}", ran.err);
    wait_until(|| "the leak to end", || !alive(leak.pid));
    assert_eq!(fs::read(world.global_path()).unwrap(), registry);
    let left = fs::read_dir(world.global_path().parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "nothing is left beside the registry");
    // Without the limit, everything is done.
    world.prune(&findings, &["--yes"]).ok();
    let entries = run(&mut world.lsagents(), "").ok().records();
    assert_eq!(entries.len(), 2, "{entries:?}");
}
