//! What a Claude has left behind: MCP servers that nobody can talk to any more, and whatever else
//! still runs.
//!
//! Claude talks to a server over pairs of sockets that nobody else has. Once it is dead, the
//! other ends are gone: that decides. That the parent of a process is gone does not, because
//! `command &` has none while its Claude works on. Nor does its environment, which also a
//! person's pane may have.

use itertools::Itertools;
use jiff::{SignedDuration, Timestamp};

use super::context::{FindingBuilder, RuleContext};
use super::count::counted;
use crate::parse::tmux::cut;
use crate::record::{End, Holder, How, Kind, Of, Process, Role};
use crate::stream::Sourced;

/// The ways in which a server is held. Its own log, database or terminal hold nothing: nobody
/// can ask it for anything.
const HOLDS_SERVER: [How; 7] =
    [How::Itself, How::Namespace, How::Parent, How::Peer, How::Service, How::Tracer, How::Watcher];

/// What a process is that belongs to a server which a Claude started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerVerdict {
    /// Another user's: not judged.
    Foreign,
    /// Dead, or no server.
    None,
    /// Somebody has the other end of its input or output, or may have.
    Used(String),
    /// Nobody has, but something holds it, and what: a sentence.
    Held(String),
    /// Nobody has, and nothing holds its chain or what is below it.
    Leaked,
}

/// Judges a process of a server for the user `uid`. All processes of its chain get the same
/// verdict. No option changes it.
pub fn server_verdict(process: &Process, uid: u32) -> ServerVerdict {
    if process.uid != uid {
        return ServerVerdict::Foreign;
    }
    let (Role::Server, Some(server), false) = (process.role, &process.server, process.is_defunct())
    else {
        return ServerVerdict::None;
    };
    match server.abandoned {
        Some(true) => {}
        Some(false) => {
            let why = "somebody has the other end of its input or output";
            return ServerVerdict::Used(why.to_owned());
        }
        None => {
            let why = "who has the other ends of its input and output could not be found out";
            return ServerVerdict::Used(why.to_owned());
        }
    }
    let held = |sentence: String| ServerVerdict::Held(sentence);
    let is_whole = server.chain.contains(&process.pid)
        && (process.pid == server.top || process.ancestors.contains(&server.top));
    if process.is_self {
        return held("it runs this command".to_owned());
    }
    if !process.examined || !is_whole {
        return held("what else holds it was not looked for".to_owned());
    }
    if let Some(holder) = process.holders.iter().find(|holder| HOLDS_SERVER.contains(&holder.how)) {
        return held(of_chain(holder));
    }
    if let Some(how) = process.unread.iter().find(|how| HOLDS_SERVER.contains(how)) {
        return held(format!("could not be found out: {}", how.row().meaning));
    }
    match server.listening.as_deref() {
        None => return held("whether it listens on a socket could not be found out".to_owned()),
        Some([]) => {}
        Some([pid, ..]) => {
            return held(format!("process {pid} listens on a socket or has a client on one"));
        }
    }
    if let Some(pid) = server.claude.first() {
        return held(format!("Claude runs below it: process {pid}"));
    }
    if let Some(pid) = server.tmux.first() {
        return held(format!("a tmux server runs below it: process {pid}"));
    }
    if let Some(holder) = server.below.first() {
        return held(of_below(holder));
    }
    match server.below_unread.first() {
        Some(how) => {
            held(format!("of what is below it could not be found out: {}", how.row().meaning))
        }
        None => ServerVerdict::Leaked,
    }
}

fn of_chain(holder: &Holder) -> String {
    let sentence = Holder { of: None, ..holder.clone() }.sentence();
    match holder.of {
        Some(pid) => format!("process {pid} of the same server is held: {sentence}"),
        None => sentence,
    }
}

fn of_below(holder: &Holder) -> String {
    let sentence = Holder { of: None, ..holder.clone() }.sentence();
    match holder.of {
        Some(pid) => format!("process {pid} below it is held: {sentence}"),
        None => sentence,
    }
}

/// Judges what was left of every Claude, once, the servers first, each from its top.
pub(super) fn judge(context: &mut RuleContext<'_, '_>) {
    let uid = context.state.uid;
    let left = context.state.left.clone();
    let own = left.into_iter().filter(|(process, _)| process.record.uid == uid);
    let (servers, children): (Vec<_>, Vec<_>) =
        own.partition(|(process, _)| process.record.role == Role::Server);
    for (sourced, end) in servers.into_iter().sorted_by_key(|(process, _)| order(&process.record)) {
        server(context, sourced, end);
    }
    let children = children.into_iter().sorted_by_key(|(process, _)| process.record.pid);
    for (sourced, end) in children {
        child(context, sourced, end);
    }
}

/// By server, from the top of its chain.
fn order(process: &Process) -> (i32, usize, i32) {
    let (top, at) = match &process.server {
        Some(server) => (server.top, server.chain.iter().position(|pid| *pid == process.pid)),
        None => (process.pid, None),
    };
    (top, at.unwrap_or_default(), process.pid)
}

/// A record of what was left, with the end of the scan that saw it.
type Seen<'c, 'a> = (&'c Sourced<'a, Process>, &'c End);

fn server<'c, 'a>(
    context: &mut RuleContext<'c, 'a>,
    sourced: &'c Sourced<'a, Process>,
    end: &'c End,
) {
    let process = &sourced.record;
    let target = format!("process {}", process.pid);
    let is_top = process.server.as_ref().is_some_and(|server| server.top == process.pid);
    let what = || format!("{}: server of {}", command(process), claude(process, end));
    let (kind, reason) = match server_verdict(process, context.state.uid) {
        ServerVerdict::Foreign | ServerVerdict::None => return,
        ServerVerdict::Leaked => match kept_by(context, process) {
            None => (
                Kind::LeakedServer,
                format!("{}; nobody has the other end of its input and output", what()),
            ),
            Some(why) => (Kind::LeftoverProcess, format!("{}; {why}", what())),
        },
        ServerVerdict::Held(why) => (Kind::LeftoverProcess, format!("{}; {why}", what())),
        ServerVerdict::Used(why) if is_over(context, process) => {
            (Kind::LeftoverProcess, format!("{}; {why}", what()))
        }
        ServerVerdict::Used(_) => {
            context.summary.judged += 1;
            return;
        }
    };
    if kind == Kind::LeakedServer {
        if context.too_young(&target, process.started, end, Of::Processes) {
            return;
        }
        context.leaked_servers.insert((process.pid, &process.start_time));
    }
    context.summary.judged += 1;
    // Of what is left alone, the top stands for the others.
    if kind == Kind::LeakedServer || is_top {
        report(context, kind, (sourced, end), target, reason);
    }
}

/// Why the keep file keeps a process of this server's tree.
fn kept_by(context: &RuleContext<'_, '_>, process: &Process) -> Option<String> {
    let server = process.server.as_ref()?;
    let is_of_tree =
        |other: &Process| other.pid == server.top || other.ancestors.contains(&server.top);
    let mut tree = context.state.left.iter().filter(|(other, _)| is_of_tree(&other.record));
    tree.find_map(|(other, _)| {
        let why = other.kept_by.as_ref()?;
        Some(match other.record.pid == process.pid {
            true => why.to_string(),
            false => format!("process {} of it: {why}", other.record.pid),
        })
    })
}

/// The highest of what a Claude left stands for what is below it.
fn child<'c, 'a>(
    context: &mut RuleContext<'c, 'a>,
    sourced: &'c Sourced<'a, Process>,
    end: &'c End,
) {
    let process = &sourced.record;
    context.summary.judged += 1;
    if process.is_defunct() || !process.orphaned || process.is_self || !is_over(context, process) {
        return;
    }
    let below = context.state.left.iter().filter(|(other, _)| {
        !other.record.is_defunct() && other.record.ancestors.contains(&process.pid)
    });
    let mut reason = command(process);
    match below.count() {
        0 => {}
        count => reason += &format!(" and {} below it", counted(count, "process", "processes")),
    }
    reason += &format!(": left by {}", claude(process, end));
    if let Some(cwd) = process.cwd.as_deref().filter(|cwd| place(process) != Some(cwd)) {
        reason += &format!("; works in {cwd}");
    }
    report(
        context,
        Kind::LeftoverProcess,
        (sourced, end),
        format!("process {}", process.pid),
        reason,
    );
}

fn report<'c, 'a>(
    context: &mut RuleContext<'c, 'a>,
    kind: Kind,
    (sourced, end): Seen<'c, 'a>,
    target: String,
    reason: String,
) {
    context.report(FindingBuilder {
        process: Some(sourced.raw()),
        names: end.names.as_ref(),
        proc_source: Some(sourced.record.source),
        ..FindingBuilder::new(kind, target, reason)
    });
}

/// Whether the Claude that started a process is surely dead: its session file says so, or it is
/// none of those that live.
fn is_over(context: &RuleContext<'_, '_>, process: &Process) -> bool {
    if let Some(file) = &process.session_file {
        return !file.live;
    }
    let Some(environment) = &process.claude else { return false };
    if context.state.gap(Of::Processes).is_some() {
        return false;
    }
    let all = context.state.processes.iter().map(|(process, _)| &process.record);
    let mut living = all.filter(|claude| claude.uid == process.uid && !claude.is_defunct());
    let is_of = |claude: &Process| match (&claude.session_file, &environment.session) {
        (Some(file), Some(session)) => file.id == *session,
        _ => true,
    };
    match (environment.pid, &environment.session) {
        (Some(pid), _) => !living.any(|claude| claude.pid == pid),
        (None, Some(_)) => !living.any(is_of),
        (None, None) => living.next().is_none(),
    }
}

/// The Claude that started a process, as `a Claude that has ended (session 3d548c30, last active
/// 3 h before) in /w`.
fn claude(process: &Process, end: &End) -> String {
    /// As much as distinguishes the sessions of a person.
    const SHORT: usize = 8;
    let environment = process.claude.as_ref();
    let session = environment.and_then(|environment| environment.session.as_deref());
    let file = process.session_file.as_ref();
    let active = file.filter(|file| !file.live).and_then(|file| file.updated.or(file.started));
    let words = [
        session.map(|session| format!("session {}", cut(session, SHORT))),
        active.map(|at| format!("last active {} before", ago(at, end.taken_at))),
    ];
    let words = words.into_iter().flatten().join(", ");
    let words = if words.is_empty() { words } else { format!(" ({words})") };
    let place = place(process).map_or(String::new(), |place| format!(" in {place}"));
    let ended = if file.is_some_and(|file| file.live) { "" } else { " that has ended" };
    format!("a Claude{ended}{words}{place}")
}

/// Where the Claude that started a process worked.
fn place(process: &Process) -> Option<&str> {
    let project = process.claude.as_ref().and_then(|claude| claude.project.as_deref());
    let cwd = process.session_file.as_ref().and_then(|file| file.cwd.as_deref());
    project.or(cwd).or(process.cwd.as_deref())
}

/// The time from an instant to the scan, in one unit.
fn ago(at: Timestamp, seen: Timestamp) -> String {
    let age = seen.duration_since(at).max(SignedDuration::ZERO);
    match (age.as_hours(), age.as_mins(), age.as_secs()) {
        (hours @ 48.., ..) => format!("{} d", hours / 24),
        (hours @ 1.., ..) => format!("{hours} h"),
        (_, minutes @ 1.., _) => format!("{minutes} min"),
        (.., seconds) => format!("{seconds} s"),
    }
}

fn command(process: &Process) -> String {
    const LENGTH: usize = 80;
    let command = process.args.iter().map(|arg| arg.trim()).filter(|arg| !arg.is_empty()).join(" ");
    match command.as_str() {
        "" => process.name.clone(),
        command => cut(command, LENGTH).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_unit() {
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3 * 3600, "3 h"),
            (50 * 3600_i64, "2 d"),
            (-5, "0 s"),
        ] {
            assert_eq!(ago(at(0), at(seconds)), expected);
        }
    }
}
