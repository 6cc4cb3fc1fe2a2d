//! Agent sessions without Claude in which a shell is left: at its prompt, or at work.

use std::cell::RefCell;
use std::fs;

use serde_json::Value;

use crate::world::{Entry, Identity, Registry, World, living, of_kind, run, skip, wait_until};

/// A session: its name, what its pane runs, and what is typed there.
type Shape = (&'static str, &'static str, &'static str);

const BASH: &str = "exec bash --norc --noprofile";
const ZSH: &str = "exec zsh -f";
const FISH: &str = "exec fish";
const DASH: &str = "exec dash";

/// Sessions that go on by themselves.
const LOOPS: [Shape; 24] = [
    ("until", "until false; do sleep 300; done", ""),
    ("until-ready", "while ! test -e ready-file; do sleep 5; done; exec NAME --print", ""),
    ("then", "sleep 300; NAME --print", ""),
    ("and-then", "sleep 300 && NAME --print", ""),
    ("or-else", "exec bash -c 'cat || NAME --print'", ""),
    ("lines", "exec bash -c 'sleep 300\nNAME --print'", ""),
    ("stdin", "exec bash -s <loop", ""),
    ("stdin-without-s", "exec bash <loop", ""),
    ("pipe", "cat loop | bash", ""),
    ("script", "exec bash ./loop", ""),
    // A program that was killed has left the terminal in its own mode.
    ("stdin-raw", "stty -icanon -echo -iexten; exec bash <waits", ""),
    // Nothing in its arguments says that there is a loop.
    (
        "function",
        "exec bash -c 'work() { sleep 300; :; }; export -f work; exec bash -c \"work | cat\"'",
        "",
    ),
    ("bash", BASH, "while :; do sleep 300; done"),
    ("zsh", ZSH, "while :; do sleep 300; done"),
    ("fish", FISH, "while true; sleep 300; end"),
    ("dash", DASH, "while :; do sleep 300; done"),
    ("bash-behind", BASH, "(sleep 300; NAME --print) &"),
    ("zsh-behind", ZSH, "sleep 300 && NAME --print &"),
    ("bash-fifo-behind", BASH, "(read -r x <fifo; NAME --print) &"),
    (
        "bash-orphan",
        BASH,
        "bash --norc --noprofile\n(read -r x <fifo; NAME --print) & disown\nexit",
    ),
    ("bash-trap", BASH, "trap 'NAME --print' CHLD; sleep 300 &"),
    ("bash-wait", BASH, "sleep 300 & wait; NAME --print"),
    ("fish-wait", FISH, "sleep 300 & wait; NAME --print"),
    ("copier", BASH, "tail -f /dev/null; NAME --print"),
];

/// Sessions that wait in the shell itself, or in a program that reads.
const READERS: [Shape; 21] = [
    ("bash", BASH, "while :; do read -t 300 x; done"),
    ("zsh", ZSH, "while :; do read -t 300 x; done"),
    ("fish", FISH, "while true; bash -c 'read -t 300 x; :'; end"),
    ("dash", DASH, "while :; do read x; done"),
    // These switch off that the terminal gathers lines, as a prompt does.
    ("bash-key", BASH, "while :; do read -n 1 -t 300 x; done"),
    ("bash-silent-key", BASH, "while :; do read -s -n 1 -t 300 x; done"),
    ("bash-any-key", BASH, "while :; do read -s -n 1 x; done"),
    ("zsh-key", ZSH, "while :; do read -k 1 -t 300 x; done"),
    ("zsh-silent-key", ZSH, "while :; do read -s -k 1 -t 300 x; done"),
    // These use the line editor.
    ("bash-editor", BASH, "while :; do read -e -t 300 x; done"),
    ("zsh-editor", ZSH, "while :; do vared -c x; done"),
    ("zsh-select", ZSH, "select x in a b; do :; done"),
    // So does a program that was killed and has left the terminal in its own mode.
    ("bash-half-raw", BASH, "stty -icanon -iexten; while :; do read x; done"),
    ("bash-lines", BASH, "stty -echo -iexten; while :; do read x; done"),
    ("dash-raw", DASH, "stty -icanon -echo -iexten; while :; do read x; done"),
    ("bash-raw", BASH, "stty -icanon -echo -iexten; while :; do read -t 300 x; done"),
    ("fd", BASH, "exec </dev/null; while :; do read -t 300 x <>fifo; done"),
    ("dash-prompt", DASH, ""),
    ("python", BASH, "python3"),
    ("ssh", BASH, "ssh -o ProxyCommand='sleep 300' nowhere"),
    ("nested", BASH, "bash --norc --noprofile; NAME --print"),
];

/// Sessions in which nothing works.
const PROMPTS: [Shape; 6] = [
    ("idle-bash", BASH, ""),
    ("idle-zsh", ZSH, ""),
    ("idle-fish", FISH, ""),
    ("idle-bash-after", BASH, "while false; do sleep 300; done"),
    ("idle-bash-copier", BASH, "tail -f /dev/null &"),
    ("idle-login", "exec bash -c 'exec -a -bash bash --noprofile'", ""),
];

/// Sessions without a shell, or with one that only waits for the program that it was given.
const PROGRAMS: [Shape; 6] = [
    ("sleep", "exec sleep 3600", ""),
    ("tail", "exec tail -f /dev/null", ""),
    ("cat", "exec cat", ""),
    ("tee", "exec tee log", ""),
    ("below-a-shell", "sleep 3600", ""),
    ("pipeline", "cd logs && tail -f /dev/null | tee 'a_stream.jsonl'", ""),
];

/// Starts the sessions, those whose shell is not there left out. Returns the process of each
/// pane.
fn start(world: &World, shapes: &[&Shape]) -> Vec<(String, Identity)> {
    fs::write(world.path().join("loop"), "while :; do\nsleep 300\ndone\n").unwrap();
    fs::write(world.path().join("waits"), "read -r x <fifo\nsleep 300\n").unwrap();
    run(world.command("mkfifo").arg("fifo"), "").ok();
    // Without it, the first fish reads all manual pages of the machine.
    fs::create_dir_all(world.path().join(".local/share/fish/generated_completions")).unwrap();
    let has = |shell: &str| {
        let there = run(world.command("sh").args(["-c", &format!("command -v {shell}")]), "");
        if there.code != 0 {
            skip("shells in sessions", &format!("{shell} is not there"));
        }
        there.code == 0
    };
    let missing: Vec<&str> =
        ["zsh", "fish", "dash", "ssh"].into_iter().filter(|shell| !has(shell)).collect();
    let needs = |shape: &Shape, shell: &&str| shape.1.contains(shell) || shape.2.contains(shell);
    let shapes = shapes.iter().filter(|shape| !missing.iter().any(|shell| needs(shape, shell)));
    let mut panes = Vec::new();
    let mut typed = Vec::new();
    for (name, command, line) in shapes {
        let name = format!("agent_{name}");
        let command = command.replace("NAME", world.name());
        let pane = world.session(&name, &command);
        wait_until(|| format!("the pane of {name}"), || living(pane).is_some());
        panes.push((name.clone(), living(pane).unwrap()));
        if !line.is_empty() {
            // What is typed before the prompt is there may be lost.
            let state = |name: &str| {
                let listed = run(&mut world.lssessions(), "").ok().records();
                let session = listed.into_iter().find(|record| record["name"] == name);
                session.map(|session| session["panes"][0]["shells"][0]["state"].clone())
            };
            if !world.reads_ps() && !command.contains("dash") {
                wait_until(
                    || format!("the prompt of {name}"),
                    || state(&name) == Some(Value::from("prompt")),
                );
            }
            let begun = format!("begun-{name}");
            let line = line.replace("NAME", world.name());
            // A loop does not end; of several lines, the last leads back to the prompt.
            let keys = match line.contains('\n') {
                true => format!("{line}\ntouch {begun}"),
                false => format!("touch {begun}; {line}"),
            };
            world.tmux(&["send-keys", "-t", &format!("={name}:"), &keys, "Enter"]).ok();
            typed.push(begun);
        }
    }
    for begun in typed {
        wait_until(|| begun.clone(), || world.path().join(&begun).exists());
    }
    panes
}

fn ids(shapes: &[&Shape]) -> Registry {
    Registry::new(shapes.iter().map(|(name, ..)| Entry::new(name)))
}

/// What is at work is found busy and lives on; what is not, is ended in the same run.
fn only_what_is_idle_ends(world: &World, at_work: &[Shape], idle: &[Shape]) {
    let all: Vec<&Shape> = at_work.iter().chain(idle).collect();
    world.write_global(&ids(&all));
    let works = start(world, &at_work.iter().collect::<Vec<_>>());
    let waits = start_more(world, idle);
    let mut findings = String::new();
    let missing: RefCell<Vec<String>> = RefCell::default();
    wait_until(
        || format!("zombies: {:?}", missing.borrow()),
        || {
            findings = world.findings(&[]);
            let found = of_kind(&findings, "zombie_session");
            let is_found = |name: &String| found.iter().any(|f| f["session"]["name"] == **name);
            let names = waits.iter().map(|(name, _)| name.clone());
            missing.replace(names.filter(|name| !is_found(name)).collect());
            missing.borrow().is_empty()
        },
    );
    let found = of_kind(&findings, "zombie_session");
    let names: Vec<&Value> = found.iter().map(|finding| &finding["session"]["name"]).collect();
    assert_eq!(names.len(), waits.len(), "{names:?}");
    let busy = of_kind(&findings, "busy_session");
    for (name, _) in &works {
        assert!(busy.iter().any(|f| f["session"]["name"] == **name), "{name} is not busy");
    }
    world.prune(&findings, &["--yes"]).expect(&[0, 1]);
    let mut left = world.session_names();
    left.sort();
    let mut expected: Vec<String> = works.iter().map(|(name, _)| name.clone()).collect();
    expected.sort();
    assert_eq!(left, expected);
    for (name, pane) in &works {
        assert_eq!(living(pane.0), Some(*pane), "{name}");
    }
}

fn start_more(world: &World, shapes: &[Shape]) -> Vec<(String, Identity)> {
    fs::remove_file(world.path().join("fifo")).unwrap();
    start(world, &shapes.iter().collect::<Vec<_>>())
}

#[test]
fn h50_loops_that_start_claude_again_are_at_work() {
    let world = World::new();
    let idle: &[Shape] = if world.reads_ps() { &PROGRAMS[..5] } else { &PROMPTS };
    only_what_is_idle_ends(&world, &LOOPS, idle);
}

#[test]
fn h50_by_ps_a_shell_is_at_work_unless_it_only_waits_for_its_program() {
    // ps shows neither the mode of a terminal nor where a word of a command ends.
    let (idle, pipeline) = PROGRAMS.split_at(5);
    let at_work = [&LOOPS[..], &PROMPTS, pipeline].concat();
    only_what_is_idle_ends(&World::by_ps(), &at_work, idle);
}

#[test]
fn h73_shells_and_programs_that_read_are_at_work() {
    let world = World::new();
    let idle: &[Shape] = if world.reads_ps() { &PROGRAMS[..5] } else { &PROGRAMS };
    only_what_is_idle_ends(&world, &READERS, idle);
}
