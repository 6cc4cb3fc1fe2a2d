//! The fields of registries.

use super::common::{FORMAT, SCAN, SCOPE};
use crate::field::{Field, Unit};

const COUNTER: &[Field] = &[
    Field::new(
        "stored",
        Unit::Number,
        "The number in the file",
        "The number in the file. `null`: there is none, or it is no whole number.",
    )
    .optional(),
    Field::new(
        "computed",
        Unit::Number,
        "The number that its entries add up to",
        "The number that the entries add up to.",
    ),
];

/// The fields of registries.
pub const REGISTRY: &[Field] = &[
    Field::new("path", Unit::Path, "The file", "The file, absolute, symbolic links resolved."),
    FORMAT,
    Field::new("scope", SCOPE, "Kind of registry: global, task or state", "The kind of registry."),
    Field::new("owner_uid", Unit::Number, "The user who owns it", "The user who owns the file."),
    Field::new("gid", Unit::Number, "The group that owns it", "The group that owns the file."),
    Field::new(
        "mode",
        Unit::Number,
        "Its permission bits, in decimal",
        "The permission bits of the file, as a decimal number: 420 is `rw-r--r--`. An access \
         control list shows in those of the group.",
    ),
    Field::new(
        "device",
        Unit::Text,
        "The device of its file system",
        "The device of its file system, such as `8:1`. `null`: unknown.",
    )
    .nullable(),
    Field::new(
        "device_path",
        Unit::Path,
        "Its path on that file system",
        "Its path on that file system. `null`: unknown.",
    )
    .nullable(),
    Field::new("agents", Unit::Number, "How many entries it has", "How many entries it has.")
        .summed("agents"),
    Field::new(
        "counters",
        Unit::Map(COUNTER),
        "Its counters, by their names in the file",
        "Its counters, by their names in the file: `total_agents_spawned` and `active_agents` \
         in a global registry; `total_spawned`, `active_count` and `completed_count` in that of \
         a task. A database stores none: `total_agents` and `active_agents` are what its rows \
         make, and `unfinished_ends`, if there is one, is how many agents an interrupted \
         agentprune(1) has ended only in part. Each is an object:",
    ),
    SCAN,
];
