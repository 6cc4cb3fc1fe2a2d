//! The case of the cleanup guide: eight agents at work, and what earlier agents left behind.

use super::{Entry, Live, Registry, Standin, World};

/// The agents that the guide wants preserved.
const LIVE: [&str; 8] = [
    "process_leak_analyzer-232523-be4f03",
    "deployment_code_auditor-232525-818d49",
    "registry_corruption_investigator-232528-303b95",
    "immediate_cleanup_builder-232530-7cf214",
    "cleanup_function_builder-232249-fdb115",
    "file_handle_tracker_builder-232257-348f75",
    "cleanup_daemon_builder-232300-9040a9",
    "integration_tester-232302-b08b55",
];

/// The agent whose session is there, without a Claude.
const ZOMBIE: &str = "report_writer-221107-5d1e0c";

const GHOSTS: u32 = 87;

const GHOST_TYPES: [&str; 5] =
    ["code_reviewer", "test_runner", "documentation_writer", "log_analyzer", "api_designer"];

/// What [`World::guide_case`] has made.
#[derive(Clone, Debug)]
pub struct GuideCase {
    /// The eight agents.
    pub live: Vec<Live>,
    /// A person's own session, with Claude in it.
    pub work: Live,
    /// A person's editor, on `claude.md`.
    pub editor: i32,
    /// A Claude that nothing holds any more.
    pub leaked: Standin,
    /// Name of the agent session without Claude.
    pub zombie: String,
    /// The process in its pane.
    pub zombie_pane: i32,
    /// The text of the registry.
    pub registry: String,
}

impl World {
    /// Builds the guide's case: eight live agents, a session `work` and an editor that must stay;
    /// one leaked Claude, one zombie session, and a registry of 96 entries that counts 95, 15 of
    /// them active.
    pub fn guide_case(&self) -> GuideCase {
        let entries = LIVE.iter().enumerate().map(|(number, id)| match number % 2 {
            0 => Entry::new(id),
            _ => Entry::new(id).set("status", "working").set("progress", 40),
        });
        // Oldest first, as the orchestrator appends them: the live ones stand last.
        let entries = (0..GHOSTS).map(ghost).chain([Entry::new(ZOMBIE)]).chain(entries);
        let registry = self.write_global(&Registry::new(entries).counters(95, 15));
        let zombie = format!("agent_{ZOMBIE}");
        GuideCase {
            live: LIVE.iter().map(|id| self.agent_session(id, &[])).collect(),
            work: self.live_session("work", self.name(), &[]),
            editor: self.editor(),
            // Started by somebody who was logged in: below the shell of a container, which may start
            // programs itself, nothing else shows that it has not.
            leaked: self.leaked(&[("SSH_CONNECTION", "192.0.2.7 50022 192.0.2.1 22")]),
            zombie_pane: self.session(&zombie, "sleep 3600"),
            zombie,
            registry,
        }
    }
}

fn ghost(number: u32) -> Entry {
    let agent_type = GHOST_TYPES[number as usize % GHOST_TYPES.len()];
    let (hour, minute) = (10 + number / 10, number % 10 * 6);
    // Multiplied by a large odd number: different for each, and the same in every run.
    let suffix = (number + 1).wrapping_mul(2_654_435_761) >> 8;
    let id = format!("{agent_type}-{hour:02}{minute:02}30-{suffix:06x}");
    let started = format!("2025-10-29T{hour:02}:{minute:02}:30.250417");
    let entry =
        Entry::new(&id).set("started_at", started.as_str()).set("last_update", started.as_str());
    match number % 3 {
        0 => entry,
        1 => entry.set("status", "working").set("progress", 60),
        _ => entry.set("status", "completed").set("progress", 100),
    }
}
