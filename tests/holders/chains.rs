//! Lines of processes that wait for each other.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{assert_held, assert_leak, detached, end, has, judged, parent_and_child, world};
use crate::world::{World, alive, records, stat, wait_until};

/// The scripts that the chains of these tests run.
fn scripts(world: &World) {
    let write = |name: &str, text: &str| {
        let path = world.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    write("runner.sh", "$CLAUDE --print x\nsleep 5\n");
    write(".claude/shell-snapshots/snapshot-bash-1-x.sh", "");
    write(
        "supervisord.conf",
        "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=supervisord.pid\n\
         [program:c]\ncommand=/bin/sh -c \"exec $CLAUDE --print x\"\n\
         stdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    // As a package that npx finds: node runs a script by Claude's name.
    let text = "#!/usr/bin/env node\n\
        require('fs').writeFileSync(process.env.STANDIN_READY + '/' + process.pid, '');\n\
        setInterval(() => {}, 1000);\n";
    write(&format!("node_modules/pkg/{}", world.name()), text);
    write("package.json", "{}");
    fs::create_dir_all(world.path().join("node_modules/.bin")).unwrap();
    let link = world.path().join("node_modules/.bin").join(world.name());
    std::os::unix::fs::symlink(format!("../pkg/{}", world.name()), link).unwrap();
}

/// What the Bash tool of Claude runs.
const BASH_TOOL: &str = "bash -c 'source ~/.claude/shell-snapshots/snapshot-bash-1-x.sh 2>/dev/null \
    || true && eval \"$CLAUDE --print x; :\" < /dev/null && pwd -P >| cwd'";

#[test]
fn h60_chains_of_those_that_only_wait_are_judged_at_their_top() {
    const NAME: &str = "h60_chains_of_those_that_only_wait_are_judged_at_their_top";
    let world = world();
    scripts(&world);
    for (chain, waits) in [
        ("exec timeout 900 $CLAUDE --print x", "timeout"),
        ("exec env -u X timeout 900 nice $CLAUDE --print x", "timeout"),
        ("exec setsid --wait $CLAUDE --print x", "setsid"),
        (&format!("exec {BASH_TOOL}"), "bash"),
        (&format!("exec timeout 900 {BASH_TOOL}"), "bash"),
        ("exec npx --no-install $CLAUDE", ""),
    ] {
        if waits.is_empty() && !has(NAME, "npx") {
            continue;
        }
        let claude = detached(&world, chain);
        let parent = stat(claude).unwrap().ppid;
        if !waits.is_empty() {
            assert_eq!(stat(parent).unwrap().name, waits, "{chain}");
        }
        assert_leak(&world, &[], claude, chain);
        wait_until(|| format!("the end of {chain}"), || !alive(parent));
        // The top holds the whole line.
        let claude = detached(&world, &format!("{chain} 2>kept.log"));
        assert_held(&world, &[], claude, "its output goes to /");
        end(claude);
    }
    // Claude below Claude: both, in one run.
    let family = world.leaked(&[("STANDIN_CHILDREN", "2")]);
    let findings = world.findings(&[]);
    for pid in family.children.iter().chain([&family.pid]) {
        assert_eq!(judged(&findings, *pid).0, "leaked_process");
    }
    world.prune(&findings, &["--yes"]).ok();
    assert!(!alive(family.pid) && !family.children.iter().any(|pid| alive(*pid)));
}

#[test]
fn h61_whoever_does_more_than_wait_holds() {
    let world = world();
    scripts(&world);
    for (chain, says) in [
        ("exec nohup bash runner.sh", " bash (bash runner.sh)"),
        ("until $CLAUDE --print x; do sleep 300; done", " bash (bash -c until "),
        ("$CLAUDE --print x && echo done", " bash (bash -c "),
        ("exec flock lock $CLAUDE --print x", " flock (flock lock "),
        ("echo x | exec xargs $CLAUDE --print", " xargs (xargs "),
        ("exec script -qc \"exec $CLAUDE --print x\" typescript", " script (script "),
        (
            "mkdir -pm 700 s; export SCREENDIR=$PWD/s; exec screen -DmS x $CLAUDE --print x",
            " screen (SCREEN ",
        ),
        ("exec dtach -N dtach.socket $CLAUDE --print x", " dtach (dtach "),
        ("exec supervisord -nc supervisord.conf", " supervisord ("),
    ] {
        let program = says.trim_start().split(' ').next().unwrap();
        if !has("h61_whoever_does_more_than_wait_holds", program) {
            continue;
        }
        let claude = detached(&world, chain);
        let findings = world.findings(&[]);
        let (kind, reason) = judged(&findings, claude);
        assert_eq!(kind, "untracked_process", "{chain}: {reason}");
        assert!(reason.starts_with("parent ") && reason.contains(says), "{chain}: {reason}");
        assert_held(&world, &["--despite", "terminal,log,reader,device"], claude, "parent ");
        let parent = stat(claude).unwrap().ppid;
        end(parent);
        end(claude);
    }
}

/// A Claude waits for the Claudes below it, and is what it seems.
#[test]
fn h60_what_holds_a_claude_holds_the_claudes_below_it() {
    let world = world();
    let child = "env -u TMUX -u TMUX_PANE $CLAUDE --print x";
    // In a pane once, and detached from it: its child no longer says so.
    let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
    let pane = world.tmux(&["display-message", "-p", "#{pane_id}"]).ok().out;
    let of_pane =
        format!("TMUX={},{},0 TMUX_PANE={}", world.socket().display(), server.trim(), pane.trim());
    let (parent, child_in) =
        parent_and_child(&world, &format!("{of_pane} exec $CLAUDE --print x"), child);
    for options in [&[][..], &["--outside-tmux"]] {
        assert_held(&world, options, child_in, &format!("started from {} of work", pane.trim()));
    }
    end(parent);
    assert_leak(&world, &[], child_in, "it says nothing of a pane");

    let (parent, child) = parent_and_child(&world, "exec $CLAUDE --print x", child);
    let keep = world.path().join(".config/agentutils/keep");
    fs::create_dir_all(keep.parent().unwrap()).unwrap();
    fs::write(&keep, format!(".type == \"process\" and .pid == {parent}\n")).unwrap();
    let above = format!("process {parent} above it: kept by line 1 of {}", keep.display());
    assert_held(&world, &[], child, &above);
    assert_held(&world, &["--outside-tmux"], child, &above);
    fs::remove_file(keep).unwrap();
    assert_leak(&world, &[], child, "nothing keeps either");

    // The one below whom the command runs.
    let findings = world.path().join("findings");
    let asks = format!(
        "(STANDIN_READY='{}' $CLAUDE --print x &)
         {{ lsagents; lssessions -S '{}'; lsclaude --name {}; }} \
         | agentdiff --min-age 0s --outside-tmux >findings.new; mv findings.new findings",
        world.ready().directory().display(),
        world.socket().display(),
        world.name(),
    );
    fs::write(world.path().join("asks.sh"), asks).unwrap();
    let asking = detached(&world, "export STANDIN_REAPS='. ./asks.sh'; exec $CLAUDE --print x");
    wait_until(|| "the findings", || findings.exists());
    let findings = fs::read_to_string(findings).unwrap();
    let (own, below): (Vec<_>, Vec<_>) = records(&findings)
        .into_iter()
        .filter(|finding| finding["process"].is_object())
        .partition(|finding| finding["process"]["pid"] == asking);
    let reason = "it runs this command";
    assert_eq!(own.len(), 1, "{findings}");
    assert_eq!(own[0]["reason"], reason, "{findings}");
    assert_eq!(below.len(), 1, "{findings}");
    assert_eq!(below[0]["kind"], "untracked_process", "{findings}");
    assert!(below[0]["reason"].as_str().unwrap().contains(reason), "{findings}");
}
