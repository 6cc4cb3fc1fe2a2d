//! One of each: what is to live and what is to go, small enough for tests about trouble.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{Entry, Live, Registry, Standin, World, records, stat, wait_until};

/// The agents of a mess: one with a session, one without, one whose session is a zombie.
pub const AGENTS: [&str; 3] = ["live-101010-aaaaaa", "ghost-101010-bbbbbb", "zombie-101010-cccccc"];

/// Who is who in [`World::mess`].
#[derive(Clone, Debug)]
pub struct Mess {
    /// The agent that works.
    pub live: Live,
    /// Name of the session without Claude.
    pub zombie: String,
    /// The process in its pane.
    pub zombie_pane: i32,
    /// A Claude that nobody holds.
    pub leaked: Standin,
    /// What agentdiff says to it: a leak, a zombie session, two ghosts.
    pub findings: String,
    before: State,
}

/// All that a tool could have touched: which processes live, and the registry's folder.
type State = (Vec<Option<Identity>>, BTreeMap<PathBuf, Vec<u8>>);

/// A process, told from every other that has its pid later: pid and start.
pub type Identity = (i32, u64);

impl World {
    /// A live agent, a ghost, a zombie session with its entry, and a leaked process.
    pub fn mess(&self) -> Mess {
        self.write_global(&Registry::new(AGENTS.map(Entry::new)));
        let zombie = format!("agent_{}", AGENTS[2]);
        let mut mess = Mess {
            live: self.agent_session(AGENTS[0], &[]),
            zombie_pane: self.session(&zombie, "sleep 3600"),
            zombie,
            leaked: self.leaked(&[]),
            findings: String::new(),
            before: State::default(),
        };
        // For a moment, what tmux starts is still tmux.
        wait_until(
            || "the mess to be found",
            || {
                mess.findings = self.findings(&[]);
                mess.findings.contains("\"kind\":\"zombie_session\"")
            },
        );
        let count = |kind| of_kind(&mess.findings, kind).len();
        let counts = ["leaked_process", "zombie_session", "ghost_agent"].map(count);
        assert_eq!(counts, [1, 1, 2], "{}", mess.findings);
        mess.before = self.state(&mess);
        mess
    }

    /// Checks that everything of a mess is as it was, the bytes of the registry too, and
    /// that nothing was written beside it.
    ///
    /// # Panics
    /// When it is not.
    pub fn assert_untouched(&self, mess: &Mess, what: &str) {
        assert_eq!(self.state(mess), mess.before, "{what}");
    }

    fn state(&self, mess: &Mess) -> State {
        let pids = [mess.live.pane, mess.live.claude.pid, mess.zombie_pane, mess.leaked.pid];
        let registry = self.global_path();
        let folder = fs::read_dir(registry.parent().expect("a folder")).expect("the folder");
        let files = folder.map(|file| {
            let path = file.expect("an entry of the folder").path();
            let bytes = fs::read(&path).expect("a file of the folder");
            (path, bytes)
        });
        (pids.map(living).to_vec(), files.collect())
    }
}

/// The process that lives under a pid.
pub fn living(pid: i32) -> Option<Identity> {
    let stat = stat(pid).filter(|stat| !matches!(stat.state, 'Z' | 'X'))?;
    Some((pid, stat.start))
}

/// The findings of one kind.
pub fn of_kind(findings: &str, kind: &str) -> Vec<Value> {
    records(findings).into_iter().filter(|finding| finding["kind"] == kind).collect()
}
