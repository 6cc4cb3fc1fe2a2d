//! The rules a second time: nested loops over JSON, written from what the manual
//! promises and without looking at how the program does it.

mod agents;
mod left;
mod processes;
mod registries;
mod sessions;

use jiff::Timestamp;
use model::rules::Options;
use serde_json::Value;

/// Kind, action, target, and what tells two findings of the same target apart.
pub type Row = [String; 4];

/// The findings of a stream of well-formed scans, sorted; None if it carries none at all.
pub fn findings(lines: &[String], options: &Options) -> Option<Vec<Row>> {
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ends: Vec<&Value> = lines.iter().filter(|line| line["type"] == "end").collect();
    if ends.iter().any(|end| end["of"] == "sessions" && end["complete"] == false) {
        return None;
    }
    let mut runs: Vec<[&Value; 2]> = Vec::new();
    for end in &ends {
        if !runs.contains(&[&end["host"], &end["uid"]]) {
            runs.push([&end["host"], &end["uid"]]);
        }
    }
    let mut rows = Vec::new();
    for [host, uid] in runs {
        let is_of_run = |end: &&Value| end["host"] == *host && end["uid"] == *uid;
        let ends = ends.iter().copied().filter(is_of_run).collect();
        let world = World { lines: &lines, ends, uid, options };
        world.judge_processes(&mut rows);
        world.judge_left(&mut rows);
        world.judge_sessions(&mut rows);
        world.judge_agents(&mut rows);
        world.judge_registries(&mut rows);
        world.compare_registries(&mut rows);
    }
    rows.sort();
    Some(rows)
}

/// A finding of the program in the same shape.
pub fn row(finding: &Value) -> Row {
    let apart = match finding["kind"].as_str().unwrap() {
        "ghost_agent" | "status_mismatch" | "missing_in_global" => {
            finding["agent"]["registry"].to_string()
        }
        "zombie_session" | "busy_session" | "recent_session" | "orphan_session" => {
            session_key(&finding["session"])
        }
        "count_mismatch" => String::new(),
        _ => finding["process"]["start_time"].to_string(),
    };
    let word = |field: &str| finding[field].as_str().unwrap_or("-").to_owned();
    [word("kind"), word("action"), word("target"), apart]
}

fn session_key(session: &Value) -> String {
    format!("{} {}", session["server_pid"], session["id"])
}

/// What was seen of one host for one user.
struct World<'w> {
    lines: &'w [Value],
    ends: Vec<&'w Value>,
    uid: &'w Value,
    options: &'w Options,
}

impl<'w> World<'w> {
    /// The records of a type, of several that share `identity` the one seen last.
    fn latest(&self, kind: &str, identity: &[&str]) -> Vec<(&'w Value, &'w Value)> {
        let mut all: Vec<(&Value, &Value)> = Vec::new();
        for line in self.lines.iter().filter(|line| line["type"] == kind) {
            for end in self.ends.iter().filter(|end| end["scan"] == line["scan"]) {
                all.push((line, end));
            }
        }
        let same = |a: &Value, b: &Value| identity.iter().all(|field| a[*field] == b[*field]);
        all.iter()
            .copied()
            .filter(|(line, end)| {
                !all.iter().any(|(other, later)| {
                    same(line, other) && time(&later["taken_at"]) > time(&end["taken_at"])
                })
            })
            .collect()
    }

    fn agents(&self) -> Vec<(&'w Value, &'w Value)> {
        self.latest("agent", &["registry", "id"])
    }

    fn sessions(&self) -> Vec<(&'w Value, &'w Value)> {
        self.latest("session", &["server_pid", "id"])
    }

    fn processes(&self) -> Vec<(&'w Value, &'w Value)> {
        self.latest("process", &["pid", "start_time"])
    }

    fn claudes(&self) -> Vec<(&'w Value, &'w Value)> {
        let mut all = self.processes();
        all.retain(|(process, _)| process["role"] == "claude");
        all
    }

    fn scans(&self, of: &str) -> Vec<&'w Value> {
        self.ends.iter().copied().filter(|end| end["of"] == of).collect()
    }

    fn whole(&self, of: &str) -> bool {
        let scans = self.scans(of);
        !scans.is_empty()
            && scans.iter().all(|end| end["complete"] == true && end["filtered"] == false)
    }

    /// By its own scan, or by one of the others that the judgement needs.
    fn young(&self, born: &Value, end: &Value, others: &str) -> bool {
        let mut ends = self.scans(others);
        ends.push(end);
        ends.iter().any(|end| time(&end["taken_at"]) - time(born) < self.options.min_age.as_secs())
    }

    fn contains(&self, session: &Value, process: &Value) -> bool {
        let on = |pane: &Value, process: &Value| {
            pane["dead"] == false && !process["tty"].is_null() && pane["tty"] == process["tty"]
        };
        array(&session["panes"]).iter().any(|pane| {
            pane["pid"] == process["pid"]
                || array(&process["ancestors"]).contains(&pane["pid"])
                || on(pane, process)
                || array(&process["above"]).iter().any(|above| on(pane, above))
        })
    }
}

/// Where a process was started, and all those above it that only wait for it.
fn origins(process: &Value) -> Vec<&Value> {
    let mut all = vec![&process["tmux"]];
    for above in array(&process["above"]) {
        all.push(&above["tmux"]);
    }
    all.retain(|origin| !origin.is_null());
    all
}

fn wanted(agent: &Value) -> String {
    let own = || format!("agent_{}", agent["id"].as_str().unwrap());
    agent["tmux_session"].as_str().map_or_else(own, str::to_owned)
}

fn belongs(agent: &Value, session: &Value) -> bool {
    let wanted = wanted(agent);
    let by_name = !wanted.contains('#')
        && [true, false].iter().any(|old| session["name"] == tmux_writes(&wanted, *old));
    by_name || session["agent"] == agent["id"]
}

/// The name that tmux gives a session; `old`: before 3.4.
fn tmux_writes(wanted: &str, old: bool) -> String {
    let mut name = String::new();
    let mut rest = wanted.chars().peekable();
    while let Some(letter) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        match letter {
            '.' | ':' => name.push('_'),
            '\\' => name.push_str(r"\\"),
            '$' if old && (next.is_ascii_alphabetic() || next == '_' || next == '{') => {
                name.push_str(r"\$");
            }
            letter => name.push(letter),
        }
    }
    name
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn time(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().as_second()
}
