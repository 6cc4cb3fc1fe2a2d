//! Writes what bash, zsh and fish need to complete the command lines of the programs and
//! scripts: `completions DIRECTORY` makes `DIRECTORY/bash`, `DIRECTORY/zsh` and
//! `DIRECTORY/fish`, each with a file for every command, under the name that the shell expects.
//!
//! The options of the programs come from their parsers, and the options of the scripts from
//! their help text. So there is no list of options here.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};
use clap_complete::{Shell, generate};

use agentutils::{agentdiff, agentprune, lsagents, lsclaude, lssessions};

const SCRIPTS: [(&str, &str); 2] = [
    ("cleanup_leaked_agents.sh", include_str!("cleanup_leaked_agents.sh")),
    ("verify_cleanup.sh", include_str!("verify_cleanup.sh")),
];

/// Each shell, its directory, and the beginning and end of the name of a file there: between
/// them is the name of the command.
const SHELLS: [(Shell, &str, [&str; 2]); 3] = [
    (Shell::Bash, "bash", ["", ""]),
    (Shell::Zsh, "zsh", ["_", ""]),
    (Shell::Fish, "fish", ["", ".fish"]),
];

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.ok_or("usage: completions DIRECTORY")?;
    let programs = [
        lsagents::args::Arguments::command(),
        lssessions::args::Arguments::command(),
        lsclaude::args::Arguments::command(),
        agentdiff::args::Arguments::command(),
        agentprune::args::Arguments::command(),
    ];
    let scripts = SCRIPTS.map(|(name, text)| script(name, text));
    for command in programs.into_iter().chain(scripts) {
        let name = command.get_name().to_owned();
        let mut command = command.mut_args(without_file_names);
        for (shell, subdirectory, [before, after]) in SHELLS {
            let subdirectory = directory.join(subdirectory);
            fs::create_dir_all(&subdirectory)?;
            let mut text = Vec::new();
            generate(shell, &mut command, &name, &mut text);
            fs::write(subdirectory.join(format!("{before}{name}{after}")), text)?;
        }
    }
    Ok(())
}

/// For a value without a hint, shells would offer the names of files.
fn without_file_names(arg: Arg) -> Arg {
    let unknown = arg.get_value_hint() == ValueHint::Unknown;
    if unknown && arg.get_action().takes_values() { arg.value_hint(ValueHint::Other) } else { arg }
}

/// The command line of a script, from its help, with lines such as
/// `  -S, --socket PATH      ask only the tmux server on this socket`.
fn script(name: &'static str, text: &'static str) -> Command {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("Usage: ")).skip(1);
    let about = lines.next().unwrap_or_default();
    let help = lines.take_while(|line| *line != "TEXT");
    let mut options: Vec<(&str, String)> = Vec::new();
    for line in help.take_while(|line| !line.starts_with("Exit status")).map(str::trim) {
        if line.starts_with('-') {
            let (names, does) = line.split_once("  ").unwrap_or((line, ""));
            options.push((names, does.trim().to_owned()));
        } else if let Some((_, does)) = options.last_mut() {
            *does = format!("{does} {line}").trim().to_owned();
        }
    }
    // Shells show one line of it.
    let brief = |does: &str| does.split("; ").next().unwrap_or_default().to_owned();
    let args = options.into_iter().map(|(names, does)| option(names).help(brief(&does)));
    Command::new(name).about(about).disable_help_flag(true).args(args)
}

/// The option with these names and this value: `-S, --socket PATH`.
fn option(names: &'static str) -> Arg {
    let mut arg = Arg::new(names).action(ArgAction::SetTrue);
    for word in names.split([' ', ',']) {
        arg = match (word.strip_prefix("--"), word.strip_prefix('-').and_then(|s| s.chars().next()))
        {
            (Some(long), _) => arg.long(long),
            (None, Some(short)) => arg.short(short),
            (None, None) if word.is_empty() => arg,
            (None, None) => value(arg.action(ArgAction::Set), word),
        };
    }
    arg
}

fn value(arg: Arg, name: &'static str) -> Arg {
    match name {
        "DIR" => arg.value_hint(ValueHint::DirPath),
        "PATH" => arg.value_hint(ValueHint::FilePath),
        "USER" => arg.value_hint(ValueHint::Username),
        "SOURCE" => arg.value_parser(PossibleValuesParser::new(["proc", "ps"])),
        _ => arg,
    }
}
