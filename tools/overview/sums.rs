//! What findings add up to.

use cli::bytes;
use itertools::Itertools;
use model::record::{ActionKind, Facts, Kind, Severity};
use serde_json::Value;

use super::section::thousands;

/// How many findings of each kind there are, and the memory of their processes; empty if there
/// are none.
pub fn counts(findings: &[Value]) -> String {
    let of = |severity: Severity| {
        let kinds = Kind::ALL.iter().filter(|facts| facts.severity == severity);
        kinds.filter_map(|facts| count(findings, facts)).join(", ")
    };
    let parts = [("To clean up: ", of(Severity::Bad)), ("Left alone: ", of(Severity::Notice))];
    let parts = parts.iter().filter(|(_, kinds)| !kinds.is_empty());
    parts.map(|(title, kinds)| format!("{title}{kinds}.")).join(" ")
}

fn count(findings: &[Value], facts: &Facts) -> Option<String> {
    let of_kind = || findings.iter().filter(|finding| finding["kind"] == facts.word);
    // Several processes are one server.
    let count = match facts.kind {
        Kind::LeakedServer => {
            of_kind().map(|finding| &finding["process"]["server"]["top"]).unique().count()
        }
        _ => of_kind().count(),
    };
    let memory = of_kind().filter_map(|finding| finding["process"]["rss_bytes"].as_u64()).sum();
    let memory = if memory > 0 { format!(" ({})", bytes(memory)) } else { String::new() };
    (count > 0).then(|| format!("{}{memory}", counted(count, facts.one, facts.many)))
}

/// The last line: what would be done, or that there is nothing to do. If these are not all
/// findings, or not everything was judged, it does not say that there is nothing to clean up.
pub fn conclusion(findings: &[Value], are_all: bool, is_whole: bool) -> String {
    let unread = if is_whole { "" } else { " Not everything could be judged." };
    let sum = sum(findings.iter().filter_map(|finding| finding["action"].as_str()));
    let conclusion = match (sum.is_empty(), findings.is_empty()) {
        (false, _) => format!("This would {sum}."),
        (true, true) => "No findings.".to_owned(),
        (true, false) if are_all && is_whole => "Nothing to clean up.".to_owned(),
        (true, false) => "No action among these.".to_owned(),
    };
    conclusion + unread
}

/// What these actions come to, as "end 5 processes and 1 session, remove 87 entries".
fn sum<'a>(actions: impl Iterator<Item = &'a str>) -> String {
    let counts = actions.counts();
    let count = |kind: ActionKind| counts.get(kind.word()).copied().unwrap_or_default();
    let part = |kind, one, many| {
        let count = count(kind);
        (count > 0).then(|| counted(count, one, many))
    };
    let ended = [
        part(ActionKind::KillProcess, "process", "processes"),
        part(ActionKind::KillSession, "session", "sessions"),
    ];
    let ended = ended.into_iter().flatten().join(" and ");
    let parts = [
        (!ended.is_empty()).then(|| format!("end {ended}")),
        part(ActionKind::RemoveEntry, "entry", "entries").map(|sum| format!("remove {sum}")),
        part(ActionKind::TerminateEntry, "entry", "entries")
            .map(|sum| format!("mark {sum} as over")),
        part(ActionKind::SetCounters, "registry", "registries")
            .map(|sum| format!("set the counters of {sum}")),
        part(ActionKind::RestoreEntry, "entry", "entries").map(|sum| format!("restore {sum}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => parts.concat(),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_done_in_one_sentence() {
        let word = |kind: ActionKind| kind.word();
        let [process, session, remove, terminate, counters] = [
            ActionKind::KillProcess,
            ActionKind::KillSession,
            ActionKind::RemoveEntry,
            ActionKind::TerminateEntry,
            ActionKind::SetCounters,
        ]
        .map(word);
        for (actions, expected) in [
            (vec![], ""),
            (vec![process], "end 1 process"),
            (vec![process, process, session], "end 2 processes and 1 session"),
            (vec![session, remove], "end 1 session and remove 1 entry"),
            (vec![terminate, terminate], "mark 2 entries as over"),
            (
                vec![process, session, remove, remove, counters],
                "end 1 process and 1 session, remove 2 entries and set the counters of 1 registry",
            ),
        ] {
            assert_eq!(sum(actions.into_iter()), expected);
        }
    }
}
