//! Registries against the entries they count, and against each other.

use foldhash::{HashMap, HashSet};
use itertools::Itertools;

use super::context::{FindingBuilder, RuleContext};
use super::count::{by_reason, counted};
use crate::record::{Agent, Kind, Of, Registry, Scope, Subject, is_active};
use crate::stream::Sourced;

/// The counters of a registry that are there and wrong, as a sentence; None if all are right. A
/// missing counter is not wrong.
pub fn miscounted(registry: &Registry) -> Option<String> {
    let wrong = registry
        .counters
        .iter()
        .filter_map(|(name, counter)| Some((name, counter.stored?, counter.computed)))
        .filter(|(_, stored, computed)| stored != computed)
        .map(|(name, stored, computed)| {
            format!("{name} is {stored}, its entries add up to {computed}")
        })
        .join("; ");
    (!wrong.is_empty()).then_some(wrong)
}

pub(super) fn judge(context: &mut RuleContext<'_, '_>) {
    count_mismatch(context);
    status_mismatch(context);
    missing_in_global(context);
    stale_task(context);
}

fn count_mismatch(context: &mut RuleContext<'_, '_>) {
    let state = context.state;
    let mut gaps = Vec::new();
    for (registry, end) in state.registries.iter().sorted_by_key(|(r, _)| &r.record.path) {
        let Some(reason) = miscounted(&registry.record) else { continue };
        let filtered = || end.filtered.then(|| "the scan of agents was filtered".to_owned());
        if let Some(gap) = state.owner_gap(registry.record.file.owner_uid).or_else(filtered) {
            gaps.push(gap);
            continue;
        }
        let target = format!("registry {}", registry.record.path);
        let builder = FindingBuilder::new(Kind::CountMismatch, target, reason);
        context.report(FindingBuilder { registry: Some(registry.raw()), ..builder });
    }
    for (gap, count) in by_reason(gaps) {
        let what = format!("counters of {}", counted(count, "registry", "registries"));
        context.withhold(Subject::Registries, count, &what, &gap);
    }
}

/// The entries of this user's task registries, in the order of the output.
fn task_entries<'c, 'a>(context: &RuleContext<'c, 'a>) -> Vec<&'c Sourced<'a, Agent<'a>>> {
    let files = context.files();
    let is_own = |agent: &Agent<'_>| {
        files.get(&*agent.registry).is_none_or(|file| file.owner_uid == context.state.uid)
    };
    let agents = context.state.agents.iter().map(|(agent, _)| *agent);
    agents
        .filter(|agent| agent.record.scope == Scope::Task && !agent.record.id.is_empty())
        .filter(|agent| is_own(&agent.record))
        .sorted_by_key(|agent| (&*agent.record.registry, &*agent.record.id))
        .collect()
}

/// What the global registries have under the ids of these entries.
fn in_global<'c, 'a>(
    context: &RuleContext<'c, 'a>,
    tasks: &[&'c Sourced<'a, Agent<'a>>],
) -> HashMap<&'c str, Vec<&'c Agent<'a>>> {
    let mut by_id: HashMap<&str, Vec<_>> =
        tasks.iter().map(|task| (&*task.record.id, Vec::new())).collect();
    for (agent, _) in &context.state.agents {
        if agent.record.scope == Scope::Global
            && let Some(entries) = by_id.get_mut(&*agent.record.id)
        {
            entries.push(&agent.record);
        }
    }
    by_id
}

/// An entry without a status says nothing, but in a global registry it counts as active.
fn status_mismatch(context: &mut RuleContext<'_, '_>) {
    let tasks = task_entries(context);
    let global = in_global(context, &tasks);
    for task in tasks {
        let in_task = task.record.status.as_deref();
        let disagrees = |in_global: Option<&str>| match (in_global, in_task) {
            (Some(global), Some(task)) => global != task,
            (None, Some("completed" | "terminated")) => true,
            _ => false,
        };
        let in_global = global.get(&*task.record.id).into_iter().flatten();
        let in_global = in_global
            .sorted_by_key(|agent| &*agent.registry)
            .map(|agent| agent.status.as_deref())
            .find(|status| disagrees(*status));
        if let Some(in_global) = in_global {
            let reason = format!(
                "the global registry says {}, the registry of its task says {}",
                in_global.unwrap_or("nothing"),
                in_task.unwrap_or("nothing")
            );
            let target = format!("agent {}", task.record.id);
            let builder = FindingBuilder::new(Kind::StatusMismatch, target, reason);
            context.report(FindingBuilder { agent: Some(task.raw()), ..builder });
        }
    }
}

fn missing_in_global(context: &mut RuleContext<'_, '_>) {
    let tasks = task_entries(context);
    let global = in_global(context, &tasks);
    let has_global =
        context.state.registries.iter().any(|(registry, _)| registry.record.scope == Scope::Global);
    let missing: Vec<_> = tasks
        .into_iter()
        .filter(|task| is_active(Scope::Task, task.record.status.as_deref()))
        .filter(|task| global[&*task.record.id].is_empty())
        .collect();
    if !has_global || missing.is_empty() {
        return;
    }
    if let Some(gap) = context.state.gap(Of::Agents) {
        let what = counted(missing.len(), "agent", "agents");
        context.note(&format!("{what} that no global registry has"), &gap);
        return;
    }
    for task in missing {
        let reason =
            "active in the registry of its task, missing in every global registry".to_owned();
        let target = format!("agent {}", task.record.id);
        let builder = FindingBuilder::new(Kind::MissingInGlobal, target, reason);
        context.report(FindingBuilder { agent: Some(task.raw()), ..builder });
    }
}

/// The statuses of agents that are over. An entry with another status, or without one, may
/// be at work.
const ENDED: [&str; 5] = ["completed", "terminated", "failed", "error", "cancelled"];

/// Task registries in which every agent is over, none has a session, and nothing has changed
/// for the time given.
fn stale_task(context: &mut RuleContext<'_, '_>) {
    let Some(stale_after) = context.options.stale_after else { return };
    let state = context.state;
    let with_session: HashSet<&str> = context
        .agents()
        // A session with an unknown name may exist.
        .filter(|(_, _, sessions)| !sessions.as_ref().is_ok_and(Vec::is_empty))
        .map(|(agent, ..)| &*agent.record.registry)
        .collect();
    let tasks =
        task_entries(context).into_iter().into_group_map_by(|agent| &*agent.record.registry);
    for (registry, end) in state.registries.iter().sorted_by_key(|(r, _)| &r.record.path) {
        let path = registry.record.path.as_str();
        let Some(agents) = tasks.get(path).filter(|_| !with_session.contains(path)) else {
            continue;
        };
        let is_over = |a: &&Sourced<'_, Agent<'_>>| {
            a.record.status.as_deref().is_some_and(|status| ENDED.contains(&status))
        };
        // An entry without a time may be the newest.
        let newest = agents.iter().map(|a| a.record.updated).collect::<Option<Vec<_>>>();
        let Some(newest) = newest.and_then(|times| times.into_iter().max()) else { continue };
        let age = end.taken_at.duration_since(newest);
        if !agents.iter().all(is_over) || age <= stale_after {
            continue;
        }
        let filtered = end.filtered.then(|| "the scan of agents was filtered".to_owned());
        if let Some(gap) = filtered.or_else(|| state.session_gap(None)) {
            context.note(&format!("task registry {path}"), &gap);
            continue;
        }
        let days = age.as_hours() / 24;
        let reason = format!(
            "{} over, no session, nothing newer than {newest} ({})",
            counted(agents.len(), "agent", "agents"),
            counted(days as usize, "day", "days")
        );
        let builder = FindingBuilder::new(Kind::StaleTask, format!("registry {path}"), reason);
        context.report(FindingBuilder { registry: Some(registry.raw()), ..builder });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::rules::{Options, judge, machine_states};
    use crate::stream::read;

    const TASK: &str = "/w/TASK-1/AGENT_REGISTRY.json";

    /// What is found in a world of global and task entries without sessions.
    fn found(entries: &[(&str, &str, Option<&str>)], stale_after: Option<i64>) -> Vec<String> {
        let registry = |scope: &str| if scope == "task" { TASK } else { "/w/GLOBAL.json" };
        let mut lines: Vec<_> = entries
            .iter()
            .map(|(scope, id, status)| {
                json!({"type": "agent", "scan": "A", "id": id, "status": status,
                    "tmux_session": null, "scope": scope, "registry": registry(scope),
                    "updated": "2025-10-01T00:00:00Z"})
            })
            .collect();
        for scope in ["global", "task"] {
            lines.push(json!({"type": "registry", "scan": "A", "path": registry(scope),
                "scope": scope, "agents": 1, "counters": {}, "owner_uid": 1, "gid": 1,
                "mode": 0o600, "device": null, "device_path": null}));
        }
        let end = |scan: &str, of: &str, count: usize| {
            json!({"type": "end", "scan": scan, "of": of, "complete": true, "filtered": false,
                "count": count, "host": "h", "boot_id": "b", "pid_ns": "n",
                "taken_at": "2025-10-09T00:00:00Z", "uid": 1, "server_pids": [9], "unasked": []})
        };
        lines.push(end("A", "agents", entries.len() + 2));
        lines.push(end("S", "sessions", 0));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let scans = read(&text).unwrap();
        let hours = |days: i64| jiff::SignedDuration::from_hours(24 * days);
        let options = Options { stale_after: stale_after.map(hours), ..Options::default() };
        let mut found = Vec::new();
        for state in machine_states(&scans).unwrap() {
            judge(&state, &options, &mut |f| found.push(format!("{} {}", f.kind, f.target)));
        }
        found.retain(|found| !found.starts_with("ghost"));
        found
    }

    #[test]
    fn registries_that_disagree() {
        for (global, task, disagree) in [
            (Some("working"), Some("working"), false),
            (Some("working"), Some("completed"), true),
            (None, Some("running"), false),
            (None, Some("completed"), true),
            (Some("working"), None, false),
        ] {
            let found = found(&[("global", "a", global), ("task", "a", task)], None);
            assert_eq!(found == ["status_mismatch agent a"], disagree, "{global:?} {task:?}");
        }
    }

    #[test]
    fn active_in_a_task_and_in_no_global_registry() {
        let entries = [("task", "a", Some("running")), ("task", "b", Some("completed"))];
        assert_eq!(found(&entries, None), ["missing_in_global agent a"]);
    }

    #[test]
    fn tasks_over_for_long() {
        let over = [("task", "a", Some("completed")), ("task", "b", Some("terminated"))];
        assert_eq!(found(&over, Some(7)), [format!("stale_task registry {TASK}")]);
        assert!(found(&over, Some(9)).is_empty());
        assert!(found(&over, None).is_empty());
        let open = [over[0], ("task", "b", Some("working"))];
        assert_eq!(found(&open, Some(7)), ["missing_in_global agent b"]);
        assert!(found(&[over[0], ("task", "b", None)], Some(7)).is_empty());
        assert!(found(&[over[0], ("task", "b", Some("paused"))], Some(7)).is_empty());
    }
}
