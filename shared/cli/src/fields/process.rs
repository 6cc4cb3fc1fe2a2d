//! The fields of processes.

use model::record::{HOWS, Role};

use super::common::SCAN;
use crate::field::{Field, Unit};
use crate::word::Tone::{Bad, Plain, Warn};
use crate::word::Word;

const TMUX: &[Field] = &[
    Field::new("server_pid", Unit::Number, "The tmux server it belongs to", "The tmux server."),
    Field::new(
        "pane",
        Unit::Text,
        "The pane it was started in",
        "The pane in which it was started, by `$TMUX_PANE`, such as `%3`. `null`: its \
         environment does not tell.",
    )
    .nullable(),
];

const ABOVE: &[Field] = &[
    Field::new("pid", Unit::Number, "Its process id", "Its process id."),
    Field::new("tty", Unit::Text, "Its terminal", "Its controlling terminal. `null`: none.")
        .nullable(),
    Field::new(
        "tmux",
        Unit::Object(TMUX),
        "Where in tmux it was started",
        "The living tmux server that it belongs to, as in `tmux`.",
    )
    .nullable(),
];

const STATE: Unit = Unit::Word(&[Word::toned("Z", Bad), Word::toned("X", Bad)]);

const NAMESPACE: Unit = Unit::Word(&[
    Word::plain("own", "that of the scan"),
    Word::new("foreign", Warn, "one below it, such as that of a container"),
]);

const STDOUT: Unit = Unit::Word(&[
    Word::plain("tty", "a terminal that still exists"),
    Word::plain("file", "a regular file"),
    Word::plain("pipe", "a pipe or FIFO"),
    Word::plain("socket", "a socket"),
    Word::plain("null", "`/dev/null`").shown_as("/dev/null"),
    Word::plain("other", "anything else: it is closed, a terminal that no longer exists, a device"),
]);

/// The ways of the model's table.
const HOW_WORDS: [Word; HOWS.len()] = {
    let mut words = [Word::plain("", ""); HOWS.len()];
    let mut at = 0;
    while at < HOWS.len() {
        words[at] = Word::plain(HOWS[at].word, HOWS[at].meaning);
        at += 1;
    }
    words
};

const HOW: Unit = Unit::Word(&HOW_WORDS);

const HOLDER: &[Field] = &[
    Field::new("how", HOW, "In which way, as log or reader", "In which way it holds."),
    Field::new(
        "pid",
        Unit::Number,
        "The process that holds it",
        "The process that holds it. `null`: it is no process.",
    )
    .nullable(),
    Field::new(
        "name",
        Unit::Text,
        "That process's short name",
        "The short name that the kernel keeps of that process. `null`: it is no process.",
    )
    .nullable(),
    Field::new(
        "what",
        Unit::Text,
        "Its command line, or the path, terminal or unit",
        "The command line of that process, or the path, terminal or unit. `null`: the way says \
         all.",
    )
    .nullable(),
    Field::new(
        "of",
        Unit::Number,
        "The process above it that is held in its place",
        "The process above it that waits for it, such as timeout(1), and is what is held. \
         `null`: it is held itself.",
    )
    .nullable(),
];

/// The words of the model's table of roles.
const ROLE_WORDS: [Word; Role::ALL.len()] = {
    let mut words = [Word::plain("", ""); Role::ALL.len()];
    let mut at = 0;
    while at < Role::ALL.len() {
        words[at] = Word::plain(Role::ALL[at].1, Role::ALL[at].2);
        at += 1;
    }
    words
};

const ROLE: Unit = Unit::Word(&ROLE_WORDS);

const SERVER: &[Field] = &[
    Field::new(
        "top",
        Unit::Number,
        "The highest process of its chain",
        "The highest process of the chain of processes that are one server, such as `npx`, a \
         shell and node(1). Its parent is gone.",
    ),
    Field::new(
        "chain",
        Unit::List("numbers"),
        "The processes of its chain",
        "The processes of the chain.",
    ),
    Field::new(
        "abandoned",
        Unit::Flag(Bad),
        "Nobody has the other ends of its input and output",
        "Whether nobody has the other ends of the standard input and output of the chain, but \
         for processes of its tree: the chain and what is below it. `null`: it could not be found \
         out.",
    )
    .nullable(),
    Field::new(
        "listening",
        Unit::List("numbers"),
        "Processes of its tree that listen on a socket",
        "The processes of the tree that listen on a unix or TCP socket, wait for datagrams on one \
         that has an address, or have a TCP connection that somebody has made to them. `null`: it \
         could not be found out.",
    )
    .nullable(),
    Field::new(
        "claude",
        Unit::List("numbers"),
        "Processes of its tree that are Claude",
        "The processes of the tree that are Claude.",
    ),
    Field::new(
        "tmux",
        Unit::List("numbers"),
        "Processes of its tree that are tmux servers",
        "The processes of the tree that are tmux servers.",
    ),
    Field::new(
        "below",
        Unit::Objects(HOLDER),
        "What holds what is below its chain",
        "What holds the processes of the tree that are not of the chain, each as in `holders`, \
         `of` being the process.",
    ),
    Field::new(
        "below_unread",
        Unit::List("strings"),
        "What may hold these and could not be found out",
        "In which ways one of these may be held and it could not be found out whether it is.",
    ),
];

const ENVIRONMENT: &[Field] = &[
    Field::new(
        "session",
        Unit::Text,
        "CLAUDE_CODE_SESSION_ID",
        "`$CLAUDE_CODE_SESSION_ID`: the session that started it.",
    )
    .optional(),
    Field::new(
        "entrypoint",
        Unit::Text,
        "CLAUDE_CODE_ENTRYPOINT",
        "`$CLAUDE_CODE_ENTRYPOINT`, such as `cli` or `sdk-cli`.",
    )
    .optional(),
    Field::new("project", Unit::Path, "CLAUDE_PROJECT_DIR", "`$CLAUDE_PROJECT_DIR`.").optional(),
    Field::new(
        "child",
        Unit::Flag(Plain),
        "Whether CLAUDE_CODE_CHILD_SESSION is set",
        "Whether `$CLAUDE_CODE_CHILD_SESSION` is set.",
    ),
    Field::new("pid", Unit::Number, "CLAUDE_PID", "`$CLAUDE_PID`: the process of that Claude.")
        .optional(),
    Field::new(
        "version",
        Unit::Text,
        "That Claude's version, from AI_AGENT",
        "The version of that Claude, from `$AI_AGENT`.",
    )
    .optional(),
];

const SESSION_FILE: &[Field] = &[
    Field::new("id", Unit::Text, "Its session", "Its session."),
    Field::new(
        "cwd",
        Unit::Path,
        "Its working directory when it started",
        "Its working directory when it started.",
    )
    .optional(),
    Field::new("kind", Unit::Text, "As interactive", "Its kind, such as `interactive`.").optional(),
    Field::new("started", Unit::Time, "When it started", "When it started, by its clock.")
        .optional(),
    Field::new(
        "updated",
        Unit::Time,
        "When it last wrote down what it does",
        "When it last wrote down what it does, by its clock.",
    )
    .optional(),
    Field::new(
        "live",
        Unit::Flag(Plain),
        "The process that wrote it lives",
        "Whether the process that wrote it lives.",
    ),
];

/// Where a process table can be read.
pub const SOURCE: Unit = Unit::Word(&[
    Word::plain("proc", "`/proc`"),
    Word::plain("ps", "the program ps(1), which shows less"),
]);

/// The fields of processes.
pub const PROCESS: &[Field] = &[
    Field::new("pid", Unit::Number, "Process id", "The process."),
    Field::new(
        "role",
        ROLE,
        "What it is to Claude: claude, server or child",
        "What it is to Claude. Servers and children are listed only of Claudes that they have \
         outlived: lsclaude(1) looks for them among processes whose parent is gone, and below.",
    ),
    Field::new("ppid", Unit::Number, "Its parent", "Its parent."),
    Field::new(
        "parent_name",
        Unit::Text,
        "The parent's short name",
        "The short name that the kernel keeps of the parent. `null`: there is no parent in the \
         process table.",
    )
    .optional(),
    Field::new(
        "ancestors",
        Unit::List("numbers"),
        "Its parent, the parent of that, and so on",
        "Its parent, the parent of that, and so on, up to process 1 or to the edge of the pid \
         namespace.",
    ),
    Field::new("pgid", Unit::Number, "Process group", "Its process group."),
    Field::new(
        "sid",
        Unit::Number,
        "Session, in the sense of setsid(2)",
        "Its session, in the sense of setsid(2). `null`: it has just ended.",
    )
    .nullable(),
    Field::new("uid", Unit::Number, "Effective user", "Its effective user."),
    Field::new("user", Unit::Text, "That user's name", "The name of that user. `null`: unknown.")
        .optional(),
    Field::new(
        "tty",
        Unit::Text,
        "Controlling terminal",
        "Its controlling terminal, such as `pts/7`. `null`: it has none.",
    )
    .nullable(),
    Field::new(
        "state",
        STATE,
        "One letter, as in ps(1)",
        "One letter, as in ps(1). `Z` and `X`: it is dead.",
    ),
    Field::new(
        "started",
        Unit::Time,
        "When it started",
        "When it started, by the clock at the time of the scan. It does not identify the \
         process: it changes when the clock is set.",
    ),
    Field::new("rss_bytes", Unit::Bytes, "Resident memory", "Its resident memory, in bytes.")
        .summed("resident"),
    Field::new(
        "cpu_seconds",
        Unit::Seconds,
        "Processor time used",
        "The processor time it has used, in user and system mode, in seconds, with a fraction.",
    )
    .summed("of processor time"),
    Field::new(
        "name",
        Unit::Text,
        "The kernel's short name of it",
        "The short name that the kernel keeps of it, of 15 bytes at most.",
    ),
    Field::new(
        "exe",
        Unit::Path,
        "Its executable",
        "Its executable. `null`: it could not be read, or ps(1) was asked.",
    )
    .optional(),
    Field::new(
        "args",
        Unit::List("strings"),
        "Its arguments, cut at 256 bytes unless --full",
        "Its arguments, bytes that are not UTF-8 replaced by U+FFFD. From ps(1), its words: \
         where an argument has spaces is not known. They are cut at 256 bytes in all, unless \
         lsclaude(1) was asked for them in full.",
    ),
    Field::new(
        "orphaned",
        Unit::Flag(Plain),
        "Its parent is gone: who takes in orphans has it",
        "Its parent is gone. Its parent now is a program that takes in orphans and did not start \
         it: an init system, sshd, a shell or a program that only waits as process 1, the init of \
         a container, `systemd --user`, or a tmux server. By ps(1): process 1 or one \
         named `systemd` or `launchd`, in another session in the sense of setsid(2).",
    ),
    Field::new(
        "tmux",
        Unit::Object(TMUX),
        "Where in tmux it was started",
        "The living tmux server that it belongs to: the one in which it was started, by `$TMUX` \
         in its environment; else, if one of its ancestors is a tmux server, that one. `null`: \
         there is none, or it has ended.",
    )
    .nullable(),
    Field::new(
        "service",
        Unit::Text,
        "The service unit it runs in",
        "The service unit it runs in, by its control group; on macOS the job that launchctl \
         lists. Units that run other people's programs, such as those of cron, ssh and user \
         sessions, do not count, nor does the unit that its tmux server runs in. If the control \
         group cannot be read, it is `unknown`, with the reason: it may well be held. `null`: \
         none.",
    )
    .nullable(),
    Field::new(
        "namespace",
        NAMESPACE,
        "Its pid namespace: own or foreign",
        "Its pid namespace. `null`: it could not be read, or ps(1) was asked.",
    )
    .nullable(),
    Field::new(
        "stdout",
        STDOUT,
        "Where its output goes: tty, file, pipe, socket, null",
        "Where its standard output leads. `null`: it could not be read, or ps(1) was asked.",
    )
    .nullable(),
    Field::new(
        "holders",
        Unit::Objects(HOLDER),
        "What holds it, or one up its line",
        "What holds it, or a process above it that only waits for it.",
    ),
    Field::new(
        "unread",
        Unit::List("strings"),
        "What may hold it and could not be found out",
        "In which ways, of those of `holders`, it may be held and it could not be found out \
         whether it is.",
    ),
    Field::new(
        "examined",
        Unit::Flag(Plain),
        "All that may hold it was asked for",
        "Whether all that may hold it was asked for. It is not for a process whose parent does \
         more than wait for it, for another user's process, and by ps(1).",
    ),
    Field::new(
        "above",
        Unit::Objects(ABOVE),
        "The processes above it that only wait for it",
        "The processes above it that only wait for it, the nearest first. What holds one of them \
         holds it.",
    ),
    Field::new(
        "cwd",
        Unit::Path,
        "Its working directory",
        "Its working directory. `null`: it could not be read.",
    )
    .optional(),
    Field::new(
        "claude",
        Unit::Object(ENVIRONMENT),
        "What its environment says of Claude",
        "What its environment says of the Claude that started it. `null`: it could not be read.",
    )
    .optional(),
    Field::new(
        "session_file",
        Unit::Object(SESSION_FILE),
        "What its Claude wrote into its session file",
        "What it wrote into `sessions/PID.json` of its config directory or, of a server or child, \
         what the Claude of its session wrote there. `null`: there is no such file that is surely \
         that Claude's.",
    )
    .optional(),
    Field::new(
        "server",
        Unit::Object(SERVER),
        "The server that it is or belongs to",
        "What is known of the server that it belongs to. `null`: it is none.",
    )
    .nullable(),
    Field::new(
        "self",
        Unit::Flag(Plain),
        "It has run lsclaude, directly or through others",
        "It has run lsclaude(1), directly or through others.",
    ),
    Field::new(
        "daemon",
        Unit::Flag(Plain),
        "It is Claude's own background service",
        "It is the background service of Claude itself, by its first argument after its name: \
         `daemon`, `--bg-pty-host` or `--bg-spare`.",
    ),
    Field::new(
        "claude_children",
        Unit::Number,
        "Living children that are Claude too",
        "How many living children of it are Claude too.",
    ),
    Field::new(
        "start_time",
        Unit::Text,
        "Opaque; with boot_id and pid its identity",
        "Opaque. With `boot_id` and `pid` it identifies the process.",
    ),
    Field::new("source", SOURCE, "Where it was seen: proc or ps", "Where it was seen."),
    SCAN,
];
