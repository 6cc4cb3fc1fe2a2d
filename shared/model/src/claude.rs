//! What is Claude, and what only looks like it.
//!
//! A process is Claude by the *base name* of its executable, of its first argument
//! or by the kernel's short name; never by a part of an argument. A command line
//! that merely mentions the word is an editor, a grep, a shell, or the tmux server
//! itself, whose arguments are those of the first `tmux new-session`.

use crate::record::{DefaultRule, Names};

/// The parts of a process that decide whether it is Claude.
#[derive(Clone, Copy, Debug, Default)]
pub struct Appearance<'p> {
    /// Target of `/proc/PID/exe`, where it can be read.
    pub exe: Option<&'p str>,
    /// The kernel's short name.
    pub comm: &'p str,
    /// The arguments, as bytes.
    pub args: &'p [&'p [u8]],
}

/// Programs that run others or that people work in. As a name of Claude they would make
/// every shell a target.
const REFUSED: [&str; 25] = [
    "sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "csh", "tcsh", "login", "su", "sudo", "env",
    "node", "nodejs", "bun", "deno", "python", "python3", "tmux", "screen", "ssh", "sshd",
    "docker", "podman",
];

/// Interpreters whose first script argument names what is running.
const INTERPRETERS: [&str; 11] =
    ["node", "nodejs", "bun", "deno", "sh", "bash", "dash", "zsh", "ksh", "ash", "python"];

/// A part of Claude's own background service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// It runs the others, or waits for a person somewhere else: it needs nobody.
    Service,
    /// It works for a service.
    Worker,
}

/// First arguments with which Claude runs as its own background service.
const BACKGROUND: [(&str, Background); 4] = [
    ("daemon", Background::Service),
    ("remote-control", Background::Service),
    ("--bg-pty-host", Background::Worker),
    ("--bg-spare", Background::Worker),
];

/// How an agent's command line program is installed, besides under its own name.
#[derive(Debug)]
struct Installation {
    /// The base name of its executable.
    name: &'static str,
    /// How the directories end in which each executable is a version, whatever its name.
    versions: &'static [&'static str],
    /// Directories below which an executable is a version if it is named by a number.
    below: &'static [&'static str],
    /// Its package, for interpreters.
    package: &'static str,
}

/// The programs that count unless others are named. One more agent is one more line.
const INSTALLATIONS: [Installation; 1] = [Installation {
    name: "claude",
    versions: &["/claude/versions", "/ccd-cli"],
    below: &["/.local/share/claude-cli/"],
    package: "@anthropic-ai/claude-code",
}];

impl Installation {
    /// Whether an executable is a version of it: native installations keep one per version,
    /// named by that.
    fn has_version(&self, exe: &str) -> bool {
        let Some((directory, name)) = exe.rsplit_once('/') else { return false };
        self.versions.iter().any(|end| directory.ends_with(end))
            || name.starts_with(|c: char| c.is_ascii_digit())
                && self.below.iter().any(|part| exe.contains(part))
    }

    /// Whether an interpreter runs it: a file of its package, or by the package's name as
    /// `npm:NAME@VERSION`.
    fn has_script(&self, script: &str) -> bool {
        script.split('/').zip(script.split('/').skip(1)).any(|(scope, name)| {
            let (wanted_scope, wanted) = self.package.split_once('/').unwrap_or_default();
            let name = name.split('@').next().unwrap_or(name);
            name == wanted && (scope == wanted_scope || scope == format!("npm:{wanted_scope}"))
        })
    }
}

/// Words with which an interpreter is told to run what follows.
const RUNNERS: [&str; 2] = ["run", "x"];

/// Length at which the kernel cuts the short name (`TASK_COMM_LEN` less its NUL).
const COMM_LEN: usize = 15;

/// The rule that decides whether a process is Claude.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRule {
    builtin: bool,
    names: Vec<String>,
}

impl NameRule {
    /// The rule for `names`.
    ///
    /// # Errors
    /// A sentence, for a name that is empty, has a slash, or is that of a shell, an
    /// interpreter, tmux or a program that runs others.
    pub fn new(names: &Names) -> Result<NameRule, String> {
        let (builtin, names): (bool, &[String]) = match names {
            Names::Rule(DefaultRule::Default) => (true, &[]),
            Names::Only(names) => (false, names),
            Names::Also { also } => (true, also),
        };
        if !builtin && names.is_empty() {
            return Err("no name given".to_owned());
        }
        if let Some(name) = names.iter().find(|name| is_refused(name)) {
            return Err(format!(
                "{name:?} is not allowed: give the base name of Claude's own executable"
            ));
        }
        let mut names = names.to_vec();
        if builtin {
            names.extend(INSTALLATIONS.iter().map(|installation| installation.name.to_owned()));
        }
        Ok(NameRule { builtin, names })
    }

    /// Whether a process that looks like this is Claude.
    pub fn matches(&self, process: Appearance<'_>) -> bool {
        let first = process.args.first().map(|arg| String::from_utf8_lossy(arg));
        let exe = process.exe.map(without_suffixes);
        // A name of that length may be the cut name of another program.
        self.has(process.comm) && process.comm.len() < COMM_LEN
            || exe.is_some_and(|exe| self.has(base_name(exe)) || self.is_versioned(exe))
            || first.as_deref().is_some_and(|arg| self.has(base_name(without_suffixes(arg))))
            || self.runs_script(process)
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    fn is_versioned(&self, exe: &str) -> bool {
        self.builtin && INSTALLATIONS.iter().any(|installation| installation.has_version(exe))
    }

    fn runs_script(&self, process: Appearance<'_>) -> bool {
        is_interpreted(process)
            && program_at(process.args).is_some_and(|at| {
                let script = String::from_utf8_lossy(process.args[at]);
                self.has(base_name(without_suffixes(&script)))
                    || self.builtin && INSTALLATIONS.iter().any(|it| it.has_script(&script))
            })
    }
}

/// Which part of its own background service a process that is Claude is: reparented, without a
/// terminal, and wanted. The word that says so comes first, or after the script that an
/// interpreter runs.
pub fn background(process: Appearance<'_>) -> Option<Background> {
    let script = is_interpreted(process).then(|| program_at(process.args)).flatten();
    [Some(0), script].into_iter().flatten().find_map(|before| {
        let first = process.args.get(before + 1)?;
        let mut words = BACKGROUND.iter();
        words.find(|(word, _)| word.as_bytes() == *first).map(|(_, background)| *background)
    })
}

/// Whether a process that is Claude is its own background service.
pub fn is_daemon(process: Appearance<'_>) -> bool {
    background(process).is_some()
}

/// The options that make Claude work without a person.
const HEADLESS: [&str; 4] = ["-p", "--print", "--output-format", "--input-format"];

/// Whether the arguments of a Claude, the first of which is its name, say that it works
/// without a person. Options end at `--`.
pub fn is_headless(args: &[String]) -> bool {
    let options = args.iter().skip(1).take_while(|arg| *arg != "--");
    options.map(|arg| arg.split('=').next().unwrap_or(arg)).any(|arg| HEADLESS.contains(&arg))
}

/// The script in the arguments of an interpreter: the first that is neither an option nor the
/// value of one. None when the code is in the arguments.
pub fn script(args: &[&[u8]]) -> Option<String> {
    let script = args.get(script_at(args)?)?;
    Some(String::from_utf8_lossy(script).into_owned())
}

/// Where the script stands, also after the word with which bun and deno are told to run it.
fn program_at(args: &[&[u8]]) -> Option<usize> {
    let at = script_at(args).filter(|at| *at < args.len())?;
    match RUNNERS.iter().any(|word| word.as_bytes() == args[at]) {
        true => script_after(args, at).filter(|at| *at < args.len()),
        false => Some(at),
    }
}

fn script_at(args: &[&[u8]]) -> Option<usize> {
    script_after(args, 0)
}

fn script_after(args: &[&[u8]], before: usize) -> Option<usize> {
    let mut rest = args.iter().enumerate().skip(before + 1);
    while let Some((at, arg)) = rest.next() {
        match *arg {
            b"--" => return Some(at + 1),
            b"-c" | b"-e" | b"-p" | b"-m" | b"-s" | b"--eval" | b"--print" | b"-pe" => return None,
            b"-r"
            | b"--require"
            | b"--import"
            | b"--loader"
            | b"--experimental-loader"
            | b"-C"
            | b"--conditions"
            | b"--title"
            | b"--icu-data-dir"
            | b"-o"
            | b"-O"
            | b"+O"
            | b"-W"
            | b"-X"
            | b"--rcfile"
            | b"--init-file" => {
                rest.next()?;
            }
            [b'-', ..] => {
                // A shell takes `-xc CODE` like `-x -c CODE`.
                if !arg.starts_with(b"--") && arg.ends_with(b"c") {
                    return None;
                }
            }
            _ => return Some(at),
        }
    }
    None
}

fn is_refused(name: &str) -> bool {
    name.is_empty()
        || name.contains('/')
        || name.contains(char::is_whitespace)
        || REFUSED.contains(&name)
}

/// Whether a process is an interpreter, by its executable or its first argument.
fn is_interpreted(process: Appearance<'_>) -> bool {
    let first = process.args.first().map(|arg| String::from_utf8_lossy(arg));
    let names = [process.exe, first.as_deref()].into_iter().flatten();
    names.map(|name| base_name(without_suffixes(name))).any(is_interpreter)
}

fn is_interpreter(name: &str) -> bool {
    let unversioned = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.contains(&unversioned)
}

/// The part of a path after its last slash.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path without what does not belong to a program's name: the padding left by a rewritten
/// title, the mark of a replaced executable, the ending of another system.
fn without_suffixes(path: &str) -> &str {
    let path = path.trim_end();
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path.strip_suffix(".exe").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> NameRule {
        NameRule::new(&Names::Rule(DefaultRule::Default)).unwrap()
    }

    fn appears(rule: &NameRule, exe: &str, comm: &str, args: &[&str]) -> bool {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        rule.matches(Appearance { exe: (!exe.is_empty()).then_some(exe), comm, args: &args })
    }

    #[test]
    fn claude_in_all_its_forms() {
        for (exe, comm, args) in [
            ("/usr/bin/claude", "claude", &["claude", "-p", "x"][..]),
            ("/usr/bin/claude (deleted)", "x", &["x"]),
            ("/opt/claude.exe", "claude.exe", &["claude.exe"]),
            ("/h/Library/ccd-cli/2.1.30", "2.1.30", &["2.1.30"]),
            ("/h/.local/share/claude-cli/versions/2.1.30", "2.1.30", &["x"]),
            ("/h/.local/share/claude-cli/bin/claude", "claude", &["x"]),
            ("/usr/bin/bun", "bun", &["bun", "/l/@anthropic-ai/claude-code/cli.js", "-p"]),
            ("/usr/bin/bun", "bun", &["bun", "run", "--smol", "/x/claude", "-p"]),
            ("/usr/bin/bun", "bun", &["bun", "x", "@anthropic-ai/claude-code@2.1.30"]),
            ("/usr/bin/deno", "deno", &["deno", "run", "-A", "npm:@anthropic-ai/claude-code"]),
            ("/usr/bin/deno", "deno", &["deno", "run", "-A", "/usr/bin/claude"]),
            ("/h/.local/share/claude/versions/2.1.30", "2.1.30", &["claude"]),
            ("/h/.local/share/claude/versions/2.1.30", "2.1.30", &["2.1.30"]),
            (
                "/usr/bin/node",
                "node",
                &["node", "/l/node_modules/@anthropic-ai/claude-code/cli.js"],
            ),
            (
                "/usr/bin/node",
                "node",
                &["node", "--no-warnings", "--max-old-space-size=9", "/usr/bin/claude"],
            ),
            ("/usr/bin/node", "node", &["node", "-r", "./hook.js", "/usr/bin/claude", "-p"]),
            ("/usr/bin/node", "MainThread", &["claude          "]),
            ("", "claude", &[]),
            ("/bin/bash", "bash", &["/bin/bash", "/usr/local/bin/claude"]),
            ("/usr/bin/python3.11", "python3.11", &["python3.11", "/x/claude"]),
        ] {
            assert!(appears(&rule(), exe, comm, args), "{exe} {comm} {args:?}");
        }
    }

    #[test]
    fn what_only_mentions_it() {
        for (exe, comm, args) in [
            ("/usr/bin/tmux", "tmux: server", &["tmux", "new-session", "-d", "claude -p x"][..]),
            (
                "/usr/bin/tmux",
                "tmux: server",
                &["tmux", "-L", "claude", "new-session", "/usr/bin/claude"],
            ),
            ("/bin/dash", "sh", &["sh", "-c", "cd /x && claude -p x | tee /claude"]),
            ("/bin/bash", "bash", &["bash", "-lc", "claude", "claude"]),
            ("/usr/bin/vim", "vim", &["vim", "claude.md"]),
            ("/usr/bin/grep", "grep", &["grep", "claude"]),
            ("/usr/bin/sleep", "sleep", &["sleep", "100", "/home/claude/claude"]),
            ("/home/claude/bin/other", "other", &["/home/claude/bin/other"]),
            ("/usr/bin/node", "node", &["node", "-e", "1", "claude"]),
            ("/usr/bin/node", "node", &["node", "-r", "/usr/bin/claude", "server.js"]),
            ("/usr/bin/node", "node", &["node", "server.js", "claude"]),
            ("/usr/bin/Claude", "Claude", &["Claude"]),
            ("/usr/bin/claude-squad", "claude-squad", &["claude-squad"]),
            ("/x/claude/versions/2/bin", "bin", &["bin"]),
            ("/h/.local/share/claude-cli/vendor/ripgrep/rg", "rg", &["rg", "x"]),
            ("/x/not-ccd-cli/2.1.30", "2.1.30", &["2.1.30"]),
            ("/usr/bin/bun", "bun", &["bun", "run", "claude-squad"]),
            ("/usr/bin/bun", "bun", &["bun", "run"]),
            ("/usr/bin/node", "node", &["node", "/x/@anthropic-ai/claude-code-router/cli.js"]),
            ("/usr/bin/node", "node", &["node", "/x/@other/claude-code/cli.js"]),
        ] {
            assert!(!appears(&rule(), exe, comm, args), "{exe} {comm} {args:?}");
        }
    }

    #[test]
    fn names_replace_or_add() {
        let only = NameRule::new(&Names::Only(vec!["demo".into()])).unwrap();
        assert!(appears(&only, "/x/demo", "demo", &["demo"]));
        assert!(!appears(&only, "/x/claude", "claude", &["claude"]));
        assert!(!appears(&only, "/x/claude/versions/2.1.30", "2.1.30", &["2.1.30"]));
        let also = NameRule::new(&Names::Also { also: vec!["demo".into()] }).unwrap();
        assert!(appears(&also, "/x/demo", "demo", &["demo"]));
        assert!(appears(&also, "/x/claude", "claude", &["claude"]));
    }

    #[test]
    fn a_name_cut_by_the_kernel_is_no_name() {
        let long = NameRule::new(&Names::Only(vec!["claude-for-tests-1".into()])).unwrap();
        assert!(!appears(&long, "", "claude-for-test", &[]));
        assert!(appears(&long, "/x/claude-for-tests-1", "claude-for-test", &[]));
        let cut = NameRule::new(&Names::Only(vec!["claude-for-test".into()])).unwrap();
        assert!(!appears(&cut, "/x/claude-for-tests-1", "claude-for-test", &["y"]));
        assert!(appears(&cut, "", "claude-for-test", &["claude-for-test"]));
    }

    #[test]
    fn names_that_would_hit_everything_are_refused() {
        for name in ["", "bash", "node", "tmux", "/usr/bin/claude", "a b", "sudo"] {
            assert!(NameRule::new(&Names::Only(vec![name.into()])).is_err(), "{name}");
        }
        assert!(NameRule::new(&Names::Only(vec![])).is_err());
    }

    #[test]
    fn headless_work() {
        for (args, expected) in [
            ("claude -p x", true),
            ("claude --model opus --print", true),
            ("node /x/cli.js --output-format=stream-json", true),
            ("claude --input-format stream-json", true),
            ("claude", false),
            ("-p", false),
            ("claude --print-nothing", false),
            ("claude --resume -- -p", false),
        ] {
            let words: Vec<String> = args.split(' ').map(str::to_owned).collect();
            assert_eq!(is_headless(&words), expected, "{args}");
        }
    }

    #[test]
    fn the_background_service() {
        for (exe, args, expected) in [
            ("/usr/bin/claude", &[&b"claude"[..], b"daemon"][..], true),
            ("/usr/bin/claude", &[b"claude", b"--bg-spare", b"x"], true),
            ("/usr/bin/claude", &[b"claude", b"remote-control"], true),
            ("/usr/bin/claude", &[b"claude", b"-p", b"remote-control"], false),
            ("/usr/bin/node", &[b"node", b"--no-warnings", b"/x/cli.js", b"daemon"], true),
            ("/usr/bin/node", &[b"claude", b"/x/cli.js", b"--bg-pty-host"], true),
            ("/usr/bin/node", &[b"node", b"/x/cli.js", b"-p", b"daemon"], false),
            ("/usr/bin/claude", &[b"claude", b"-p", b"daemon"], false),
            ("/usr/bin/claude", &[b"claude", b"x", b"daemon"], false),
            ("/usr/bin/claude", &[b"daemon"], false),
        ] {
            let appearance = Appearance { exe: Some(exe), comm: "", args };
            assert_eq!(is_daemon(appearance), expected, "{exe} {args:?}");
        }
    }
}
