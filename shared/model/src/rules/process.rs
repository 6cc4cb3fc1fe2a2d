//! Claude processes: in a pane, held by something, or leaked.

use foldhash::HashMap;
use itertools::Itertools;

use super::context::{FindingBuilder, RuleContext};
use super::count::{by_reason, counted};
use super::holding::{Hold, hold};
use super::options::Options;
use super::panes::Panes;
use crate::claude::is_headless;
use crate::record::{Kind, Of, ProcSource, Process, Stdout, Subject};
use crate::stream::Sourced;

/// What a process is, given the panes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessVerdict {
    /// Another user's: not judged.
    Foreign,
    /// Dead, not reaped.
    Defunct,
    /// In a pane of this session.
    InPane(String),
    /// In no pane, but held, and by what.
    Held(String),
    /// In no pane and held by nothing; a sentence that says so.
    Leaked(String),
}

/// Judges a process for the user `uid`, given the panes that were seen.
pub fn process_verdict(
    process: &Process,
    panes: &Panes<'_>,
    uid: u32,
    options: &Options,
) -> ProcessVerdict {
    if process.uid != uid {
        return ProcessVerdict::Foreign;
    }
    if process.is_defunct() {
        return ProcessVerdict::Defunct;
    }
    if let Some(session) = panes.sessions_of(process).next() {
        return ProcessVerdict::InPane(session.name.clone());
    }
    if let Some(why) = never_touched(process, panes) {
        return ProcessVerdict::Held(why);
    }
    match process.source {
        ProcSource::Proc => {
            let Process { holders, unread, examined, .. } = process;
            match hold(holders, unread, *examined, &options.lifted()) {
                Hold::Held(why) => ProcessVerdict::Held(why),
                Hold::Loose(lifted) if lifted.is_empty() => ProcessVerdict::Leaked(unheld(process)),
                Hold::Loose(lifted) => ProcessVerdict::Leaked(despite(options, &lifted.join("; "))),
            }
        }
        ProcSource::Ps => match holder_by_ps(process) {
            Some(why) if options.outside_tmux => ProcessVerdict::Leaked(despite(options, &why)),
            Some(why) => ProcessVerdict::Held(why),
            None => ProcessVerdict::Leaked(unheld(process)),
        },
    }
}

fn despite(options: &Options, holders: &str) -> String {
    let option = match options.outside_tmux {
        true => "--outside-tmux".to_owned(),
        false => format!("--despite {}", options.despite.iter().join(",")),
    };
    format!("in no tmux pane ({option}; held by: {holders})")
}

/// What no option lifts, and no lister of processes can see as a whole.
fn never_touched(process: &Process, panes: &Panes<'_>) -> Option<String> {
    if process.is_self {
        return Some("it runs this command".to_owned());
    }
    // In /proc it shows whether a service lives: that is one of the holders.
    if process.daemon && process.source == ProcSource::Ps {
        return Some("Claude's own background service".to_owned());
    }
    panes.unasked(process).or_else(|| panes.origin(process))
}

/// What holds a process, as far as ps shows it. In place of what ps does not show, Claude's
/// own words must say that nobody sits before it.
fn holder_by_ps(process: &Process) -> Option<String> {
    if process.claude_children > 0 {
        let children = process.claude_children as usize;
        return Some(format!(
            "parent of {}",
            counted(children, "Claude process", "Claude processes")
        ));
    }
    if !process.orphaned {
        let name = process.parent_name.as_deref().unwrap_or("(unknown)");
        return Some(format!("parent {} {name}", process.ppid));
    }
    if let Some(tty) = &process.tty {
        return Some(format!("terminal {tty}"));
    }
    if let Some(service) = &process.service {
        return Some(format!("service {service}"));
    }
    (!is_headless(&process.args))
        .then(|| "its arguments, as ps shows them, have no flag for headless work".to_owned())
}

fn unheld(process: &Process) -> String {
    let output = match process.stdout {
        _ if process.source == ProcSource::Ps => "started for headless work (seen by ps)",
        Some(Stdout::Null) => "output to /dev/null",
        Some(Stdout::Pipe) => "output to a pipe that nobody reads",
        _ => "output neither read nor kept",
    };
    let (ppid, name) = (process.ppid, process.parent_name.as_deref().unwrap_or("(unknown)"));
    let parent = match process.orphaned {
        true => format!("its parent is gone (now {ppid} {name})"),
        false => format!("its parent {ppid} {name} only waits for it and is not held either"),
    };
    format!("in no tmux pane; {parent}; no terminal, no service; {output}")
}

/// Judges every process once, in the order of their pids.
pub(super) fn judge(context: &mut RuleContext<'_, '_>) {
    let state = context.state;
    let panes_gap = state.session_gap(None);
    let (mut gaps, mut foreign) = (Vec::new(), Vec::new());
    let kept = state
        .processes
        .iter()
        .filter_map(|(sourced, _)| Some((sourced.record.pid, sourced.kept_by.as_deref()?)));
    let kept: HashMap<i32, &str> = kept.collect();
    for (sourced, end) in state.processes.iter().sorted_by_key(|(process, _)| process.record.pid) {
        let process = &sourced.record;
        let verdict = process_verdict(process, &context.panes, state.uid, context.options);
        let (kind, reason) = match verdict {
            ProcessVerdict::Foreign => {
                foreign.extend(state.owner_gap(process.uid));
                continue;
            }
            ProcessVerdict::InPane(_) => {
                context.summary.judged += 1;
                continue;
            }
            ProcessVerdict::Defunct => (Kind::DefunctProcess, unreaped(process)),
            ProcessVerdict::Held(reason) => (Kind::UntrackedProcess, reason),
            ProcessVerdict::Leaked(reason) => match kept_by(sourced, &kept) {
                Some(reason) => (Kind::UntrackedProcess, reason),
                None => (Kind::LeakedProcess, reason),
            },
        };
        // A dead process can be reported without knowing the panes.
        if let Some(gap) = panes_gap.as_ref().filter(|_| kind != Kind::DefunctProcess) {
            gaps.push(gap.clone());
            continue;
        }
        let target = format!("process {}", process.pid);
        if kind == Kind::LeakedProcess
            && context.too_young(&target, process.started, end, Of::Sessions)
        {
            continue;
        }
        context.summary.judged += 1;
        context.report(FindingBuilder {
            process: Some(sourced.raw()),
            names: end.names.as_ref(),
            proc_source: Some(process.source),
            ..FindingBuilder::new(kind, target, reason)
        });
    }
    for (gap, count) in by_reason(gaps) {
        let what = counted(count, "process", "processes");
        context.withhold(Subject::Processes, count, &what, &gap);
    }
    for (gap, count) in by_reason(foreign) {
        context.note(&counted(count, "process", "processes"), &gap);
    }
}

/// Why the keep file keeps a process, or a Claude above it.
fn kept_by(sourced: &Sourced<'_, Process>, kept: &HashMap<i32, &str>) -> Option<String> {
    let above = || {
        let mut ancestors = sourced.record.ancestors.iter();
        ancestors.find_map(|pid| Some(format!("process {pid} above it: {}", kept.get(pid)?)))
    };
    sourced.kept_by.as_deref().map(str::to_owned).or_else(above)
}

fn unreaped(process: &Process) -> String {
    let parent = process.parent_name.as_deref().unwrap_or("(unknown)");
    format!("dead; its parent {} {parent} has not reaped it", process.ppid)
}
