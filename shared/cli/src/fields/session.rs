//! The fields of sessions.

use super::common::SCAN;
use crate::field::{Field, Unit};
use crate::word::Tone::{Bad, Warn};
use crate::word::Word;

const STATES: &[Word] = &[
    Word::plain("prompt", "it waits for a command at its prompt"),
    Word::plain("waits", "it waits for the programs that its `-c` names, and then ends"),
    Word::new("work", Warn, "anything else: a script, a list or loop, a builtin, a job"),
];

const SHELL: &[Field] = &[
    Field::new("pid", Unit::Number, "Its process", "Its process."),
    Field::new(
        "name",
        Unit::Text,
        "The name of its program",
        "The base name of its executable; with ps(1), of its first argument.",
    ),
    Field::new(
        "state",
        Unit::Word(STATES),
        "What it does; -: unknown",
        "What it does. A shell is at its prompt if its process group is the foreground one of the \
         pane's terminal, its standard input is that terminal, and the mode of the terminal is \
         that of a line editor; dash has none. `null`: it could not be found out. ps(1) shows only \
         *waits*.",
    )
    .nullable(),
    Field::new(
        "children",
        Unit::List("strings"),
        "The names of its children",
        "Every name of each living child of it.",
    ),
];

const ADOPTED: &[Field] = &[
    Field::new("pid", Unit::Number, "Its process", "Its process."),
    Field::new(
        "start_time",
        Unit::Text,
        "Opaque; as in the record of that process",
        "Opaque, as in the record of that process.",
    ),
    Field::new("names", Unit::List("strings"), "Its names", "Every name of it."),
];

const PANE: &[Field] = &[
    Field::new(
        "id",
        Unit::Text,
        "tmux's id of the pane",
        "The id that tmux gives it, such as `%3`: unique in the life of the server.",
    ),
    Field::new(
        "pid",
        Unit::Number,
        "The process that tmux started in it",
        "The process that tmux started in it.",
    ),
    Field::new("tty", Unit::Text, "Its terminal", "Its terminal, such as `pts/7`."),
    Field::new(
        "dead",
        Unit::Flag(Bad),
        "That process has ended, or nobody has the terminal open",
        "The process has ended, or nobody has the terminal open any more.",
    ),
    Field::new(
        "start_command",
        Unit::Sentence,
        "The command it was started with; empty: a shell",
        "The command it was started with, as tmux escapes it, cut at 256 bytes. Empty: a shell.",
    ),
    Field::new(
        "running",
        Unit::List("strings"),
        "The names of all processes in it",
        "Every name of its process, of those below it and, unless it is dead, of those on its \
         terminal: the short name that the kernel keeps, the base name of the executable (with \
         ps(1), of the first argument) and, for a shell, that of the script it runs. Sorted, \
         without repetition.",
    ),
    Field::new(
        "below",
        Unit::List("strings"),
        "The names of its process and of those below it",
        "The names of its process and of those below it, in the same way.",
    ),
    Field::new(
        "adopted",
        Unit::Objects(ADOPTED),
        "The processes on its terminal that are not below it",
        "The processes on its terminal, and below those, that are not below its process: their \
         parents are gone.",
    ),
    Field::new(
        "shells",
        Unit::Objects(SHELL),
        "The shells among them",
        "The shells among these processes:",
    ),
];

/// The fields of sessions.
pub const SESSION: &[Field] = &[
    Field::new(
        "name",
        Unit::Text,
        "Its name, as tmux writes it",
        "Its name as tmux writes it, with escapes such as `\\\\` and `\\033`.",
    ),
    Field::new(
        "id",
        Unit::Text,
        "tmux's id of it",
        "The id that tmux gives it, such as `$3`: unique in the life of the server.",
    ),
    Field::new(
        "uid",
        Unit::Number,
        "The user who owns the server",
        "The user who owns the socket of the server.",
    ),
    Field::new("created", Unit::Time, "When it was created", "When it was created, to the second."),
    Field::new(
        "activity",
        Unit::Time,
        "When it was last active",
        "When a client last typed in it, or a window of it last had output, to the second.",
    ),
    Field::new(
        "attached",
        Unit::Number,
        "How many clients are attached",
        "How many clients are attached to it or to a session of its group.",
    )
    .summed("attached"),
    Field::new("windows", Unit::Number, "How many windows it has", "How many windows it has."),
    Field::new(
        "agent",
        Unit::Text,
        "The agent it was created for",
        "The agent it was created for: what follows `agent_` in its name, or ID where the command \
         of a pane mentions `ID_stream.jsonl`. `null`: neither names one.",
    )
    .nullable(),
    Field::new(
        "panes",
        Unit::Objects(PANE),
        "Its panes, in all windows",
        "Its panes, in all windows:",
    ),
    Field::new("socket", Unit::Path, "The server's socket", "The socket of the server."),
    Field::new("server_pid", Unit::Number, "The server's process", "The process of the server."),
    SCAN,
];
