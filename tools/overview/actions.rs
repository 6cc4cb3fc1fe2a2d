//! What agentprune would do.

use serde_json::Value;

use super::items::{Detail, grouped, process, registry, session};
use super::section::Item;

/// The actions, in the order in which they are carried out, with their headings.
pub const HEADINGS: [(&str, &str); 6] = [
    ("kill_process", "Processes to end"),
    ("kill_session", "Sessions to end"),
    ("remove_entry", "Entries to remove"),
    ("terminate_entry", "Entries to mark as over"),
    ("set_counters", "Registries whose counters to set"),
    ("restore_entry", "Entries to put back"),
];

/// The findings with one action.
pub fn items(findings: &[&Value], detail: Detail<'_>) -> Vec<Item> {
    match findings.first().and_then(|finding| finding["action"].as_str()) {
        Some("kill_process") => {
            findings.iter().map(|finding| process(finding, "", detail)).collect()
        }
        Some("kill_session") => findings.iter().map(|finding| session(finding, detail)).collect(),
        Some("set_counters") => findings.iter().map(|finding| registry(finding, detail)).collect(),
        _ => grouped(findings, detail),
    }
}
