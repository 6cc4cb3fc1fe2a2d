//! Where Claude is installed, and who runs it.

use std::fs;
use std::path::Path;

use crate::world::{Registry, World, alive, privately, records, run};

/// Ways to install it: an executable, and its arguments.
const INSTALLED: [(&str, &[&str]); 7] = [
    (".local/share/claude/versions/2.1.30", &["-p"]),
    ("Library/ccd-cli/2.1.30", &["-p"]),
    (".local/share/claude-cli/versions/2.1.30", &["-p"]),
    ("b/bun", &["run", "--smol", "/l/@anthropic-ai/claude-code/cli.js", "-p"]),
    ("b/deno", &["run", "-A", "npm:@anthropic-ai/claude-code", "-p"]),
    ("n/node", &["--no-warnings", "/l/node_modules/@anthropic-ai/claude-code/cli.js", "-p"]),
    ("e/claude.exe", &["-p"]),
];

const OTHERS: [(&str, &[&str]); 4] = [
    (".local/share/claude-cli/vendor/rg", &["x"]),
    ("not-ccd-cli/2.1.30", &["x"]),
    ("c/bun", &["run", "claude-squad"]),
    ("o/node", &["/l/@anthropic-ai/claude-code-router/cli.js"]),
];

fn start(world: &World, (path, arguments): (&str, &[&str])) -> i32 {
    let path = world.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let at: &Path = &path;
    if !at.exists() {
        fs::hard_link(world.executable(), at).unwrap();
    }
    let mut command = world.command(at);
    command.args(arguments);
    world.orphan(&command).pid
}

#[test]
fn h64_claude_is_found_wherever_it_is_installed() {
    privately(|| {
        let world = World::with_default_names();
        world.write_global(&Registry::default());
        world.session("work", "exec sleep 3600");
        let installed = INSTALLED.map(|shape| start(&world, shape));
        let others = OTHERS.map(|shape| start(&world, shape));
        let listed = run(&mut world.tool("lsclaude"), "").ok().records();
        let has = |pid: i32| listed.iter().any(|record| record["pid"] == pid);
        for (pid, shape) in installed.iter().zip(INSTALLED) {
            assert!(has(*pid), "{shape:?}");
        }
        for (pid, shape) in others.iter().zip(OTHERS) {
            assert!(!has(*pid), "{shape:?}");
        }
        let scan = [world.lsagents(), world.lssessions(), world.tool("lsclaude")]
            .map(|mut lister| run(&mut lister, "").ok().out)
            .concat();
        let findings = world.diff(&scan, &[]).expect(&[1]).out;
        let leaks = records(&findings);
        let leaks = leaks.iter().filter(|finding| finding["kind"] == "leaked_process");
        assert_eq!(leaks.count(), INSTALLED.len(), "{findings}");
        world.prune(&findings, &["--yes"]).ok();
        assert!(!installed.iter().any(|pid| alive(*pid)) && others.iter().all(|pid| alive(*pid)));
    });
}
