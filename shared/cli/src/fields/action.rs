//! The fields of actions.

use super::finding::FINDING;
use crate::field::{Field, Unit};
use crate::word::Tone::{Bad, Good, Plain, Warn};
use crate::word::Word;

const RESULT: Unit = Unit::Word(&[
    Word::new("planned", Plain, "it would be done; in a log, it is about to be done"),
    Word::new("done", Good, "it was done and confirmed"),
    Word::new("gone", Good, "there was nothing left to do"),
    Word::new("skipped", Warn, "it has changed since it was found, and was left alone"),
    Word::new("unconfirmed", Plain, "earlier findings do not have it, so nothing was done yet"),
    Word::new("failed", Bad, "it could not be done"),
    Word::new("refused", Bad, "it must not be done from here"),
]);

const GAP: &str = "What stood between it and the entry or bracket next to it, before and behind \
                   it: white space and commas.";

const ROW_STATE: &[Field] = &[
    Field::new("status", Unit::Text, "Its status", "Its `status`.").nullable(),
    Field::new("completed_at", Unit::Text, "Its completed_at", "Its `completed_at`.").nullable(),
    Field::new("last_update", Unit::Text, "Its last_update", "Its `last_update`.").nullable(),
];

const JSON_PLACE: &[Field] = &[
    Field::new("registry", Unit::Path, "The JSON file", "The JSON file."),
    Field::new(
        "entry",
        Unit::Any("object"),
        "The entry that was marked there",
        "The entry that was marked there: an object of the fields before `agent_id`.",
    ),
];

const COUNTER_CHANGE: &[Field] = &[
    Field::new("name", Unit::Text, "Its name", "Its name."),
    Field::new("before", Unit::Text, "Its value before", "The JSON text of its value before."),
    Field::new("after", Unit::Text, "Its value after", "That of the value that was written."),
];

const COUNTER_EDIT: &[Field] = &[
    Field::new(
        "changed",
        Unit::Objects(COUNTER_CHANGE),
        "The counters that were set",
        "The counters that were set:",
    ),
    Field::new(
        "added",
        Unit::Text,
        "The text of counters that were not there",
        "The text that was added behind the last member of the file, for counters that were not \
         there. `null`: there were none.",
    )
    .nullable(),
    Field::new(
        "computed",
        Unit::Any("list of numbers"),
        "What the entries amounted to before",
        "What the entries amounted to before, in the order of the counters of `registry` records.",
    ),
];

const ENTRY: &[Field] = &[
    Field::new(
        "id",
        Unit::Text,
        "Its key or id",
        "Its key, or its `id` in the registry of a task.",
    ),
    Field::new(
        "text",
        Unit::Text,
        "Its text as it stood in the file",
        "Its text as it stood in the file, with its key where it had one.",
    ),
    Field::new(
        "copy",
        Unit::Number,
        "How many entries of the same id stood before it",
        "How many entries of the same id stood before it. Missing: none.",
    )
    .absent(),
    Field::new(
        "after",
        Unit::Text,
        "The entry that stood right before it",
        "The id of the entry that stood right before it. `null`: it was the first.",
    )
    .nullable(),
    Field::new(
        "after_copy",
        Unit::Number,
        "How many entries of that id stood before that one",
        "How many entries of the id in `after` stood before that one. Missing: none.",
    )
    .absent(),
    Field::new("gap_before", Unit::Text, "White space and commas before it", GAP),
    Field::new("gap_behind", Unit::Text, "White space and commas after it", GAP),
    Field::new(
        "replaced_by",
        Unit::Text,
        "The text that replaced it when it was marked",
        "The text that replaced it when it was marked. `null`: it was removed.",
    )
    .nullable(),
    Field::new(
        "counters",
        Unit::Object(COUNTER_EDIT),
        "What the same write did to the counters",
        "What the same write did to the counters; at the first entry of a write only:",
    )
    .absent(),
    Field::new("agent_id", Unit::Text, "The key of the row", "The key of the row.").absent(),
    Field::new("task_id", Unit::Text, "Its task", "Its `task_id`.").absent(),
    Field::new("before", Unit::Object(ROW_STATE), "What it said before", "What it said before:")
        .absent(),
    Field::new("written", Unit::Object(ROW_STATE), "What was written", "What was written:")
        .absent(),
    Field::new(
        "json",
        Unit::Objects(JSON_PLACE),
        "The entries in JSON files that were marked with it",
        "The entries of the same agent that were marked in the JSON files of its workspace. \
         Missing: there were none.",
    )
    .absent(),
];

/// The fields of actions.
pub const ACTION: &[Field] = &[
    Field::new("result", RESULT, "The result", "The result."),
    Field::new(
        "action",
        Unit::Word(&[]),
        "The action of the finding",
        "The action of the finding; *restore_entry* where it is undone.",
    ),
    Field::new("target", Unit::Text, "What it is about", "What it is about, as in the finding."),
    Field::new(
        "reason",
        Unit::Sentence,
        "The reason for the result",
        "The reason for the result, for people.",
    ),
    Field::new("at", Unit::Time, "When", "When."),
    Field::new(
        "entry",
        Unit::Object(ENTRY),
        "What --undo needs",
        "With an entry that was removed from a registry or marked there: what undoing needs. If \
         several entries had the same key, there is an action record for each. Of a row of a \
         database it has only the fields from `agent_id` on, of an entry of a JSON file only the others.",
    )
    .absent(),
    Field::new(
        "finding",
        Unit::Record(FINDING),
        "The finding (agentdiff -H)",
        "The finding, exactly as it was read. With a process that `--tree` has ended it is the \
         finding about the process above it.",
    ),
];
