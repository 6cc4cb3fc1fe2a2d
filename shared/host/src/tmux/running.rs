//! What runs in the panes of sessions.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::claude::{base_name, script};
use model::record::{ProcSource, Session};

use crate::process::process_table::Table;

/// Puts into each pane the names of what runs under it: its process, all that descends from
/// that, and all on its terminal. tmux calls a pane dead when nobody has its terminal open any
/// more: its process may live on, and others may have its terminal by now.
pub fn fill_running(sessions: &mut [Session], table: &Table) {
    let children = table.children();
    let mut by_tty: HashMap<&str, Vec<i32>> = HashMap::new();
    for (pid, stat) in table.iter() {
        if let Some(tty) = &stat.tty {
            by_tty.entry(tty).or_default().push(pid);
        }
    }
    for pane in sessions.iter_mut().flat_map(|session| &mut session.panes) {
        let on_tty = by_tty.get(pane.tty.as_str()).filter(|_| !pane.dead);
        let mut todo: Vec<i32> = on_tty.into_iter().flatten().copied().collect();
        todo.push(pane.pid);
        let mut seen: HashSet<i32> = HashSet::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        while let Some(pid) = todo.pop() {
            if seen.insert(pid)
                && let Some(stat) = table.get(pid)
            {
                todo.extend(children.get(&pid).into_iter().flatten());
                if !stat.is_dead() {
                    names.extend(names_of(pid, &stat.name, table));
                }
            }
        }
        pane.running = names.into_iter().collect();
    }
}

/// Every name of a process: the kernel's, that of its executable (or, if unknown, of its first
/// argument), and that of the script it runs. So a shell at work differs from a shell that
/// waits.
fn names_of(pid: i32, name: &str, table: &Table) -> impl Iterator<Item = String> {
    let exe = table.source.exe(pid);
    let exe = exe.as_deref().map(|exe| base_name(exe.strip_suffix(" (deleted)").unwrap_or(exe)));
    let shows_exe = table.source.kind() == ProcSource::Proc;
    let may_be_shell = exe.unwrap_or(name).ends_with("sh");
    let args = match shows_exe && !may_be_shell {
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
    [Some(name.to_owned()), exe, script].into_iter().flatten()
}
