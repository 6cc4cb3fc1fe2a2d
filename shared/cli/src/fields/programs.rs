//! What each program writes, and which fields its tables show.

use super::action::ACTION;
use super::agent::AGENT;
use super::end::END;
use super::finding::FINDING;
use super::process::PROCESS;
use super::registry::REGISTRY;
use super::session::SESSION;
use crate::field::{Output, RecordType};

const AGENTS: RecordType = RecordType { word: "agent", plural: "agents", fields: AGENT };
const REGISTRIES: RecordType =
    RecordType { word: "registry", plural: "registries", fields: REGISTRY };
const SESSIONS: RecordType = RecordType { word: "session", plural: "sessions", fields: SESSION };
const PROCESSES: RecordType = RecordType { word: "process", plural: "processes", fields: PROCESS };
const FINDINGS: RecordType = RecordType { word: "finding", plural: "findings", fields: FINDING };
const ACTIONS: RecordType = RecordType { word: "action", plural: "actions", fields: ACTION };
/// `-o` and tables have no end.
const ENDS: RecordType = RecordType { word: "end", plural: "ends", fields: END };

/// Every type of record, in the order of agentrecords(5).
pub const ALL: [RecordType; 7] = [AGENTS, REGISTRIES, SESSIONS, PROCESSES, FINDINGS, ACTIONS, ENDS];

/// What `lsagents` writes.
#[derive(Clone, Copy, Debug)]
pub struct Agents;

impl Output for Agents {
    const PROGRAM: &'static str = "lsagents";
    const RECORDS: &'static [RecordType] = &[AGENTS, REGISTRIES];
    const COLUMNS: &'static [&'static str] = &["id", "status", "started", "task_id"];
}

/// What `lssessions` writes.
#[derive(Clone, Copy, Debug)]
pub struct Sessions;

impl Output for Sessions {
    const PROGRAM: &'static str = "lssessions";
    const RECORDS: &'static [RecordType] = &[SESSIONS];
    const COLUMNS: &'static [&'static str] =
        &["name", "id", "attached", "created", "panes.running"];
}

/// What `lsclaude` writes.
#[derive(Clone, Copy, Debug)]
pub struct Processes;

impl Output for Processes {
    const PROGRAM: &'static str = "lsclaude";
    const RECORDS: &'static [RecordType] = &[PROCESSES];
    const COLUMNS: &'static [&'static str] = &[
        "pid",
        "role",
        "ppid",
        "user",
        "tty",
        "state",
        "started",
        "rss_bytes",
        "tmux.pane",
        "args",
    ];
}

/// What `agentdiff` writes.
#[derive(Clone, Copy, Debug)]
pub struct Findings;

impl Output for Findings {
    const PROGRAM: &'static str = "agentdiff";
    const RECORDS: &'static [RecordType] = &[FINDINGS];
    const COLUMNS: &'static [&'static str] = &["kind", "action", "target", "reason"];
}

/// What `agentprune` writes.
#[derive(Clone, Copy, Debug)]
pub struct Actions;

impl Output for Actions {
    const PROGRAM: &'static str = "agentprune";
    const RECORDS: &'static [RecordType] = &[ACTIONS];
    const COLUMNS: &'static [&'static str] = &["result", "action", "target", "reason"];
}
