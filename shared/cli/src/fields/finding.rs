//! The fields of findings.

use model::record::{Kind, Severity};

use super::agent::AGENT;
use super::evidence::EVIDENCE;
use super::process::PROCESS;
use super::registry::REGISTRY;
use super::session::SESSION;
use crate::field::{Field, Unit};
use crate::word::{Tone, Word};

/// The words of the model's table of kinds, and what they mean.
const KINDS: [Word; Kind::ALL.len()] = {
    let mut kinds = [Word::plain("", ""); Kind::ALL.len()];
    let mut at = 0;
    while at < kinds.len() {
        let kind = &Kind::ALL[at];
        let tone = match kind.severity {
            Severity::Bad => Tone::Bad,
            Severity::Notice => Tone::Warn,
        };
        kinds[at] = Word::new(kind.word, tone, kind.meaning);
        at += 1;
    }
    kinds
};

/// What can be done about a finding.
pub const ACTIONS: &[Word] = &[
    Word::plain("kill_process", "end the process"),
    Word::plain("kill_session", "end the session"),
    Word::plain("remove_entry", "remove the entry from its registry"),
    Word::plain("terminate_entry", "mark the entry as terminated"),
    Word::plain("set_counters", "set the counters to what the entries add up to"),
];

const MACHINE: &str = "The machine, as in the *end* record of the scan.";

const ABOUT: &str = "The record it is about, exactly as it was read. Each finding has one of the \
                     four; for an agent in two registries, it is the entry in the registry of \
                     the task. A *zombie_session* that an entry names has that *agent* besides.";

/// The fields of findings.
pub const FINDING: &[Field] = &[
    Field::new(
        "kind",
        Unit::Word(&KINDS),
        "What is wrong",
        "What is wrong; agentdiff(1) tells more about each kind.",
    ),
    Field::new(
        "action",
        Unit::Word(ACTIONS),
        "What agentprune would do; -: nothing",
        "What agentprune(1) would do about it. `null`: nothing.",
    )
    .nullable(),
    Field::new(
        "target",
        Unit::Text,
        "What it is about",
        "What it is about, for people, such as `process 4711`.",
    ),
    Field::new("reason", Unit::Sentence, "Why", "Why, for people."),
    Field::new("host", Unit::Text, "The machine it was found on", MACHINE),
    Field::new("boot_id", Unit::Text, "Identity of that machine's boot", MACHINE),
    Field::new("pid_ns", Unit::Text, "Identity of the pid namespace", MACHINE),
    Field::new("evidence", Unit::Object(EVIDENCE), "What it is based on", "What it is based on:"),
    Field::new("agent", Unit::Record(AGENT), "The agent record it is about (lsagents -H)", ABOUT)
        .absent(),
    Field::new("session", Unit::Record(SESSION), "The session record (lssessions -H)", ABOUT)
        .absent(),
    Field::new("process", Unit::Record(PROCESS), "The process record (lsclaude -H)", ABOUT)
        .absent(),
    Field::new("registry", Unit::Record(REGISTRY), "The registry record (lsagents -H)", ABOUT)
        .absent(),
];
