//! What runs in the panes of sessions, and what their shells do.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::claude::{base_name, script};
use model::record::{Adopted, ProcSource, Session, Shell, ShellState};
use model::shell::{
    Commands, commands, has_line_editor, is_shell, only_waits, only_waits_by_words,
};

use crate::process::process_table::Table;
use crate::process::stat::ProcessStat;

/// Puts into each pane the names of what runs under it: its process, all that descends from
/// that, and all on its terminal; and what the shells among them do. tmux calls a pane dead when
/// nobody has its terminal open any more: its process may live on, and others may have its
/// terminal by now.
pub fn fill_running(sessions: &mut [Session], table: &Table) {
    let children = table.children();
    let mut by_tty: HashMap<&str, Vec<i32>> = HashMap::new();
    for (pid, stat) in table.iter() {
        if let Some(tty) = &stat.tty {
            by_tty.entry(tty).or_default().push(pid);
        }
    }
    for pane in sessions.iter_mut().flat_map(|session| &mut session.panes) {
        let mut living: BTreeMap<i32, Names> = BTreeMap::new();
        let mut seen: HashSet<i32> = HashSet::new();
        let mut add = |tops: Vec<i32>, living: &mut BTreeMap<i32, Names>| {
            let mut todo = tops;
            while let Some(pid) = todo.pop() {
                if seen.insert(pid)
                    && let Some(stat) = table.get(pid)
                {
                    todo.extend(children.get(&pid).into_iter().flatten());
                    if !stat.is_dead() {
                        living.insert(pid, Names::of(pid, &stat.name, table));
                    }
                }
            }
        };
        add(vec![pane.pid], &mut living);
        pane.below = names(living.values());
        let below: HashSet<i32> = living.keys().copied().collect();
        let on_tty = by_tty.get(pane.tty.as_str()).filter(|_| !pane.dead);
        add(on_tty.into_iter().flatten().copied().collect(), &mut living);
        let adopted = living.iter().filter(|(pid, _)| !below.contains(pid));
        let adopted = adopted.filter_map(|(pid, its)| {
            let start_time = table.get(*pid)?.start.to_string();
            Some(Adopted { pid: *pid, start_time, names: names([its]) })
        });
        pane.adopted = adopted.collect();
        let shells = living.iter().filter(|(_, names)| names.are_of_shell());
        let shells = shells.filter_map(|(pid, names)| {
            let children = children.get(pid).into_iter().flatten();
            let children = children.filter_map(|pid| Some((*pid, living.get(pid)?))).collect();
            Some(shell((*pid, table.get(*pid)?), names, children, &pane.tty, table))
        });
        pane.shells = shells.collect();
        pane.running = names(living.values());
    }
}

/// All names that these processes go by.
fn names<'n>(of: impl IntoIterator<Item = &'n Names>) -> Vec<String> {
    let names: BTreeSet<String> = of.into_iter().flat_map(Names::all).collect();
    names.into_iter().collect()
}

/// Describes a shell in a pane. `living`: its living children.
fn shell(
    (pid, stat): (i32, &ProcessStat),
    names: &Names,
    living: Vec<(i32, &Names)>,
    tty: &str,
    table: &Table,
) -> Shell {
    let children: Vec<Vec<String>> =
        living.iter().map(|(_, names)| names.all().collect()).collect();
    let words: Vec<&[u8]> = names.args.iter().map(Vec::as_slice).collect();
    let state = match commands(&words) {
        // ps shows words, and not the mode of the terminal.
        _ if table.source.kind() == ProcSource::Ps => {
            let children: Vec<_> = living.iter().map(|(pid, _)| table.source.args(*pid)).collect();
            only_waits_by_words(&words, &children).then_some(ShellState::Waits)
        }
        Commands::Text(text) if only_waits(&text, &children) => Some(ShellState::Waits),
        Commands::Input if names.exe.as_deref().is_some_and(has_line_editor) => {
            let is_at_prompt = table.source.is_at_prompt(pid, stat, tty);
            is_at_prompt.map(|is| if is { ShellState::Prompt } else { ShellState::Work })
        }
        Commands::Input | Commands::Text(_) | Commands::Other => Some(ShellState::Work),
    };
    let children: BTreeSet<String> = children.into_iter().flatten().collect();
    let name = names.exe.as_ref().unwrap_or(&names.name).clone();
    Shell { pid, name, state, children: children.into_iter().collect() }
}

/// What a process is called. So a shell at work differs from a shell that waits.
struct Names {
    /// The kernel's name of it.
    name: String,
    /// The base name of its executable or, if unknown, of its first argument.
    exe: Option<String>,
    /// The base name of the script it runs.
    script: Option<String>,
    /// Its arguments, if it may be a shell.
    args: Vec<Vec<u8>>,
}

impl Names {
    fn of(pid: i32, name: &str, table: &Table) -> Names {
        let exe = table.source.exe(pid);
        let exe =
            exe.as_deref().map(|exe| base_name(exe.strip_suffix(" (deleted)").unwrap_or(exe)));
        let shows_exe = table.source.kind() == ProcSource::Proc;
        let may_be_shell = |name: &str| name.ends_with("sh") || name == "busybox";
        let args = match shows_exe && !may_be_shell(name) && !exe.is_some_and(may_be_shell) {
            true => Vec::new(),
            false => table.source.args(pid),
        };
        let exe = match exe {
            Some(exe) => Some(exe.to_owned()),
            None if shows_exe => None,
            // A login shell's begins with `-`.
            None => args.first().map(|first| {
                let first = String::from_utf8_lossy(first);
                base_name(first.strip_prefix('-').unwrap_or(&first)).to_owned()
            }),
        };
        let is_shell = exe.as_deref().unwrap_or(name).ends_with("sh");
        let words: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let script = is_shell.then(|| script(&words)).flatten();
        let script = script.map(|script| base_name(&script).to_owned());
        Names { name: name.to_owned(), exe, script, args }
    }

    fn are_of_shell(&self) -> bool {
        is_shell(&self.name) || self.exe.as_deref().is_some_and(is_shell)
    }

    fn all(&self) -> impl Iterator<Item = String> + use<> {
        [Some(self.name.clone()), self.exe.clone(), self.script.clone()].into_iter().flatten()
    }
}
