//! What the statuses of registry entries mean.

use super::agent::Scope;

/// Whether an entry counts as active. In a global registry everything is that is not
/// completed or terminated, entries without a status too: they were just deployed.
/// A task registry names the active states.
pub fn is_active(scope: Scope, status: Option<&str>) -> bool {
    match scope {
        Scope::Global => !matches!(status, Some("completed" | "terminated")),
        Scope::Task => matches!(status, Some("running" | "working" | "blocked" | "reviewing")),
        Scope::State => is_any(status.unwrap_or_default(), &STATE_ACTIVE),
    }
}

/// The active states of the database, in any case. The orchestrator reads none as working,
/// and the two that are on their way as running.
const STATE_ACTIVE: [&str; 7] =
    ["running", "working", "blocked", "reviewing", "", "pending", "starting"];
/// The states of the database after which nothing more comes, in any case.
const STATE_OVER: [&str; 6] =
    ["completed", "failed", "error", "terminated", "killed", "phase_completed"];

/// Whether a row of the database says that its agent is over. One whose status is neither
/// active nor over is of a version that is not known.
pub fn is_over(status: Option<&str>) -> bool {
    is_any(status.unwrap_or_default(), &STATE_OVER)
}

fn is_any(status: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_the_database() {
        for (status, active, over) in [
            (None, true, false),
            (Some(""), true, false),
            (Some("Running"), true, false),
            (Some("BLOCKED"), true, false),
            (Some("starting"), true, false),
            (Some("phase_completed"), false, true),
            (Some("Killed"), false, true),
            (Some("paused"), false, false),
            (Some(" running"), false, false),
        ] {
            assert_eq!(is_active(Scope::State, status), active, "{status:?}");
            assert_eq!(is_over(status), over, "{status:?}");
        }
    }
}
