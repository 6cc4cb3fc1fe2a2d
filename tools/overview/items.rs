//! One thing of the plan: what it is, and why it is there.

use cli::{TableStyle, bytes, cut, duration, escaped, wrapped};
use itertools::Itertools;
use model::record::How;
use serde_json::Value;

use super::section::Item;

/// How the second and further lines of an item are indented.
const INDENT: &str = "    ";
/// What a section indents its items by.
const OF_SECTION: usize = 2;

/// How much an item says.
#[derive(Clone, Copy, Debug)]
pub struct Detail<'s> {
    /// How wide it may be, and to which instant ages count.
    pub style: &'s TableStyle,
    /// It says as much as fits a line or two; entries are grouped. Else everything, each entry
    /// by itself.
    pub is_brief: bool,
}

impl Detail<'_> {
    fn width(&self) -> Option<usize> {
        self.style.width.map(|width| width.saturating_sub(OF_SECTION))
    }

    /// A first line, and a sentence below it.
    fn with_reason(&self, first: String, reason: &str, hint: &str) -> Item {
        let width = self.width().map(|width| width.saturating_sub(INDENT.len()));
        let below: Vec<String> = match (width, self.is_brief) {
            (Some(width), true) => {
                vec![cut(reason, width.saturating_sub(hint.len())) + hint]
            }
            (Some(width), false) => wrapped(&format!("{reason}{hint}"), width),
            (None, _) => vec![format!("{reason}{hint}")],
        };
        Item::new(
            [first].into_iter().chain(below.into_iter().map(|line| format!("{INDENT}{line}"))),
        )
    }

    /// A thing and a sentence about it, in one line if that is enough.
    fn beside(&self, thing: &str, reason: &str) -> Item {
        let line = format!("{thing}: {reason}");
        match self.width() {
            Some(width) if line.chars().count() > width => {
                self.with_reason(thing.to_owned(), reason, "")
            }
            _ => Item::new([line]),
        }
    }

    fn age(&self, time: &Value) -> Option<String> {
        let time = time.as_str()?.parse().ok()?;
        Some(duration(self.style.now?.duration_since(time).as_secs_f64().max(0.0)))
    }
}

/// What is left alone.
pub fn held(findings: &[&Value], detail: Detail<'_>) -> Vec<Item> {
    let item = |finding: &&Value| match (&finding["process"], &finding["session"]) {
        (Value::Object(_), _) => process(finding, &option(finding), detail),
        (_, Value::Object(_)) => session(finding, detail),
        _ => detail.beside(&text(&finding["target"]), &text(&finding["reason"])),
    };
    findings.iter().map(item).collect()
}

/// Sessions about which nothing was found.
pub fn kept(sessions: &[Value], detail: Detail<'_>) -> Vec<Item> {
    let item = |session: &Value| {
        let name = text(&session["name"]);
        let agent = session["agent"].as_str().map(escaped).filter(|agent| !name.ends_with(agent));
        let age = detail.age(&session["created"]).map(|age| format!("{age} old"));
        let facts = age.into_iter().chain(agent.map(|agent| format!("agent {agent}"))).join(", ");
        Item::new([if facts.is_empty() { name } else { format!("{name} ({facts})") }])
    };
    sessions.iter().map(item).collect()
}

/// A process: its pid, age, memory and command, then where it runs and why it is there.
pub fn process(finding: &Value, hint: &str, detail: Detail<'_>) -> Item {
    let process = &finding["process"];
    let memory = process["rss_bytes"].as_u64().filter(|memory| *memory > 0).map(bytes);
    let facts = detail.age(&process["started"]).into_iter().chain(memory).join(", ");
    let args = process["args"].as_array().map(Vec::as_slice).unwrap_or_default();
    let command = args.iter().filter_map(Value::as_str).map(escaped).join(" ");
    let command = if command.is_empty() { text(&process["name"]) } else { command };
    let first = format!("{} ({facts}): {command}", text(&finding["target"]));
    let reason = text(&finding["reason"]);
    // The reason may say the command and the place, too.
    let reason = reason.strip_prefix(&format!("{command}: ")).unwrap_or(&reason);
    let place = process["cwd"].as_str().map(escaped).filter(|cwd| !reason.contains(cwd));
    let place = place.map(|cwd| format!("in {cwd}: ")).unwrap_or_default();
    detail.with_reason(first, &(place + reason), hint)
}

/// Which option would end a process although it is held, in brackets.
fn option(finding: &Value) -> String {
    let process = &finding["process"];
    let list = |field: &str| process[field].as_array().map(Vec::as_slice).unwrap_or_default();
    let holders = list("holders").iter().map(|holder| &holder["how"]);
    let holders: Vec<How> = holders.filter_map(|how| how.as_str()?.parse().ok()).unique().collect();
    let is_lifted = |how: &How| how.row().is_liftable;
    if finding["kind"] != "untracked_process"
        || holders.is_empty()
        || !holders.iter().all(is_lifted)
        || !list("unread").is_empty()
        || !process["tmux"].is_null()
    {
        return String::new();
    }
    match process["examined"] == true && !holders.contains(&How::Parent) {
        true => format!(" (--despite {})", holders.iter().join(",")),
        false => " (--outside-tmux)".to_owned(),
    }
}

/// A session, how long it has been idle, and why it is there.
pub fn session(finding: &Value, detail: Detail<'_>) -> Item {
    let idle = detail.age(&finding["session"]["activity"]).map(|age| format!(" (idle {age})"));
    let thing = text(&finding["target"]) + &idle.unwrap_or_default();
    detail.beside(&thing, &text(&finding["reason"]))
}

/// A registry, and which of its counters are wrong.
pub fn registry(finding: &Value, detail: Detail<'_>) -> Item {
    let path = text(&finding["target"]);
    let path = path.strip_prefix("registry ").unwrap_or(&path);
    let first = match detail.width() {
        Some(width) if detail.is_brief => ending(path, width),
        _ => path.to_owned(),
    };
    detail.with_reason(first, &text(&finding["reason"]), "")
}

/// Entries, by registry and task where not each of them has a line of its own.
pub fn grouped(findings: &[&Value], detail: Detail<'_>) -> Vec<Item> {
    if !detail.is_brief || findings.iter().any(|finding| finding["agent"].is_null()) {
        let item =
            |finding: &&Value| detail.beside(&text(&finding["target"]), &text(&finding["reason"]));
        return findings.iter().map(item).collect();
    }
    let registries = findings.iter().map(|finding| &finding["agent"]["registry"]).unique().count();
    let place = |finding: &&&Value| {
        let agent = &finding["agent"];
        let task = agent["task_id"].as_str().map(|task| format!("task {}", escaped(task)));
        let task = task.unwrap_or_else(|| "no task".to_owned());
        match agent["registry"].as_str() {
            Some(registry) if registries > 1 => format!("{task} in {}", escaped(registry)),
            _ => task,
        }
    };
    let groups = findings.iter().into_group_map_by(place);
    let in_order = findings.iter().map(|finding| place(&finding)).unique();
    let largest_first = in_order.sorted_by_key(|place| std::cmp::Reverse(groups[place].len()));
    largest_first
        .map(|place| {
            let group = &groups[&place];
            // More than any line has room for.
            let ids =
                group.iter().take(100).map(|finding| text(&finding["agent"]["id"])).join(", ");
            Item { lines: vec![format!("{} of {place}: {ids}", group.len())], count: group.len() }
        })
        .collect()
}

/// A path, or its end, as much as there is room for.
fn ending(path: &str, width: usize) -> String {
    let length = path.chars().count();
    match length > width {
        false => path.to_owned(),
        true => "…".chars().chain(path.chars().skip(length + 1 - width)).collect(),
    }
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}
