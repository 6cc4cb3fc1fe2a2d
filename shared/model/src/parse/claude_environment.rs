//! What the environment of a process says of the Claude that started it, or in which it was
//! started.
//!
//! It attributes and never condemns: a tmux server hands the environment of who started it on to
//! every pane, also a person's. It differs by the version of Claude; what is known of the
//! versions is one table, `SERVERS`.

use super::proc::environ;
use crate::record::ClaudeEnvironment;

/// What Claude has put into an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// What a record has of it.
    pub record: ClaudeEnvironment,
    /// `CLAUDECODE` is set.
    pub claudecode: bool,
    /// `CLAUDE_ENV_FILE` is set, into which only a hook may write.
    pub env_file: bool,
    /// The version that `AI_AGENT` names, if it says that Claude itself started it, not a tool:
    /// `claude-code_2-1-197_harness`.
    harness: Option<Version>,
    /// `AI_AGENT` is set.
    ai_agent: bool,
}

/// A version of Claude, as `2.1.197`.
type Version = [u32; 3];

/// The environment of the MCP servers of some versions of Claude.
#[derive(Debug)]
struct Servers {
    /// The first of these versions; none: those before `AI_AGENT` was set.
    since: Option<Version>,
    /// Whether their servers have `CLAUDE_PROJECT_DIR`.
    project: bool,
    /// Whether they have `CLAUDECODE` and `CLAUDE_CODE_SESSION_ID`.
    session: bool,
}

/// What distinguishes a server from a hook, version by version, as seen at 1.0.100, 2.0.30,
/// 2.1.20, 2.1.100; 2.1.150; 2.1.197 and 2.1.332. All have `CLAUDE_CODE_ENTRYPOINT`.
///
/// | version | hooks have | tools have |
/// |---|---|---|
/// | up to 2.1.100 | `CLAUDE_PROJECT_DIR` | `CLAUDECODE` |
/// | 2.1.150 | `CLAUDECODE`, `CLAUDE_CODE_SESSION_ID`, as servers have them later | the same |
/// | 2.1.197 | `CLAUDE_CODE_CHILD_SESSION` too | the same |
///
/// Up to 2.1.100 a server has nothing else, so there only the entrypoints that the CLI itself sets
/// count: programs with the SDK set theirs, such as `sdk-ts`, for all that they start.
///
/// What a server of one version has, a hook of another one has. So a row counts only with the
/// versions it was seen at and, for the last, later ones.
const SERVERS: [Servers; 3] = [
    Servers { since: None, project: false, session: false },
    Servers { since: Some([2, 1, 150]), project: true, session: false },
    Servers { since: Some([2, 1, 197]), project: true, session: true },
];

/// The entrypoints that the CLI sets, not the program that starts it.
const OF_CLI: [&str; 2] = ["cli", "sdk-cli"];

impl Environment {
    /// Reads it from the text of `/proc/PID/environ`.
    pub fn of(text: &[u8]) -> Environment {
        let value = |name| {
            let value = environ(text, name)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let ai_agent = value("AI_AGENT");
        let (version, agent) = ai_agent.as_deref().and_then(version).unzip();
        let is_harness = agent == Some("harness");
        Environment {
            harness: version.filter(|_| is_harness),
            ai_agent: ai_agent.is_some(),
            claudecode: value("CLAUDECODE").is_some(),
            env_file: value("CLAUDE_ENV_FILE").is_some(),
            record: ClaudeEnvironment {
                session: value("CLAUDE_CODE_SESSION_ID"),
                entrypoint: value("CLAUDE_CODE_ENTRYPOINT"),
                project: value("CLAUDE_PROJECT_DIR"),
                child: value("CLAUDE_CODE_CHILD_SESSION").is_some(),
                pid: value("CLAUDE_PID").and_then(|pid| pid.parse().ok()),
                version: version.map(|[a, b, c]| format!("{a}.{b}.{c}")),
            },
        }
    }

    /// Whether a Claude started this process, or something that did. Variables by which a person
    /// sets Claude up do not count.
    pub fn is_of_claude(&self) -> bool {
        self.claudecode || self.record.entrypoint.is_some() || self.record.session.is_some()
    }

    /// Whether it is that of something that is no server, whatever else the process shows: a
    /// hook, a tool, or what those have started.
    pub fn is_of_tool(&self) -> bool {
        self.env_file || self.record.child
    }

    /// Whether it is that of an MCP server, by a version of which that is known.
    pub fn is_of_server(&self) -> bool {
        let Some(entrypoint) = self.record.entrypoint.as_deref() else { return false };
        if self.is_of_tool() {
            return false;
        }
        let has_session = self.claudecode && self.record.session.is_some();
        let has_none = !self.claudecode && self.record.session.is_none();
        SERVERS.iter().any(|servers| {
            let is_of_version = match (servers.since, self.harness) {
                (None, _) => !self.ai_agent && OF_CLI.contains(&entrypoint),
                (Some(since), Some(version)) => version >= since,
                (Some(_), None) => false,
            };
            is_of_version
                && self.record.project.is_some() == servers.project
                && if servers.session { has_session } else { has_none }
        })
    }
}

/// The version in `claude-code_2-1-197_harness`, and the last word.
fn version(ai_agent: &str) -> Option<(Version, &str)> {
    let (version, agent) = ai_agent.strip_prefix("claude-code_")?.rsplit_once('_')?;
    let mut numbers = version.split('-').map(|number| number.parse().ok());
    let version = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some((version, agent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &str) -> Environment {
        let text: Vec<u8> = format!("HOME=/h {variables}").replace(' ', "\0").into();
        Environment::of(&text)
    }

    const SESSION: &str = "CLAUDECODE=1 CLAUDE_CODE_SESSION_ID=s";

    /// As each version was seen to set it: who has it, and whether that is a server.
    #[test]
    fn a_server_is_known_by_the_version_that_started_it() {
        let old = "CLAUDE_CODE_ENTRYPOINT=sdk-cli";
        let project = format!("{old} CLAUDE_PROJECT_DIR=/w");
        let at = |version: &str, agent: &str| format!("AI_AGENT=claude-code_{version}_{agent}");
        let (harness_150, agent_150) = (at("2-1-150", "harness"), at("2-1-150", "agent"));
        let (harness_197, agent_197) = (at("2-1-197", "harness"), at("2-1-197", "agent"));
        let child = "CLAUDE_CODE_CHILD_SESSION=1";
        for (what, environment, is_server) in [
            ("2.0.30: server", old.to_owned(), true),
            ("2.0.30: hook", project.clone(), false),
            ("2.0.30: hook at the start", format!("{project} CLAUDE_ENV_FILE=/e"), false),
            ("2.0.30: tool", format!("{old} CLAUDECODE=1"), false),
            ("2.1.150: server", format!("{project} {harness_150}"), true),
            ("2.1.150: hook", format!("{project} {harness_150} {SESSION}"), false),
            ("2.1.150: tool", format!("{old} {agent_150} {SESSION}"), false),
            ("2.1.197: server", format!("{project} {harness_197} {SESSION}"), true),
            ("2.1.197: hook", format!("{project} {harness_197} {SESSION} {child}"), false),
            ("2.1.197: tool", format!("{old} {agent_197} {SESSION} {child}"), false),
            ("2.1.332: server", format!("{project} {} {SESSION}", at("2-1-332", "harness")), true),
            ("between", format!("{project} {}", at("2-1-120", "harness")), false),
            ("no version", format!("{project} {} {SESSION}", at("next", "harness")), false),
            ("no version named", format!("{project} {SESSION}"), false),
            ("a tool of a later version", format!("{project} {agent_197} {SESSION}"), false),
            ("a program with the SDK", "CLAUDE_CODE_ENTRYPOINT=sdk-ts".to_owned(), false),
            (
                "2.1.197: server, started by such a program",
                format!(
                    "CLAUDE_CODE_ENTRYPOINT=sdk-py CLAUDE_PROJECT_DIR=/w {harness_197} {SESSION}"
                ),
                true,
            ),
            ("another agent", format!("{old} AI_AGENT=codex"), false),
            ("set up by a person", "CLAUDE_CODE_MAX_OUTPUT_TOKENS=9".to_owned(), false),
            ("nothing", String::new(), false),
        ] {
            assert_eq!(of(&environment).is_of_server(), is_server, "{what}");
            let env_file = of(&format!("{environment} CLAUDE_ENV_FILE=/e"));
            let child = of(&format!("{environment} {child}"));
            assert!(!env_file.is_of_server() && !child.is_of_server(), "{what}");
        }
    }

    #[test]
    fn what_a_person_sets_is_not_of_claude() {
        for variables in ["", "CLAUDE_CODE_MAX_OUTPUT_TOKENS=9", "CLAUDE_CONFIG_DIR=/c"] {
            assert!(!of(variables).is_of_claude(), "{variables}");
        }
        for variables in ["CLAUDECODE=1", "CLAUDE_CODE_ENTRYPOINT=cli", SESSION] {
            assert!(of(variables).is_of_claude(), "{variables}");
        }
    }

    #[test]
    fn who_started_it() {
        let of = of(&format!("{SESSION} CLAUDE_PID=812 AI_AGENT=claude-code_2-1-332_agent"));
        assert_eq!(of.record.session.as_deref(), Some("s"));
        assert_eq!((of.record.pid, of.record.version.as_deref()), (Some(812), Some("2.1.332")));
    }
}
