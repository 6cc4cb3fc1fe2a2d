//! The fields of all records, as agentrecords(5) describes them at length.

use crate::field::Tone::{Bad, Good, Plain, Warn};
use crate::field::{Field, Output, RecordType, Unit};

const fn field(name: &'static str, unit: Unit, help: &'static str) -> Field {
    Field::new(name, unit, help)
}

const fn nullable(name: &'static str, unit: Unit, help: &'static str) -> Field {
    Field::nullable(name, unit, help)
}

const SCAN: Field = field("scan", Unit::Text, "The scan it belongs to");
const SCOPE: Field = field("scope", Unit::Word(&[]), "Kind of registry: global or task");

const STATUS: Unit =
    Unit::Word(&[("running", Good), ("working", Good), ("reviewing", Good), ("blocked", Warn)]);

const AGENT: &[Field] = &[
    field("id", Unit::Text, "Its key in a global registry, its id in that of a task"),
    nullable("status", STATUS, "Status in the registry; - in entries just deployed"),
    nullable("agent_type", Unit::Text, "What kind of agent it is"),
    nullable("task_id", Unit::Text, "Its task"),
    nullable("parent", Unit::Text, "The agent that made it"),
    nullable("tmux_session", Unit::Text, "The session that the orchestrator asked for"),
    nullable("started", Unit::Time, "When it was started"),
    nullable("updated", Unit::Time, "The latest time in the entry"),
    nullable("started_at", Unit::Text, "The entry's started_at, verbatim"),
    nullable("last_update", Unit::Text, "The entry's last_update, verbatim"),
    nullable("completed_at", Unit::Text, "The entry's completed_at, verbatim"),
    SCOPE,
    field("registry", Unit::Path, "The registry it stands in"),
    SCAN,
];

const COUNTER: &[Field] = &[
    nullable("stored", Unit::Number, "The number in the file"),
    field("computed", Unit::Number, "The number that its entries make"),
];

const REGISTRY: &[Field] = &[
    field("path", Unit::Path, "The file"),
    SCOPE,
    field("owner_uid", Unit::Number, "The user who owns it"),
    field("agents", Unit::Number, "How many entries it has").summed("agents"),
    field("counters", Unit::Map(COUNTER), "Its counters, by their names in the file"),
    SCAN,
];

const PANE: &[Field] = &[
    field("id", Unit::Text, "tmux's id of the pane"),
    field("pid", Unit::Number, "The process that tmux started in it"),
    field("tty", Unit::Text, "Its terminal"),
    field("dead", Unit::Flag(Bad), "That process has ended, or nobody has the terminal open"),
    field("start_command", Unit::Sentence, "The command it was started with; empty: a shell"),
    field("running", Unit::List("strings"), "The names of all processes in it"),
];

const SESSION: &[Field] = &[
    field("name", Unit::Text, "Its name, as tmux writes it"),
    field("id", Unit::Text, "tmux's id of it"),
    field("uid", Unit::Number, "The user who owns the server"),
    field("created", Unit::Time, "When it was made"),
    field("activity", Unit::Time, "When it was last active"),
    field("attached", Unit::Number, "How many clients are attached").summed("attached"),
    field("windows", Unit::Number, "How many windows it has"),
    nullable("agent", Unit::Text, "The agent it was made for"),
    field("panes", Unit::Objects(PANE), "Its panes, in all windows"),
    field("socket", Unit::Path, "The server's socket"),
    field("server_pid", Unit::Number, "The server's process"),
    SCAN,
];

const TMUX: &[Field] = &[
    field("server_pid", Unit::Number, "The tmux server it belongs to"),
    nullable("pane", Unit::Text, "The pane it was started in"),
];

const PROCESS: &[Field] = &[
    field("pid", Unit::Number, "Process id"),
    field("ppid", Unit::Number, "Its parent"),
    nullable("parent_name", Unit::Text, "The parent's short name"),
    field("ancestors", Unit::List("numbers"), "Its parent, the parent of that, and so on"),
    field("pgid", Unit::Number, "Process group"),
    nullable("sid", Unit::Number, "Session, in the sense of setsid(2)"),
    field("uid", Unit::Number, "Effective user"),
    nullable("user", Unit::Text, "That user's name"),
    nullable("tty", Unit::Text, "Controlling terminal"),
    field("state", Unit::Word(&[("Z", Bad), ("X", Bad)]), "One letter, as in ps(1)"),
    field("started", Unit::Time, "When it started"),
    field("rss_bytes", Unit::Bytes, "Resident memory").summed("resident"),
    field("cpu_seconds", Unit::Seconds, "Processor time used").summed("of processor time"),
    field("name", Unit::Text, "The kernel's short name of it"),
    nullable("exe", Unit::Path, "Its executable"),
    field("args", Unit::List("strings"), "Its arguments, cut at 256 bytes unless --full"),
    field("orphaned", Unit::Flag(Warn), "Its parent is process 1, a reaper or tmux"),
    nullable("tmux", Unit::Object(TMUX), "Where in tmux it was started"),
    nullable("service", Unit::Text, "The service unit that holds it"),
    nullable("namespace", Unit::Word(&[("foreign", Warn)]), "Its pid namespace: own or foreign"),
    nullable("stdout", Unit::Word(&[]), "Where its output leads: tty, file, pipe, socket, null"),
    nullable("stdout_reader", Unit::Number, "A process that reads that pipe"),
    field("self", Unit::Flag(Plain), "It has run lsclaude, directly or further up"),
    field("daemon", Unit::Flag(Plain), "It is Claude's own background service"),
    field("claude_children", Unit::Number, "Living children that are Claude too"),
    field("start_time", Unit::Text, "Opaque; with boot_id and pid its identity"),
    field("source", Unit::Word(&[]), "Where it was seen: proc or ps"),
    SCAN,
];

const EVIDENCE: &[Field] = &[
    field("taken_at", Unit::Time, "When the earliest scan began"),
    nullable("servers", Unit::Word(&[]), "Which tmux servers were asked: all or named"),
    field("sockets", Unit::List("paths"), "The sockets of those that answered"),
    field("server_pids", Unit::List("numbers"), "Their processes"),
    nullable("names", Unit::Any("string, list or object"), "Which names counted as Claude"),
    nullable("proc_source", Unit::Word(&[]), "Where processes were seen: proc or ps"),
    field("prefix", Unit::Text, "How names of agent sessions start"),
    field("outside_tmux", Unit::Flag(Warn), "Whether --outside-tmux was given"),
    field("busy", Unit::Flag(Warn), "Whether --busy was given"),
];

const KIND: Unit = Unit::Word(&[
    ("leaked_process", Bad),
    ("zombie_session", Bad),
    ("ghost_agent", Bad),
    ("count_mismatch", Bad),
    ("untracked_process", Warn),
    ("busy_session", Warn),
    ("orphan_session", Warn),
    ("defunct_process", Warn),
    ("status_mismatch", Warn),
    ("missing_in_global", Warn),
    ("stale_task", Warn),
]);

const FINDING: &[Field] = &[
    field("kind", KIND, "What is wrong"),
    nullable("action", Unit::Word(&[]), "What agentprune would do; - nothing"),
    field("target", Unit::Text, "What it is about"),
    field("reason", Unit::Sentence, "Why"),
    field("host", Unit::Text, "The machine it was found on"),
    field("boot_id", Unit::Text, "Identity of that machine's boot"),
    field("pid_ns", Unit::Text, "Identity of the pid namespace"),
    field("evidence", Unit::Object(EVIDENCE), "What it rests on"),
    field("agent", Unit::Record(AGENT), "The agent record it is about (lsagents -H)"),
    field("session", Unit::Record(SESSION), "The session record (lssessions -H)"),
    field("process", Unit::Record(PROCESS), "The process record (lsclaude -H)"),
    field("registry", Unit::Record(REGISTRY), "The registry record (lsagents -H)"),
];

const RESULT: Unit = Unit::Word(&[
    ("done", Good),
    ("gone", Good),
    ("skipped", Warn),
    ("failed", Bad),
    ("refused", Bad),
]);

const ENTRY: &[Field] = &[
    field("id", Unit::Text, "Its key or id"),
    field("text", Unit::Text, "Its text as it stood in the file"),
    field("copy", Unit::Number, "How many entries of the same id stood before it"),
    nullable("after", Unit::Text, "The entry that stood right before it"),
    field("after_copy", Unit::Number, "How many entries of that id stood before that one"),
    field("gap_before", Unit::Text, "What stood between it and what came before"),
    field("gap_behind", Unit::Text, "What stood between it and what came behind"),
    nullable("replaced_by", Unit::Text, "The text it was marked into"),
];

const ACTION: &[Field] = &[
    field("result", RESULT, "How it ended"),
    field("action", Unit::Word(&[]), "What was to be done"),
    field("target", Unit::Text, "About what"),
    field("reason", Unit::Sentence, "Why it ended so"),
    field("at", Unit::Time, "When"),
    field("entry", Unit::Object(ENTRY), "What undoing needs"),
    field("finding", Unit::Record(FINDING), "The finding (agentdiff -H)"),
];

/// What `lsagents` writes.
#[derive(Clone, Copy, Debug)]
pub struct Agents;

impl Output for Agents {
    const PROGRAM: &'static str = "lsagents";
    const RECORDS: &'static [RecordType] = &[
        RecordType { word: "agent", plural: "agents", fields: AGENT },
        RecordType { word: "registry", plural: "registries", fields: REGISTRY },
    ];
    const COLUMNS: &'static [&'static str] = &["id", "status", "started", "task_id"];
}

/// What `lssessions` writes.
#[derive(Clone, Copy, Debug)]
pub struct Sessions;

impl Output for Sessions {
    const PROGRAM: &'static str = "lssessions";
    const RECORDS: &'static [RecordType] =
        &[RecordType { word: "session", plural: "sessions", fields: SESSION }];
    const COLUMNS: &'static [&'static str] =
        &["name", "id", "attached", "created", "panes.running"];
}

/// What `lsclaude` writes.
#[derive(Clone, Copy, Debug)]
pub struct Processes;

impl Output for Processes {
    const PROGRAM: &'static str = "lsclaude";
    const RECORDS: &'static [RecordType] =
        &[RecordType { word: "process", plural: "processes", fields: PROCESS }];
    const COLUMNS: &'static [&'static str] =
        &["pid", "ppid", "user", "tty", "state", "started", "rss_bytes", "orphaned", "args"];
}

/// What `agentdiff` writes.
#[derive(Clone, Copy, Debug)]
pub struct Findings;

impl Output for Findings {
    const PROGRAM: &'static str = "agentdiff";
    const RECORDS: &'static [RecordType] =
        &[RecordType { word: "finding", plural: "findings", fields: FINDING }];
    const COLUMNS: &'static [&'static str] = &["kind", "action", "target", "reason"];
}

/// What `agentprune` writes.
#[derive(Clone, Copy, Debug)]
pub struct Actions;

impl Output for Actions {
    const PROGRAM: &'static str = "agentprune";
    const RECORDS: &'static [RecordType] =
        &[RecordType { word: "action", plural: "actions", fields: ACTION }];
    const COLUMNS: &'static [&'static str] = &["result", "action", "target", "reason"];
}
