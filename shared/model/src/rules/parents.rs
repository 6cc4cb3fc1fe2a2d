//! What a parent says about its child: whether it took it in, may have started it, only waits
//! for it, or holds it.
//!
//! That the parent is pid 1 says nothing by itself: in a container, pid 1 may be whoever
//! started the process.

use crate::claude::{Appearance, base_name};
use crate::parse::proc::environ;

/// Somebody who takes in processes whose parent is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaper {
    /// A manager whose services show that they are services: by their control group, or since a
    /// process of the manager is their parent.
    Manager,
    /// Another init system. What it starts looks like what it has taken in.
    Init,
    /// The init of a container, which also starts the container's command.
    Container,
    /// A tmux server.
    Tmux,
    /// A shell, or what a shell may have become, as pid 1.
    Shell,
}

/// systemd(1) and openrc(8) put services into control groups, launchd(8) lists them as jobs; each
/// service of runit(8) and s6-svscan(8) has a process as its parent that supervises it. What sshd(8)
/// starts for a person has one of its own processes as its parent; containers run it as process 1
/// to be reached.
const MANAGERS: [&str; 7] =
    ["systemd", "openrc-init", "launchd", "runit", "runit-init", "s6-svscan", "sshd"];

/// Those of inittab(5), and others that are the parents of their services.
const INITS: [&str; 5] = ["init", "dinit", "finit", "procd", "linuxrc"];

const CONTAINER_INITS: [&str; 8] = [
    "tini",
    "tini-static",
    "docker-init",
    "dumb-init",
    "catatonit",
    "podman-init",
    "conmon",
    "containerd-shim",
];

const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish"];

/// What a container runs that is only to stay. A shell becomes it by `exec`, with the children
/// it has.
const WAITERS: [&str; 4] = ["sleep", "tail", "cat", "pause"];

/// Executables that are many programs.
const MANY: [&str; 3] = ["busybox", "toybox", "coreutils"];

/// Programs that run one command and wait for it.
const WRAPPERS: [&str; 7] = ["timeout", "env", "sudo", "nice", "nohup", "setsid", "stdbuf"];

/// Whether and how a living process takes in others.
pub fn reaper(pid: i32, program: Appearance<'_>, is_tmux_server: bool) -> Option<Reaper> {
    if is_tmux_server {
        return Some(Reaper::Tmux);
    }
    let by_name = |name: &str| {
        if pid == 1 && MANAGERS.contains(&name) || name == "systemd" && is_user_manager(program) {
            Some(Reaper::Manager)
        } else if pid == 1 && INITS.contains(&name) {
            Some(Reaper::Init)
        } else if CONTAINER_INITS.contains(&name) || name.starts_with("containerd-shim-") {
            Some(Reaper::Container)
        } else if pid == 1 && (SHELLS.contains(&name) || WAITERS.contains(&name)) {
            Some(Reaper::Shell)
        } else {
            None
        }
    };
    match program_name(program) {
        Some(name) => by_name(name),
        // Pid 1 of root shows others no executable: both of its names must say so.
        None => {
            let first = program.args.first().and_then(|arg| std::str::from_utf8(arg).ok());
            let word = first.and_then(|first| first.split_ascii_whitespace().next());
            let word = word.map(|word| word.trim_start_matches('-').trim_end_matches(':'));
            match (by_name(program.comm), word.map(base_name).and_then(by_name)) {
                // systemd is started as /sbin/init.
                (Some(Reaper::Manager), Some(Reaper::Init)) if program.comm == "systemd" => {
                    Some(Reaper::Manager)
                }
                (named, first) => named.filter(|_| named == first),
            }
        }
    }
}

/// `systemd --user`, which every user has.
fn is_user_manager(program: Appearance<'_>) -> bool {
    program.args.iter().skip(1).any(|arg| *arg == b"--user")
}

/// Variables that tmux, screen, sshd, a login, sudo and Claude itself give to what they start, and an
/// init or the shell of a container does not.
const OF_SESSIONS: [&str; 8] = [
    "TMUX",
    "STY",
    "SSH_CONNECTION",
    "XDG_SESSION_ID",
    "SUDO_COMMAND",
    "CLAUDECODE",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_ENTRYPOINT",
];

/// Whether a process was started in a session of a person or by a Claude, according to its
/// environment, and not by pid 1, whose own environment says none of that. Both are the text of
/// `/proc/PID/environ`.
pub fn is_from_session(environment: &[u8], of_pid_1: &[u8]) -> bool {
    OF_SESSIONS
        .iter()
        .any(|name| environ(environment, name).is_some() && environ(of_pid_1, name).is_none())
}

/// A child of a reaper, and what tells whether the reaper started it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Child {
    /// It is the oldest of the reaper's living children.
    pub is_first_born: bool,
    /// It leads a session.
    pub is_session_leader: bool,
    /// It is in the session of the reaper, or in which session it is is not known.
    pub is_in_session_of_reaper: bool,
    /// The leader of its session is dead.
    pub is_leader_dead: bool,
    /// See [`is_from_session`].
    pub is_from_session: bool,
}

impl Reaper {
    /// Whether a child may be one that the reaper started itself.
    pub fn may_have_started(self, child: Child) -> bool {
        match self {
            Reaper::Container => child.is_first_born,
            Reaper::Shell | Reaper::Init => {
                (child.is_session_leader || child.is_in_session_of_reaper)
                    && !child.is_leader_dead
                    && !child.is_from_session
            }
            Reaper::Manager | Reaper::Tmux => {
                child.is_in_session_of_reaper && !child.is_leader_dead
            }
        }
    }
}

/// Whether a parent that is neither Claude nor a reaper only waits for its child, so that the
/// question who holds the child is who holds the parent. `children`: how many it has.
/// `is_terminal_gone`: its standard streams are a terminal that has been destroyed.
pub fn only_waits(parent: Appearance<'_>, children: usize, is_terminal_gone: bool) -> bool {
    let Some(name) = program_name(parent) else { return false };
    let args: Vec<String> =
        parent.args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
    if SHELLS.contains(&name) {
        return match operands(&args) {
            Some(Operands::Code(code)) => {
                is_bash_tool(code) || is_terminal_gone || children == 1 && is_one_command(code)
            }
            Some(Operands::None) => is_terminal_gone,
            Some(Operands::Script) | None => false,
        };
    }
    children == 1 && (WRAPPERS.contains(&name) || is_package_runner(name, &args))
}

/// The name of a program by its executable. None where that cannot be read.
fn program_name<'p>(program: Appearance<'p>) -> Option<&'p str> {
    let exe = program.exe?;
    let name = base_name(exe.strip_suffix(" (deleted)").unwrap_or(exe));
    Some(if MANY.contains(&name) { program.comm } else { name })
}

/// What a shell was given to do.
enum Operands<'a> {
    /// `-c` and this.
    Code(&'a str),
    /// A file, or its standard input by `-s`.
    Script,
    /// Nothing: it is interactive.
    None,
}

/// None for options that are not understood.
fn operands(args: &[String]) -> Option<Operands<'_>> {
    let mut has_code = false;
    let mut rest = args.iter().skip(1);
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file" => {
                rest.next()?;
            }
            "--" | "-" => {
                return Some(match (rest.next(), has_code) {
                    (Some(code), true) => Operands::Code(code),
                    (None, true) => return None,
                    (Some(_), false) => Operands::Script,
                    (None, false) => Operands::None,
                });
            }
            long if long.starts_with("--") => {}
            short if short.starts_with(['-', '+']) => {
                if short.contains('s') {
                    return Some(Operands::Script);
                }
                has_code |= short.starts_with('-') && short.contains('c');
            }
            operand if has_code => return Some(Operands::Code(operand)),
            _ => return Some(Operands::Script),
        }
    }
    (!has_code).then_some(Operands::None)
}

/// The shell in which Claude's Bash tool runs a command:
/// `bash -c 'source …/shell-snapshots/… && … && eval …'`.
fn is_bash_tool(code: &str) -> bool {
    let snapshot = code.strip_prefix("source ").and_then(|code| code.find("/shell-snapshots/"));
    snapshot.is_some() && code.contains(" eval ")
}

/// Whether the code of a shell is one simple command: no list, pipeline, loop, group,
/// background or substitution. Redirections are part of a simple command.
fn is_one_command(code: &str) -> bool {
    const COMPOUND: [&str; 15] = [
        "while", "until", "for", "select", "if", "case", "function", "{", "!", "[[", "eval", ".",
        "source", "trap", "coproc",
    ];
    let code = code.trim();
    let first = code.split_ascii_whitespace().next().unwrap_or_default();
    if code.is_empty() || COMPOUND.contains(&first) {
        return false;
    }
    let mut quote = None;
    let mut before = ' ';
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => {
                chars.next();
            }
            (_, '`') => return false,
            (_, '(') if before == '$' => return false,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            // `2>&1`, `<&3`.
            (None, '&') if matches!(before, '<' | '>') => {}
            (None, ';' | '&' | '|' | '\n' | '(' | ')') => return false,
            (None, _) => {}
        }
        before = c;
    }
    quote.is_none()
}

/// `npx`, `npm exec`, `uvx`, `uv run`, `uv tool run`. npm shows itself as one argument with
/// spaces: it writes its title over its arguments, and the rest of their room stays empty.
fn is_package_runner(name: &str, args: &[String]) -> bool {
    let written = args.iter().rposition(|arg| !arg.is_empty()).map_or(0, |last| last + 1);
    let args = &args[..written];
    let words = |from: usize| args.iter().skip(from).flat_map(|arg| arg.split_ascii_whitespace());
    let is_exec = |word: Option<&str>| matches!(word, Some("exec" | "x"));
    match name {
        "uvx" => true,
        "uv" => {
            let mut words = words(1).filter(|word| !word.starts_with('-'));
            match words.next() {
                Some("run") => true,
                Some("tool") => words.next() == Some("run"),
                _ => false,
            }
        }
        "node" | "nodejs" => {
            let script = usize::from(args.len() > 1);
            let mut words = words(if args.len() == 1 { 0 } else { script });
            match words.next().map(base_name) {
                Some("npx" | "npx-cli.js") => true,
                Some("npm" | "npm-cli.js") => is_exec(words.next()),
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(exe: &str, comm: &str, args: &[&str], judge: impl FnOnce(Appearance<'_>) -> T) -> T {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        judge(Appearance { exe: (!exe.is_empty()).then_some(exe), comm, args: &args })
    }

    #[test]
    fn what_pid_1_has_in_its_environment_says_nothing() {
        let own = b"PATH=/bin\0TMUX=/tmp/x,9,0\0".as_slice();
        assert!(is_from_session(own, b"PATH=/bin\0"));
        assert!(!is_from_session(own, b"TMUX=/tmp/y,8,0\0"));
        assert!(!is_from_session(b"PATH=/bin\0XTMUX=1\0", b""));
    }

    #[test]
    fn h45_who_takes_in_others() {
        for (pid, exe, comm, args, expected) in [
            (1, "/usr/lib/systemd/systemd", "systemd", &["/sbin/init"][..], Some(Reaper::Manager)),
            (
                1,
                "/usr/lib/systemd/systemd (deleted)",
                "systemd",
                &["/sbin/init"],
                Some(Reaper::Manager),
            ),
            (
                900,
                "/usr/lib/systemd/systemd",
                "systemd",
                &["/lib/systemd/systemd", "--user"],
                Some(Reaper::Manager),
            ),
            (1, "", "systemd", &["/lib/systemd/systemd", "splash"], Some(Reaper::Manager)),
            (1, "", "systemd", &["/sbin/init", "splash"], Some(Reaper::Manager)),
            (900, "/home/u/bin/systemd", "systemd", &["systemd", "serve"], None),
            (900, "/usr/bin/runit", "runit", &["runit"], None),
            (1, "", "sshd", &["sshd: /usr/sbin/sshd -D [listener] 0 of 10"], Some(Reaper::Manager)),
            (1, "", "init", &["init [2]  "], Some(Reaper::Init)),
            (1, "", "sshd", &["/sbin/init"], None),
            (1, "", "systemd", &["python3"], None),
            (1, "", "init", &["python3", "orchestrator.py"], None),
            (1, "/bin/busybox", "init", &["init"], Some(Reaper::Init)),
            (1, "/usr/bin/tini", "tini", &["tini", "--", "x"], Some(Reaper::Container)),
            (1, "/usr/bin/dumb-init", "dumb-init", &["dumb-init", "x"], Some(Reaper::Container)),
            (7, "/usr/bin/catatonit", "catatonit", &["catatonit"], Some(Reaper::Container)),
            (
                7,
                "/usr/bin/containerd-shim-runc-v2",
                "containerd-shim",
                &[""],
                Some(Reaper::Container),
            ),
            (1, "/bin/bash", "bash", &["bash", "start.sh"], Some(Reaper::Shell)),
            (1, "/bin/busybox", "sh", &["sh"], Some(Reaper::Shell)),
            (1, "/usr/bin/sleep", "sleep", &["sleep", "infinity"], Some(Reaper::Shell)),
            (1, "/usr/bin/tail", "tail", &["tail", "-f", "/dev/null"], Some(Reaper::Shell)),
            (1, "/usr/sbin/sshd", "sshd", &["/usr/sbin/sshd", "-D"], Some(Reaper::Manager)),
            (7, "/usr/sbin/sshd", "sshd", &["sshd: u [priv]"], None),
            (7, "/bin/bash", "bash", &["bash"], None),
            (1, "/usr/bin/python3.11", "python3", &["python3", "orchestrator.py"], None),
            (1, "/usr/bin/python3.11", "systemd", &["systemd"], None),
            (1, "/usr/bin/node", "node", &["node", "server.js"], None),
            (1, "/usr/bin/supervisord", "supervisord", &["supervisord"], None),
        ] {
            let reaper = with(exe, comm, args, |program| reaper(pid, program, false));
            assert_eq!(reaper, expected, "{pid} {exe} {comm} {args:?}");
        }
        let tmux = with("/usr/bin/tmux", "tmux: server", &[], |tmux| reaper(9, tmux, true));
        assert_eq!(tmux, Some(Reaper::Tmux));
    }

    #[test]
    fn h71_whom_a_reaper_may_have_started() {
        let none = Child::default();
        let first = Child { is_first_born: true, ..none };
        let leader = Child { is_session_leader: true, ..none };
        let own = Child { is_in_session_of_reaper: true, ..none };
        let orphan = Child { is_leader_dead: true, ..none };
        for (reaper, child, expected) in [
            (Reaper::Container, first, true),
            (Reaper::Container, Child { is_session_leader: true, ..first }, true),
            (Reaper::Container, own, false),
            (Reaper::Container, leader, false),
            (Reaper::Shell, leader, true),
            (Reaper::Shell, own, true),
            (Reaper::Shell, first, false),
            (Reaper::Shell, orphan, false),
            (Reaper::Shell, Child { is_leader_dead: true, ..own }, false),
            (Reaper::Shell, Child { is_from_session: true, ..leader }, false),
            (Reaper::Init, Child { is_from_session: true, ..leader }, false),
            (Reaper::Container, Child { is_from_session: true, ..first }, true),
            (Reaper::Manager, leader, false),
            (Reaper::Manager, first, false),
            (Reaper::Manager, own, true),
            (Reaper::Init, leader, true),
            (Reaper::Init, first, false),
            (Reaper::Init, own, true),
            (Reaper::Init, orphan, false),
            (Reaper::Tmux, own, true),
            (Reaper::Tmux, leader, false),
        ] {
            assert_eq!(reaper.may_have_started(child), expected, "{reaper:?} {child:?}");
        }
    }

    #[test]
    fn h60_parents_that_only_wait() {
        let snapshot = "source /h/.claude/shell-snapshots/snapshot-bash-1-x.sh 2>/dev/null || true \
            && shopt -u extglob 2>/dev/null || true && eval 'for x in 1 2; do claude -p; done' \
            < /dev/null && pwd -P >| /tmp/claude-a91b-cwd";
        for (exe, args) in [
            ("/usr/bin/timeout", &["timeout", "9", "claude"][..]),
            ("/usr/bin/sudo", &["sudo", "-u", "x", "claude"]),
            ("/usr/bin/setsid", &["setsid", "--wait", "claude"]),
            ("/bin/dash", &["sh", "-c", "claude -p 'a; b | c' >log 2>&1"]),
            ("/bin/dash", &["sh", "-c", "X=1 claude -p \"a & b\""]),
            ("/bin/bash", &["/bin/bash", "-c", "-l", snapshot]),
            ("/bin/bash", &["/bin/bash", "-c", snapshot]),
            ("/usr/bin/node", &["npm exec @anthropic-ai/claude-code -p"]),
            ("/usr/bin/node", &["npm exec claude", "", "", ""]),
            ("/usr/bin/node", &["node", "/usr/bin/npx", "claude"]),
            ("/usr/bin/node", &["node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "exec", "x"]),
            ("/usr/bin/uvx", &["uvx", "x"]),
            ("/usr/bin/uv", &["uv", "-q", "tool", "run", "x"]),
        ] {
            assert!(with(exe, "x", args, |parent| only_waits(parent, 1, false)), "{args:?}");
        }
        let two =
            with("/usr/bin/timeout", "x", &["timeout", "9", "x"], |p| only_waits(p, 2, false));
        assert!(!two, "it waits for one");
    }

    #[test]
    fn h61_parents_that_hold() {
        for (exe, args) in [
            ("/bin/bash", &["bash", "runner.sh"][..]),
            ("/bin/bash", &["bash", "-x", "runner.sh"]),
            ("/bin/bash", &["bash"]),
            ("/bin/bash", &["bash", "-s"]),
            ("/bin/bash", &["bash", "-c", "until claude -p; do sleep 9; done"]),
            ("/bin/bash", &["bash", "-c", "claude -p && echo done"]),
            ("/bin/bash", &["bash", "-c", "claude -p; echo done"]),
            ("/bin/bash", &["bash", "-c", "claude -p | tee log"]),
            ("/bin/bash", &["bash", "-c", "claude -p &"]),
            ("/bin/bash", &["bash", "-c", "claude \"$(cat x)\""]),
            ("/bin/bash", &["bash", "-c", "claude `cat x`"]),
            ("/bin/bash", &["bash", "-c", "{ claude"]),
            ("/bin/bash", &["bash", "-c", "claude 'open"]),
            ("/bin/bash", &["bash", "-c", "eval claude"]),
            ("/bin/bash", &["bash", "-c"]),
            ("/usr/bin/python3", &["python3", "orchestrator.py"]),
            ("/usr/bin/python3", &["timeout", "9", "claude"]),
            ("/usr/bin/node", &["node", "server.js", "npx"]),
            ("/usr/bin/node", &["npm run agents"]),
            ("/usr/bin/flock", &["flock", "lock", "claude"]),
            ("/usr/bin/xargs", &["xargs", "claude"]),
            ("/usr/bin/uv", &["uv", "pip"]),
            ("", &["timeout", "9", "claude"]),
        ] {
            assert!(!with(exe, "timeout", args, |parent| only_waits(parent, 1, false)), "{args:?}");
        }
    }

    #[test]
    fn h74_a_shell_whose_terminal_is_gone() {
        let pipeline = "set -o pipefail; cat prompt | claude -p | tee log; python3 notify.py";
        for (args, expected) in [
            (&["bash", "-c", pipeline][..], true),
            (&["-bash"], true),
            (&["bash", "-i"], true),
            (&["bash", "--rcfile", "x"], true),
            (&["bash", "runner.sh"], false),
            (&["bash", "-s"], false),
        ] {
            let waits = |gone| with("/bin/bash", "bash", args, |shell| only_waits(shell, 2, gone));
            assert_eq!(waits(true), expected, "{args:?}");
            assert!(!waits(false), "{args:?}");
        }
        let python = with("/usr/bin/python3", "x", &["python3"], |p| only_waits(p, 1, true));
        assert!(!python);
    }
}
