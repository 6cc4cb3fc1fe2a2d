//! Worlds as the listers would write them, and what the rules make of them. Everything
//! goes through JSON text, so that reading it is tested too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::rules::Options;
use serde_json::{Value, json};

/// What one run of one lister wrote.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Its closing record; scan and count are put in by [`lines`].
    pub end: Value,
    /// The records before it.
    pub records: Vec<Value>,
}

/// The path of the global registry of the worlds.
pub const GLOBAL: &str = "/w/registry/GLOBAL_REGISTRY.json";

/// The instant so many seconds after the one at which most scans are taken.
pub fn at(seconds: i64) -> String {
    Timestamp::from_second(1_761_780_300 + seconds).unwrap().to_string()
}

/// A complete scan at `of` on the machine `host`, without records.
pub fn scan(of: &str, host: &str, taken_at: i64) -> Scan {
    let mut end = json!({
        "type": "end", "of": of, "complete": true, "filtered": false,
        "host": host, "boot_id": "boot", "pid_ns": "4026531836", "taken_at": at(taken_at), "uid": 1000,
    });
    match of {
        "sessions" => {
            end["unasked"] = json!([]);
            end["servers"] = json!("all");
            end["sockets"] = json!(["/tmp/tmux-1000/default"]);
            end["server_pids"] = json!([801]);
            end["proc_source"] = json!("proc");
        }
        "processes" => {
            end["names"] = json!("default");
            end["proc_source"] = json!("proc");
        }
        _ => {}
    }
    Scan { end, records: Vec::new() }
}

/// An entry of [`GLOBAL`] without a status, its session as the orchestrator names it.
pub fn agent(id: &str) -> Value {
    json!({
        "type": "agent", "id": id, "agent_type": "worker", "task_id": "TASK-1", "parent": null,
        "status": null, "tmux_session": format!("agent_{id}"), "started_at": "2025-10-29T20:00:00",
        "last_update": null, "completed_at": null, "started": null,
        "scope": "global", "registry": GLOBAL,
    })
}

/// A registry of uid 1000 whose counters are right.
pub fn registry(path: &str, scope: &str) -> Value {
    json!({
        "type": "registry", "path": path, "scope": scope, "owner_uid": 1000, "agents": 1,
        "gid": 1000, "mode": 0o600, "device": "8:1", "device_path": path,
        "counters": {"active_agents": {"stored": 1, "computed": 1}},
    })
}

/// A session of server 801, twenty minutes old and idle since, attached to by nobody.
pub fn session(id: &str, name: &str, panes: Vec<Value>) -> Value {
    json!({
        "type": "session", "name": name, "id": id, "uid": 1000, "server_pid": 801,
        "socket": "/tmp/tmux-1000/default", "created": at(-1200), "activity": at(-1200),
        "attached": 0, "windows": 1, "agent": name.strip_prefix("agent_"), "panes": panes,
    })
}

/// A pane that runs what is named; its shells are at their prompts and have no children.
pub fn pane(id: &str, pid: i32, tty: &str, running: &[&str]) -> Value {
    let shells = ["sh", "bash", "dash", "zsh", "ksh", "fish"];
    let shells = running.iter().filter(|name| shells.contains(name));
    let shells: Vec<Value> = shells.map(|name| shell(pid, name, "prompt", &[])).collect();
    json!({
        "id": id, "pid": pid, "tty": tty, "dead": false, "start_command": "", "running": running,
        "below": running, "adopted": [], "shells": shells,
    })
}

/// A shell of a pane.
pub fn shell(pid: i32, name: &str, state: &str, children: &[&str]) -> Value {
    json!({"pid": pid, "name": name, "state": state, "children": children})
}

/// A Claude ten minutes old that nothing holds.
pub fn process(pid: i32) -> Value {
    json!({
        "type": "process", "role": "claude", "source": "proc", "pid": pid, "ppid": 1, "parent_name": "systemd", "ancestors": [1],
        "pgid": pid, "sid": pid, "uid": 1000, "user": "u", "tty": null, "name": "claude",
        "exe": "/usr/bin/claude", "args": ["claude", "-p"], "start_time": "4711",
        "started": at(-600), "rss_bytes": 1, "cpu_seconds": 0.5, "state": "S", "orphaned": true,
        "self": false, "daemon": false, "claude_children": 0, "tmux": null, "service": null,
        "namespace": "own", "stdout": "null", "holders": [], "unread": [], "examined": true, "above": [],
        "cwd": "/w", "claude": null, "session_file": null, "server": null,
    })
}

/// A process of a server that Claude started and nobody can talk to any more, ten minutes old.
/// `chain`: its processes, the top first.
pub fn server(pid: i32, chain: &[i32]) -> Value {
    let at = chain.iter().position(|other| *other == pid).unwrap();
    let ancestors: Vec<i32> = chain[..at].iter().rev().copied().chain([1]).collect();
    let mut server = process(pid);
    server["role"] = json!("server");
    server["ppid"] = json!(ancestors[0]);
    server["ancestors"] = json!(ancestors);
    server["orphaned"] = json!(at == 0);
    (server["name"], server["exe"]) = (json!("node"), json!("/usr/bin/node"));
    (server["args"], server["stdout"]) = (json!(["node", "mcp.js"]), json!("socket"));
    server["claude"] = environment("s");
    server["server"] = json!({
        "top": chain[0], "chain": chain, "abandoned": true, "listening": [], "claude": [],
        "tmux": [], "below": [], "below_unread": [],
    });
    server
}

/// Anything else that the Claude of a session has started, an orphan.
pub fn child(pid: i32, session: &str) -> Value {
    let mut child = process(pid);
    child["role"] = json!("child");
    (child["name"], child["exe"]) = (json!("sleep"), json!("/usr/bin/sleep"));
    child["args"] = json!(["sleep", "3600"]);
    child["claude"] = environment(session);
    child
}

/// The environment that the Claude of a session gives.
pub fn environment(session: &str) -> Value {
    json!({
        "session": session, "entrypoint": "cli", "project": "/w", "child": false, "pid": null,
        "version": "2.1.197",
    })
}

/// A session file.
pub fn session_file(session: &str, live: bool) -> Value {
    json!({
        "id": session, "cwd": "/w", "kind": "interactive", "started": at(-7200),
        "updated": at(-3600), "live": live,
    })
}

/// What holds a process, by process 812.
pub fn holder(how: &str, what: Value) -> Value {
    json!({"how": how, "pid": 812, "name": "python3", "what": what, "of": null})
}

/// A tmux server of uid 1001 that was not asked.
pub fn unasked(pid: i32) -> Value {
    json!({"pid": pid, "uid": 1001, "groups": [1001], "why": "other_user", "mounts": "same"})
}

/// The same as ps shows it: what only /proc tells is not there.
pub fn seen_by_ps(process: &mut Value) {
    process["source"] = json!("ps");
    for field in ["exe", "namespace", "stdout", "cwd"] {
        process[field] = json!(null);
    }
    process["examined"] = json!(false);
}

/// The records of all scans with what ties them together, one JSON text each.
pub fn lines(scans: &[Scan]) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, scan) in scans.iter().enumerate() {
        let mut end = scan.end.clone();
        end["count"] = json!(scan.records.len());
        for mut record in scan.records.iter().cloned().chain([end]) {
            record["scan"] = json!(format!("scan {number}"));
            lines.push(record.to_string());
        }
    }
    lines
}

/// What the rules made of a stream.
#[derive(Debug)]
pub struct Outcome {
    /// The findings as they are written, a line each.
    pub text: String,
    /// The same, read again.
    pub findings: Vec<Value>,
    /// Findings with an action, as the summaries count them.
    pub actionable: u64,
    /// Processes and sessions too young to judge.
    pub too_young: u64,
    /// How many records of each subject were not judged.
    pub unjudged: BTreeMap<String, u64>,
    /// Whether nothing could be judged, by the last summary.
    pub is_blind: bool,
    /// What was withheld and why.
    pub notes: String,
}

/// Judges a stream.
///
/// # Errors
/// Why the stream carries no conclusion at all.
pub fn judge(text: &str, options: &Options) -> Result<Outcome, String> {
    judge_keeping(text, options, &|_| false)
}

/// The same for a user who keeps the records with these lines.
///
/// # Errors
/// As [`judge`].
pub fn judge_keeping(
    text: &str,
    options: &Options,
    keeps: &dyn Fn(&str) -> bool,
) -> Result<Outcome, String> {
    let mut scans = model::stream::read(text).map_err(|error| error.to_string())?;
    for scan in &mut scans {
        let kept_by = |line: &str| keeps(line).then(|| "kept by line 7 of keep".into());
        scan.agents.iter_mut().for_each(|agent| agent.kept_by = kept_by(agent.line));
        scan.sessions.iter_mut().for_each(|session| session.kept_by = kept_by(session.line));
        scan.processes.iter_mut().for_each(|process| process.kept_by = kept_by(process.line));
    }
    let machine_states = model::rules::machine_states(&scans).map_err(|error| error.to_string())?;
    let mut outcome = Outcome {
        text: String::new(),
        findings: Vec::new(),
        actionable: 0,
        too_young: 0,
        unjudged: BTreeMap::new(),
        is_blind: false,
        notes: String::new(),
    };
    for state in &machine_states {
        let summary = model::rules::judge(state, options, &mut |finding| {
            outcome.text += &serde_json::to_string(finding).unwrap();
            outcome.text.push('\n');
        });
        outcome.actionable += summary.actionable;
        outcome.too_young += summary.too_young;
        outcome.is_blind = summary.is_blind();
        for (subject, count) in &summary.unjudged {
            let name = serde_json::to_value(subject).unwrap();
            *outcome.unjudged.entry(name.as_str().unwrap().to_owned()).or_default() += count;
        }
        outcome.notes.extend(summary.notes.iter().flat_map(|note| [note.as_str(), "\n"]));
    }
    outcome.findings =
        outcome.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Ok(outcome)
}
