//! A small sample of everything: a live agent, a ghost, a zombie session, a leaked process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{Entry, Live, Registry, Standin, World, records, stat, wait_until};

/// The agents of the sample: one with a session, one without, one whose session is a zombie.
pub const AGENTS: [&str; 3] = ["live-101010-aaaaaa", "ghost-101010-bbbbbb", "zombie-101010-cccccc"];

/// What [`World::sample`] has made.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The agent that works.
    pub live: Live,
    /// Name of the session without Claude.
    pub zombie: String,
    /// The process in its pane.
    pub zombie_pane: i32,
    /// A Claude that nothing holds.
    pub leaked: Standin,
    /// What agentdiff finds in it: a leak, a zombie session, two ghosts.
    pub findings: String,
    before: State,
}

/// Everything that a tool could have changed: which processes live, and the registry's directory.
type State = (Vec<Option<Identity>>, BTreeMap<PathBuf, Vec<u8>>);

/// The identity of a process: pid and start time. A later process with that pid has another.
pub type Identity = (i32, u64);

impl World {
    /// A live agent, a ghost, a zombie session with its entry, and a leaked process.
    pub fn sample(&self) -> Sample {
        self.write_global(&Registry::new(AGENTS.map(Entry::new)));
        let zombie = format!("agent_{}", AGENTS[2]);
        let mut sample = Sample {
            live: self.agent_session(AGENTS[0], &[]),
            zombie_pane: self.session(&zombie, "sleep 3600"),
            zombie,
            leaked: self.leaked(&[]),
            findings: String::new(),
            before: State::default(),
        };
        // Until it has called execve(2), what tmux starts looks like tmux.
        wait_until(
            || "the findings of the sample",
            || {
                sample.findings = self.findings(&[]);
                sample.findings.contains("\"kind\":\"zombie_session\"")
            },
        );
        let count = |kind| of_kind(&sample.findings, kind).len();
        let counts = ["leaked_process", "zombie_session", "ghost_agent"].map(count);
        assert_eq!(counts, [1, 1, 2], "{}", sample.findings);
        sample.before = self.state(&sample);
        sample
    }

    /// Checks that the processes live and that the registry and its directory are unchanged,
    /// byte for byte.
    ///
    /// # Panics
    /// When something has changed, with `what`.
    pub fn assert_untouched(&self, sample: &Sample, what: &str) {
        assert_eq!(self.state(sample), sample.before, "{what}");
    }

    fn state(&self, sample: &Sample) -> State {
        let pids =
            [sample.live.pane, sample.live.claude.pid, sample.zombie_pane, sample.leaked.pid];
        let registry = self.global_path();
        let directory =
            fs::read_dir(registry.parent().expect("a directory")).expect("the directory");
        let files = directory.map(|file| {
            let path = file.expect("an entry of the directory").path();
            let bytes = fs::read(&path).expect("a file of the directory");
            (path, bytes)
        });
        (pids.map(living).to_vec(), files.collect())
    }
}

/// The identity of the process that has a pid; none for a dead one.
pub fn living(pid: i32) -> Option<Identity> {
    let stat = stat(pid).filter(|stat| !matches!(stat.state, 'Z' | 'X'))?;
    Some((pid, stat.start))
}

/// The findings of one kind.
pub fn of_kind(findings: &str, kind: &str) -> Vec<Value> {
    records(findings).into_iter().filter(|finding| finding["kind"] == kind).collect()
}
