//! The fields of ends.

use super::common::SCAN;
use super::process::SOURCE;
use crate::field::{Field, Unit};
use crate::word::Tone::Plain;
use crate::word::Word;

const SERVERS: Unit = Unit::Word(&[
    Word::plain("all", "all servers of this user"),
    Word::plain("named", "those named on the command line"),
]);

const WHY: Unit = Unit::Word(&[
    Word::plain("other_user", "it runs as another user"),
    Word::plain("other_namespace", "it runs in another pid namespace, as in a container"),
]);

const UNASKED: &[Field] = &[
    Field::new("pid", Unit::Number, "Its process", "Its process."),
    Field::new(
        "uid",
        Unit::Number,
        "Its effective user",
        "Its effective user. `null`: could not be read.",
    )
    .nullable(),
    Field::new(
        "groups",
        Unit::List("numbers"),
        "Its groups",
        "Its effective and supplementary groups. `null`: could not be read.",
    )
    .nullable(),
    Field::new("why", WHY, "Why it was not asked", "Why it was not asked."),
    Field::new(
        "mounts",
        Unit::Any("string or list of objects"),
        "What it has mounted",
        "What it has mounted: *same* if it shares the mount namespace of the scan, else a list \
         of objects with `device`, such as `8:1`, and `root`, the directory of that file system \
         that is mounted. One that maps users to others has `idmapped` true. `null`: could not \
         be read.",
    )
    .nullable(),
];

/// The fields of ends.
pub const END: &[Field] = &[
    Field { meaning: "The scan that it closes; with findings always *findings*.", ..SCAN },
    Field::new(
        "of",
        Unit::Word(&[]),
        "What was listed",
        "*agents*, *sessions*, *processes* or *findings*.",
    ),
    Field::new(
        "complete",
        Unit::Flag(Plain),
        "Whether nothing is missing",
        "False if something that should have been listed could not be read, or if nothing could \
         be judged.",
    ),
    Field::new(
        "filtered",
        Unit::Flag(Plain),
        "Whether -Q was given",
        "Whether the option `-Q` was given.",
    ),
    Field::new(
        "count",
        Unit::Number,
        "How many records came before",
        "How many records of this scan there are besides this one.",
    ),
    Field::new(
        "error",
        Unit::Sentence,
        "What could not be read",
        "What could not be read. With findings it may be there although `complete` is true: then \
         what could be read was judged. `null`: nothing to tell.",
    )
    .optional(),
    Field::new("host", Unit::Text, "The machine", "The name of the machine."),
    Field::new("boot_id", Unit::Text, "Its last start", "Identifies its last start."),
    Field::new("pid_ns", Unit::Text, "The pid namespace", "Identifies the pid namespace."),
    Field::new(
        "taken_at",
        Unit::Time,
        "When the scan began",
        "When the scan began; with findings, when the earliest of the scans began.",
    ),
    Field::new(
        "uid",
        Unit::Number,
        "For which user",
        "The user for whom the scan was taken. With sessions, only servers of this user were \
         asked.",
    ),
    Field::new("servers", SERVERS, "Which servers", "Sessions only: which servers were asked.")
        .absent(),
    Field::new(
        "sockets",
        Unit::List("paths"),
        "The sockets of those that answered",
        "Sessions only: the sockets of the servers that answered.",
    )
    .absent(),
    Field::new(
        "server_pids",
        Unit::List("numbers"),
        "Their processes",
        "Sessions only: their processes.",
    )
    .absent(),
    Field::new(
        "unasked",
        Unit::Objects(UNASKED),
        "Living servers that were not asked",
        "Sessions only: the living tmux servers of other users and other pid namespaces, which \
         were not asked.",
    )
    .absent(),
    Field::new(
        "hides_others",
        Unit::Flag(Plain),
        "Whether there may be more of them",
        "Sessions only: whether there may be more such servers, because the option `hidepid` of \
         proc(5) hides the processes of other users.",
    )
    .absent(),
    Field::new(
        "proc_source",
        SOURCE,
        "Where processes were seen",
        "Sessions and processes only: where the process table was read.",
    )
    .absent(),
    Field::new(
        "names",
        Unit::Any("string, list or object"),
        "Which names counted as Claude",
        "Processes only: the names that counted as Claude. *default*: the rule of lsclaude(1); a \
         list of strings: these instead; an object with a list `also`: the rule, and these.",
    )
    .absent(),
    Field::new(
        "findings",
        Unit::Any("object"),
        "How many of each kind",
        "Findings only: how many there are of each kind, before `-Q`.",
    )
    .absent(),
    Field::new(
        "unjudged",
        Unit::Any("object"),
        "How many records could not be judged",
        "Findings only: about how many records nothing was concluded: *agents*, *sessions*, \
         *processes*, and *registries* for their counters. Those that are too young are among \
         them; sessions and processes of other users are not. A subject without any is missing.",
    )
    .absent(),
    Field::new(
        "too_young",
        Unit::Number,
        "How many were too young",
        "Findings only: how many processes, sessions and entries were too young to be judged.",
    )
    .absent(),
];
