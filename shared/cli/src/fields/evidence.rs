//! The fields of what a finding rests on.

use crate::field::{Field, Unit};
use crate::word::Tone::Warn;

/// The fields of evidence.
pub const EVIDENCE: &[Field] = &[
    Field::new(
        "uid",
        Unit::Number,
        "For which user it was found",
        "The user for whom it was found: agentprune(1) acts for no other.",
    ),
    Field::new(
        "taken_at",
        Unit::Time,
        "When the earliest scan began",
        "When the earliest scan of this machine began.",
    ),
    Field::new(
        "servers",
        Unit::Word(&[]),
        "Which tmux servers were asked: all or named",
        "*all* or *named*, as in the *end* record of sessions. `null`: there was no scan of \
         sessions.",
    )
    .nullable(),
    Field::new(
        "sockets",
        Unit::List("paths"),
        "The sockets of those that answered",
        "The sockets of the tmux servers that answered.",
    ),
    Field::new("server_pids", Unit::List("numbers"), "Their processes", "Their processes."),
    Field::new(
        "names",
        Unit::Any("string, list or object"),
        "Which names counted as Claude",
        "Which names counted as Claude, as in the *end* record of processes. `null`: there was \
         no scan of processes.",
    )
    .nullable(),
    Field::new(
        "proc_source",
        Unit::Word(&[]),
        "Where processes were seen: proc or ps",
        "Where the process table was read, as in the *end* record. `null`: there was no scan of \
         sessions or processes.",
    )
    .nullable(),
    Field::new(
        "prefix",
        Unit::Text,
        "How the names of agent sessions start",
        "How the names of agent sessions start.",
    ),
    Field::new(
        "entry_age_seconds",
        Unit::Number,
        "The least age of entries",
        "The value of `--entry-age` of agentdiff(1), in seconds: younger entries were not judged.",
    ),
    Field::new(
        "outside_tmux",
        Unit::Flag(Warn),
        "Whether --outside-tmux was given",
        "Whether agentdiff(1) was given `--outside-tmux`.",
    ),
    Field::new(
        "despite",
        Unit::List("strings"),
        "What --despite named",
        "What agentdiff(1) was given by `--despite`.",
    ),
    Field::new(
        "busy",
        Unit::Flag(Warn),
        "Whether --busy was given",
        "Whether agentdiff(1) was given `--busy`.",
    ),
    Field::new(
        "unregistered",
        Unit::Flag(Warn),
        "Whether --unregistered was given",
        "Whether agentdiff(1) was given `--unregistered`.",
    ),
    Field::new(
        "ignore_unasked",
        Unit::Flag(Warn),
        "Whether --ignore-unasked was given",
        "Whether agentdiff(1) was given `--ignore-unasked`.",
    ),
];
