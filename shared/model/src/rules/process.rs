//! Claude processes: in a pane, held by something, or leaked.

use foldhash::{HashMap, HashSet};
use itertools::Itertools;

use super::{FindingBuilder, Options, RuleContext, by_reason, counted};
use crate::claude::is_headless;
use crate::record::{ActionKind, Kind};
use crate::record::{Namespace, Of, ProcSource, Process, Session, Stdout};

/// The panes of all sessions that were seen, ready to be asked about processes.
#[derive(Debug)]
pub struct Panes<'s> {
    by_pid: HashMap<i32, Vec<&'s Session>>,
    by_tty: HashMap<&'s str, Vec<&'s Session>>,
    by_id: HashMap<(i32, &'s str), &'s Session>,
    servers: HashSet<i32>,
}

impl<'s> Panes<'s> {
    /// Collects the panes. `servers`: the servers that answered.
    pub fn new(
        sessions: impl IntoIterator<Item = &'s Session>,
        servers: HashSet<i32>,
    ) -> Panes<'s> {
        let mut panes = Panes {
            by_pid: HashMap::default(),
            by_tty: HashMap::default(),
            by_id: HashMap::default(),
            servers,
        };
        for session in sessions {
            for pane in &session.panes {
                panes.by_pid.entry(pane.pid).or_default().push(session);
                // tmux calls a pane dead once nobody has its terminal open: its process
                // may live on (`nohup claude -p … >/dev/null`), the terminal may be
                // somebody else's by now.
                if pane.dead {
                    continue;
                }
                panes.by_tty.entry(&pane.tty).or_default().push(session);
                panes.by_id.insert((session.server_pid, &pane.id), session);
            }
        }
        panes
    }

    /// The sessions a process is in: those with a pane whose process is it or an ancestor
    /// of it, or whose terminal is its own.
    pub fn sessions_of(&self, process: &Process) -> impl Iterator<Item = &'s Session> {
        let by_pid = std::iter::once(&process.pid)
            .chain(&process.ancestors)
            .filter_map(|pid| self.by_pid.get(pid));
        let by_tty = process.tty.as_deref().and_then(|tty| self.by_tty.get(tty));
        by_pid.chain(by_tty).flatten().copied()
    }

    /// The living pane that a process was started from.
    fn origin(&self, process: &Process) -> Option<String> {
        let origin = process.tmux.as_ref()?;
        let pane = origin.pane.as_deref()?;
        let session = self.by_id.get(&(origin.server_pid, pane))?;
        Some(format!("started from {pane} of {}, detached", session.name))
    }

    /// The living server that a process belongs to, if that was not asked: the process may
    /// well be in a pane of it.
    fn unasked(&self, process: &Process) -> Option<String> {
        let server_pid = process.tmux.as_ref()?.server_pid;
        (!self.servers.contains(&server_pid))
            .then(|| format!("it belongs to tmux server {server_pid}, which was not asked"))
    }
}

/// What a process is, given the panes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessVerdict {
    /// Dead, not reaped.
    Defunct,
    /// In a pane of this session.
    InPane(String),
    /// In no pane, but held, and by what.
    Held(String),
    /// In no pane and held by nothing; a sentence that says so.
    Leaked(String),
}

pub(super) fn verdict(process: &Process, panes: &Panes<'_>, options: &Options) -> ProcessVerdict {
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

/// What no flag makes a leak.
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
        // ps shows nothing of what follows. In its place, Claude's own words must say that
        // nobody sits before it.
        ProcSource::Ps => (!is_headless(&process.args))
            .then(|| "no flag of headless work among its arguments, as ps shows them".to_owned()),
    }
}

/// What holds a process and does not show in a list of processes.
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
        (None, _) => Some("who reads its output could not be found out".to_owned()),
    })
}

fn unheld(process: &Process) -> String {
    let output = match process.stdout {
        _ if process.source == ProcSource::Ps => "started for headless work (seen by ps)",
        Some(Stdout::Null) => "output to /dev/null",
        Some(Stdout::Pipe) => "output to a pipe nobody reads",
        _ => "output to nowhere",
    };
    let parent = process.parent_name.as_deref().unwrap_or("(unknown)");
    format!(
        "in no tmux pane; its parent is gone (now {} {parent}); no terminal, no service; {output}",
        process.ppid
    )
}

pub(super) fn leaked(context: &mut RuleContext<'_, '_>) {
    each(context, |context, builder, verdict, young| match verdict {
        ProcessVerdict::Leaked(reason) if !young(context) => Some(FindingBuilder {
            kind: Kind::LeakedProcess,
            action: Some(ActionKind::KillProcess),
            reason,
            ..builder
        }),
        _ => None,
    });
}

pub(super) fn untracked(context: &mut RuleContext<'_, '_>) {
    each(context, |_, builder, verdict, _| match verdict {
        ProcessVerdict::Held(reason) => {
            Some(FindingBuilder { kind: Kind::UntrackedProcess, reason, ..builder })
        }
        _ => None,
    });
}

pub(super) fn defunct(context: &mut RuleContext<'_, '_>) {
    let defunct = context.state.processes.iter().filter(|(process, _)| process.record.is_defunct());
    for (process, _) in defunct.sorted_by_key(|(process, _)| process.record.pid) {
        let Process { pid, ppid, ref parent_name, .. } = process.record;
        let parent = parent_name.as_deref().unwrap_or("(unknown)");
        let reason = format!("dead; its parent {ppid} {parent} has not reaped it");
        let builder =
            FindingBuilder::new(Kind::DefunctProcess, None, format!("process {pid}"), reason);
        context.report(FindingBuilder { process: Some(process.raw()), ..builder });
    }
}

type Young<'y, 'c, 'a> = &'y dyn Fn(&mut RuleContext<'c, 'a>) -> bool;

/// Shows every process of which it can be said that it is in no pane, or in one, in
/// the order of their pids.
fn each<'c, 'a>(
    context: &mut RuleContext<'c, 'a>,
    rule: impl Fn(
        &mut RuleContext<'c, 'a>,
        FindingBuilder<'c>,
        ProcessVerdict,
        Young<'_, 'c, 'a>,
    ) -> Option<FindingBuilder<'c>>,
) {
    let state = context.state;
    let mut gaps = Vec::new();
    let mut gap_of_uid: HashMap<u32, Option<String>> = HashMap::default();
    for (process, end) in state.processes.iter().sorted_by_key(|(process, _)| process.record.pid) {
        let record = &process.record;
        let verdict = verdict(record, &context.panes, context.options);
        if matches!(verdict, ProcessVerdict::InPane(_) | ProcessVerdict::Defunct) {
            continue;
        }
        let gap =
            gap_of_uid.entry(record.uid).or_insert_with(|| state.session_gap(record.uid, None));
        if let Some(gap) = gap {
            gaps.push(gap.clone());
            continue;
        }
        let target = format!("process {}", record.pid);
        let builder = FindingBuilder {
            process: Some(process.raw()),
            names: end.names.as_ref(),
            proc_source: Some(record.source),
            ..FindingBuilder::new(Kind::UntrackedProcess, None, target, String::new())
        };
        let young = |context: &mut RuleContext<'c, 'a>| {
            context.too_young(record.started, end, Of::Sessions)
        };
        if let Some(builder) = rule(context, builder, verdict, &young) {
            context.report(builder);
        }
    }
    for (gap, count) in by_reason(gaps) {
        context.withhold(&counted(count, "process", "processes"), &gap);
    }
}
