//! The completions of the command lines, asked from the shells themselves.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::manual::options_in_help;
use crate::world::{COMMANDS, World, built, run, skip, wait_until};

/// Prints what bash offers for the words of a command line, of which the last is being typed.
/// The function that bash-completion sets for unknown commands loads the file of the command;
/// the function in that file answers. Outside a real completion, `compopt` complains.
const IN_BASH: &str = r#"
. /usr/share/bash-completion/bash_completion
function_of() { # what `complete` is told to call for this
    set -- "$(complete -p "$@")"
    set -- "${1##* -F }"
    printf '%s' "${1%% *}"
}
complete -p "$1" >/dev/null 2>&1 && exit 3
"$(function_of -D)" "$1"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$* COMP_POINT=${#COMP_LINE}
"$(function_of "$1")" "$1" "${@: -1}" "${@: -2:1}" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// The completions as they lie below `share` when installed. Returns that directory.
fn share(world: &World) -> PathBuf {
    let written = world.path().join("completions");
    run(world.command(built().join("examples/completions")).arg(&written), "").ok();
    let share = world.path().join("share");
    for (shell, directory) in [
        ("bash", "bash-completion/completions"),
        ("zsh", "zsh/site-functions"),
        ("fish", "fish/vendor_completions.d"),
    ] {
        let link = share.join(directory);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(written.join(shell), link).unwrap();
    }
    share
}

/// Whether the shell is there, and what it needs for completions.
fn has(world: &World, shell: &str) -> bool {
    let asked = if shell == "bash" {
        "command -v bash && ls /usr/share/bash-completion/bash_completion"
    } else {
        &format!("command -v {shell}")
    };
    let there = run(world.command("sh").args(["-c", asked]), "").code == 0;
    if !there {
        skip("completions", &format!("{shell}, or its completion, is not there"));
    }
    there
}

/// A command's options by its own account.
fn options(world: &World, name: &str) -> BTreeSet<String> {
    let mut command = if name.ends_with(".sh") { world.script(name) } else { world.tool(name) };
    let options = options_in_help(&run(command.arg("--help"), "").ok().out);
    assert!(options.contains("--help"), "{name}: {options:?}");
    options
}

fn words<'t>(lines: impl IntoIterator<Item = &'t str>) -> BTreeSet<String> {
    lines.into_iter().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_offers_the_options_that_each_command_has() {
    let world = World::new();
    if !has(&world, "bash") {
        return;
    }
    let share = share(&world);
    let offers = |line: &[&str]| {
        let mut bash = world.command("bash");
        bash.args(["--norc", "-c", IN_BASH, "bash"]).args(line);
        words(run(bash.env("XDG_DATA_DIRS", &share), "").ok().out.lines())
    };
    for name in COMMANDS {
        assert_eq!(offers(&[name, "-"]), options(&world, name), "{name}");
    }
    assert_eq!(offers(&["lsclaude", "--proc-source", ""]), words(["proc", "ps"]));
    assert_eq!(offers(&["verify_cleanup.sh", "--proc-source", ""]), words(["proc", "ps"]));
    assert_eq!(offers(&["agentprune", "--yes", "--ghosts", "m"]), words(["mark"]));
    assert_eq!(offers(&["lsclaude", "--name", ""]), words([]), "no file is a name");
}

#[test]
fn fish_offers_the_options_that_each_command_has() {
    let world = World::new();
    if !has(&world, "fish") {
        return;
    }
    let share = share(&world);
    let offers = |line: &str| {
        let mut fish = world.command("fish");
        fish.args(["-c", "complete -C $argv[1]", line]).env("XDG_DATA_DIRS", &share);
        let out = run(&mut fish, "").ok().out;
        // After a tab comes what it means.
        words(out.lines().filter_map(|line| line.split('\t').next()))
    };
    for name in COMMANDS {
        // Fish knows no completions of what cannot be run.
        let options = options(&world, name);
        assert_eq!(offers(&format!("{name} -")), options, "{name}");
    }
    assert_eq!(offers("lsclaude --proc-source "), words(["proc", "ps"]));
    assert_eq!(offers("verify_cleanup.sh --proc-source "), words(["proc", "ps"]));
    assert_eq!(offers("agentprune --yes --ghosts m"), words(["mark"]));
    fs::create_dir(world.path().join("project")).unwrap();
    fs::write(world.path().join("profile"), "").unwrap();
    assert_eq!(offers("lsagents --workspace pro"), words(["project/"]));
}

/// An interactive shell on a terminal, in which keys are pressed.
struct Terminal<'w> {
    world: &'w World,
}

impl Terminal<'_> {
    /// Starts a shell that prompts with `READY`.
    fn new<'w>(world: &'w World, shell: &str) -> Terminal<'w> {
        let share = share(world);
        let (command, start, text) = match shell {
            "bash" => (
                "bash --noprofile --rcfile start -i",
                "start",
                ". /usr/share/bash-completion/bash_completion; PS1='READY '",
            ),
            "zsh" => (
                "zsh -d -i",
                ".zshrc",
                "fpath=(\"$PWD/share/zsh/site-functions\" $fpath); PS1='READY '; \
                 autoload -Uz compinit; compinit -u -D",
            ),
            _ => (
                "fish -i",
                ".config/fish/config.fish",
                "function fish_prompt; printf 'READY '; end; function fish_greeting; end",
            ),
        };
        let start = world.path().join(start);
        fs::create_dir_all(start.parent().unwrap()).unwrap();
        fs::write(start, text).unwrap();
        let mut tmux = world.tmux_command(&["new-session", "-d", "-x", "150", "-y", "150", "-e"]);
        tmux.arg(format!("XDG_DATA_DIRS={}", share.display())).args(["-s", "typing", command]);
        run(&mut tmux, "").ok();
        let terminal = Terminal { world };
        terminal.shows("the prompt", |screen| screen.contains("READY"));
        terminal
    }

    fn press(&self, keys: &[&str]) {
        self.world.tmux(&[&["send-keys", "-t", "typing:"], keys].concat()).ok();
    }

    fn screen(&self) -> String {
        self.world.tmux(&["capture-pane", "-p", "-t", "typing:"]).ok().out
    }

    /// Waits until the screen is so and stays so, and returns it.
    fn shows(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let screen = RefCell::new(String::new());
        wait_until(
            || format!("{what}; the screen shows: {}", screen.borrow().trim_end()),
            || {
                let before = screen.replace(self.screen());
                is_so(&before) && before == *screen.borrow()
            },
        );
        screen.into_inner()
    }
}

#[test]
fn zsh_offers_the_options_that_each_command_has() {
    let world = World::new();
    if !has(&world, "zsh") {
        return;
    }
    let terminal = Terminal::new(&world, "zsh");
    for name in COMMANDS {
        terminal.press(&["C-u", "C-l", &format!("{name} -"), "Tab"]);
        // `--table    -T  -- Print a table…`: names that do the same share a line.
        let offered = |screen: &str| -> BTreeSet<String> {
            let lines = screen.lines().filter(|line| !line.starts_with("READY"));
            let names = lines.filter_map(|line| line.split(" -- ").next());
            words(names.flat_map(str::split_whitespace).filter(|word| word.starts_with('-')))
        };
        let options = options(&world, name);
        let screen = terminal.shows(&format!("the list of {name}"), |screen| {
            screen.contains(&format!("{name} -")) && offered(screen).len() >= options.len()
        });
        assert_eq!(offered(&screen), options, "{name}: {screen}");
    }
}

#[test]
fn the_tab_key_completes_options_words_and_directories() {
    for shell in ["bash", "zsh", "fish"] {
        let world = World::new();
        if !has(&world, shell) {
            continue;
        }
        fs::create_dir(world.path().join("project")).unwrap();
        fs::write(world.path().join("profile"), "").unwrap();
        let terminal = Terminal::new(&world, shell);
        // In their places, something that shows what it is given.
        for name in ["agentprune", "lsagents"] {
            let define = match shell {
                "fish" => format!("function {name}; printf '<%s>' $argv; end"),
                _ => format!("{name}() {{ printf '<%s>' \"$@\"; }}"),
            };
            terminal.press(&[&define, "Enter"]);
        }
        for (keys, given) in [
            (vec!["agentprune --gh", "Tab", "ma", "Tab", "Enter"], "<--ghosts><mark>"),
            (vec!["lsagents --wor", "Tab", "pro", "Tab", "Enter"], "<--workspace><project/>"),
        ] {
            terminal.press(&keys);
            // zsh completes `--workspace=` as one word; and takes the slash off again.
            let joined = given.replacen("><", "=", 1);
            terminal.shows(&format!("{given} in {shell}"), |screen| {
                screen.contains(given)
                    || screen.contains(&joined)
                    || screen.contains(&joined.replace('/', ""))
            });
        }
    }
}
