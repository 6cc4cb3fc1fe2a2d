//! Claude processes: in a pane, held by something, or leaked.

use itertools::Itertools;

use super::context::{FindingBuilder, RuleContext};
use super::count::{by_reason, counted};
use super::options::Options;
use super::panes::Panes;
use crate::claude::is_headless;
use crate::record::{Kind, Namespace, Of, ProcSource, Process, Stdout, Subject};

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
    match (never_touched(process, panes), holder(process, panes)) {
        (Some(why), _) => ProcessVerdict::Held(why),
        (None, Some(why)) if options.outside_tmux => {
            ProcessVerdict::Leaked(format!("in no tmux pane (--outside-tmux; held by: {why})"))
        }
        (None, Some(why)) => ProcessVerdict::Held(why),
        (None, None) => ProcessVerdict::Leaked(unheld(process)),
    }
}

/// What holds a process whatever the options.
fn never_touched(process: &Process, panes: &Panes<'_>) -> Option<String> {
    if process.is_self {
        Some("it runs this command".to_owned())
    } else if process.daemon {
        Some("Claude's own background service".to_owned())
    } else {
        panes.unasked(process)
    }
}

/// The first thing that holds a process. What could not be found out holds it too.
fn holder(process: &Process, panes: &Panes<'_>) -> Option<String> {
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
    match process.source {
        ProcSource::Proc => unseen_holder(process, panes),
        // ps shows nothing of what follows. Instead, the arguments must say that Claude works
        // without a person.
        ProcSource::Ps => (!is_headless(&process.args))
            .then(|| "its arguments, as ps shows them, have no flag for headless work".to_owned()),
    }
}

/// What holds a process without showing in a list of processes.
fn unseen_holder(process: &Process, panes: &Panes<'_>) -> Option<String> {
    if process.namespace != Some(Namespace::Own) {
        return Some(match process.namespace {
            Some(_) => "another pid namespace (a container)".to_owned(),
            None => "its pid namespace could not be read".to_owned(),
        });
    }
    panes.origin(process).or_else(|| match (process.stdout, process.stdout_reader) {
        (Some(Stdout::File), _) => Some("its output goes to a file".to_owned()),
        (Some(Stdout::Tty), _) => Some("its output goes to a terminal".to_owned()),
        (Some(Stdout::Socket), _) => Some("its output goes to a socket".to_owned()),
        (Some(Stdout::Pipe), Some(reader)) => Some(format!("process {reader} reads its output")),
        (Some(Stdout::Pipe | Stdout::Null | Stdout::Other), _) => None,
        (None, _) => Some("it could not be found out who reads its output".to_owned()),
    })
}

fn unheld(process: &Process) -> String {
    let output = match process.stdout {
        _ if process.source == ProcSource::Ps => "started for headless work (seen by ps)",
        Some(Stdout::Null) => "output to /dev/null",
        Some(Stdout::Pipe) => "output to a pipe that nobody reads",
        _ => "output neither read nor kept",
    };
    let parent = process.parent_name.as_deref().unwrap_or("(unknown)");
    format!(
        "in no tmux pane; its parent is gone (now {} {parent}); no terminal, no service; {output}",
        process.ppid
    )
}

/// Judges every process once, in the order of their pids.
pub(super) fn judge(context: &mut RuleContext<'_, '_>) {
    let state = context.state;
    let panes_gap = state.session_gap(None);
    let (mut gaps, mut foreign) = (Vec::new(), Vec::new());
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
            ProcessVerdict::Leaked(reason) => match &sourced.kept_by {
                Some(reason) => (Kind::UntrackedProcess, reason.to_string()),
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

fn unreaped(process: &Process) -> String {
    let parent = process.parent_name.as_deref().unwrap_or("(unknown)");
    format!("dead; its parent {} {parent} has not reaped it", process.ppid)
}
