//! The fields of agents.

use super::common::{FORMAT, SCAN, SCOPE};
use crate::field::{Field, Unit};
use crate::word::Tone::{Good, Plain, Warn};
use crate::word::Word;

const STATUS: Unit = Unit::Word(&[
    Word::toned("running", Good),
    Word::toned("working", Good),
    Word::toned("reviewing", Good),
    Word::toned("blocked", Warn),
]);

const VERBATIM: &str = "As in the entry, in whatever form it is there. `null`: not there.";

/// The fields of agents.
pub const AGENT: &[Field] = &[
    Field::new(
        "id",
        Unit::Text,
        "Its key in a global registry, its id in that of a task",
        "In a global registry the key of the entry; in that of a task its `id`, empty if it has \
         none.",
    ),
    Field::new(
        "status",
        STATUS,
        "Status in the registry; -: none, as just after deployment",
        "As in the entry. `null`: not there, as just after deployment.",
    )
    .nullable(),
    Field::new(
        "active",
        Unit::Flag(Plain),
        "Its registry counts it as active, by its status",
        "Its registry counts it as active: in a global one unless its status is `completed` or \
         `terminated`; in that of a task if it is `running`, `working`, `blocked` or \
         `reviewing`; in a database also if it is `pending`, `starting` or missing.",
    ),
    Field::new(
        "agent_type",
        Unit::Text,
        "What kind of agent it is",
        "The `agent_type` of the entry or, in older files, its `type`. `null`: it has neither.",
    )
    .optional(),
    Field::new("task_id", Unit::Text, "Its task", "As in the entry. `null`: not there.").optional(),
    Field::new(
        "parent",
        Unit::Text,
        "The agent that started it",
        "As in the entry. `null`: not there.",
    )
    .optional(),
    Field::new(
        "tmux_session",
        Unit::Text,
        "The name that the orchestrator gave the session",
        "The name that the orchestrator gave the session, as in the entry. `null`: not there; \
         then the name is `agent_` and the id, or, in a database, nobody knows it. Nobody does \
         where it is empty.",
    )
    .nullable(),
    Field::new(
        "started",
        Unit::Time,
        "When it was started",
        "The instant that `started_at` names. Without an offset it is local time to lsagents(1); \
         in an hour that a clock change repeats, the later one is meant. `null`: there is none, \
         or it is no time.",
    )
    .optional(),
    Field::new(
        "updated",
        Unit::Time,
        "The latest time in the entry",
        "The latest of `started_at`, `last_update` and `completed_at` as an instant, read in \
         the same way. `null`: none of them is a time.",
    )
    .optional(),
    Field::new("started_at", Unit::Text, "The entry's started_at, verbatim", VERBATIM).optional(),
    Field::new("last_update", Unit::Text, "The entry's last_update, verbatim", VERBATIM).optional(),
    Field::new("completed_at", Unit::Text, "The entry's completed_at, verbatim", VERBATIM)
        .optional(),
    Field::new(
        "progress_bytes",
        Unit::Bytes,
        "Size of its progress file",
        "Of an active agent in a database, the size of its progress file; 0 if there is none. \
         Missing: of any other agent, or if it is no file that can be read.",
    )
    .absent(),
    FORMAT,
    Field::new(
        "scope",
        SCOPE,
        "Kind of registry: global, task or state",
        "The kind of its registry.",
    ),
    Field::new(
        "registry",
        Unit::Path,
        "The registry it is in",
        "The registry, absolute, symbolic links resolved.",
    ),
    SCAN,
];
