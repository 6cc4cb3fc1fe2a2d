//! What the statuses of registry entries mean.

use super::agent::Scope;

/// Whether an entry counts as active. In a global registry everything is that is not
/// completed or terminated, entries without a status too: they were just deployed.
/// A task registry names the active states.
pub fn is_active(scope: Scope, status: Option<&str>) -> bool {
    match scope {
        Scope::Global => !matches!(status, Some("completed" | "terminated")),
        Scope::Task => matches!(status, Some("running" | "working" | "blocked" | "reviewing")),
    }
}
