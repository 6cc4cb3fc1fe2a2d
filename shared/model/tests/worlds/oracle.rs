//! The rules a second time: nested loops over JSON, written from what the manual
//! promises and without looking at how the program does it.

use jiff::Timestamp;
use model::rules::Options;
use serde_json::Value;

/// Kind, action, target, and what tells two findings of the same target apart.
pub type Row = [String; 4];

const INERT: [&str; 17] = [
    "sh",
    "bash",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "mksh",
    "fish",
    "sleep",
    "tee",
    "cat",
    "tail",
    "less",
    "more",
    "busybox",
    "toybox",
    "coreutils",
];

const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"];

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
        array(&session["panes"]).iter().any(|pane| {
            pane["pid"] == process["pid"]
                || array(&process["ancestors"]).contains(&pane["pid"])
                || pane["dead"] == false && pane["tty"] == process["tty"]
        })
    }

    /// Whether anything holds it that was not lifted.
    fn held(&self, process: &Value) -> bool {
        if process["source"] == "ps" {
            let shown = process["orphaned"] == false
                || !process["tty"].is_null()
                || !process["service"].is_null()
                || process["claude_children"] != 0;
            let holds = shown || !asks_for_headless_work(array(&process["args"]));
            return holds && !self.options.outside_tmux;
        }
        let lifted = |how: &str| {
            let firm = ["self", "pane", "server", "background", "namespace"].contains(&how);
            let named = self.options.despite.iter().any(|lifted| lifted.word() == how);
            !firm && (self.options.outside_tmux || named)
        };
        let mut holders = array(&process["holders"]).iter();
        holders.any(|holder| !lifted(holder["how"].as_str().unwrap()))
            || !array(&process["unread"]).is_empty()
            || process["examined"] == false && !self.options.outside_tmux
    }

    /// In a pane that lives.
    fn started_in_a_pane(&self, origin: &Value) -> bool {
        if origin["pane"].is_null() {
            return false;
        }
        for (session, _) in self.sessions() {
            for pane in array(&session["panes"]) {
                let server = session["server_pid"] == origin["server_pid"];
                if server && pane["id"] == origin["pane"] && pane["dead"] == false {
                    return true;
                }
            }
        }
        false
    }

    /// One that lives and was not asked.
    fn of_another_server(&self, origin: &Value) -> bool {
        let scans = self.scans("sessions");
        !origin.is_null()
            && !scans.iter().any(|end| array(&end["server_pids"]).contains(&origin["server_pid"]))
    }

    fn judge_processes(&self, rows: &mut Vec<Row>) {
        for (process, end) in self.processes() {
            let target = format!("process {}", process["pid"]);
            let mut push = |kind: &str, action: &str| {
                let apart = process["start_time"].to_string();
                rows.push([kind.to_owned(), action.to_owned(), target.clone(), apart]);
            };
            let untouchable = process["self"] == true
                || process["daemon"] == true && process["source"] == "ps"
                || self.started_in_a_pane(&process["tmux"])
                || self.of_another_server(&process["tmux"]);
            if process["uid"] != *self.uid {
            } else if process["state"] == "Z" || process["state"] == "X" {
                push("defunct_process", "-");
            } else if self.sessions().iter().any(|(session, _)| self.contains(session, process))
                || !self.whole("sessions")
            {
            } else if untouchable || self.held(process) {
                push("untracked_process", "-");
            } else if !self.young(&process["started"], end, "sessions") {
                push("leaked_process", "kill_process");
            }
        }
    }

    fn is_agent_session(&self, session: &Value) -> bool {
        session["name"].as_str().unwrap().starts_with(&self.options.prefix)
    }

    /// `zombie_session`, `busy_session`, `recent_session`, or nothing of the kind.
    fn without_claude(&self, session: &Value, end: &Value) -> Option<&'static str> {
        let claude = self.processes().iter().any(|(process, _)| {
            process["state"] != "Z"
                && process["state"] != "X"
                && (self.contains(session, process) || started_in(session, process))
        });
        let foreign = session["uid"] != *self.uid;
        if foreign || !self.is_agent_session(session) || claude || !self.whole("processes") {
            return None;
        }
        let inert = array(&session["panes"]).iter().all(|pane| {
            let names = array(&pane["running"]);
            let has_shell = names.iter().any(|name| SHELLS.contains(&name.as_str().unwrap()));
            let shells = array(&pane["shells"]);
            names.iter().all(|name| INERT.contains(&name.as_str().unwrap()))
                && shells.iter().all(is_inert)
                && (!has_shell || !shells.is_empty())
        });
        let unseen = array(&session["panes"])
            .iter()
            .any(|pane| pane["dead"] == false && array(&pane["running"]).is_empty());
        if session["attached"] != 0 || unseen || !inert && !self.options.busy {
            return Some("busy_session");
        }
        let mut scans = self.scans("processes");
        scans.push(end);
        let is_idle =
            scans.iter().all(|scan| time(&scan["taken_at"]) - time(&session["activity"]) >= 600);
        if !is_idle && !self.options.unregistered && !self.is_named(session) {
            return Some("recent_session");
        }
        (!self.young(&session["created"], end, "processes")).then_some("zombie_session")
    }

    /// By an entry of a registry of the same user.
    fn is_named(&self, session: &Value) -> bool {
        self.agents().iter().any(|(agent, _)| {
            belongs(agent, session)
                && self.latest("registry", &["path"]).iter().any(|(registry, _)| {
                    registry["path"] == agent["registry"] && registry["owner_uid"] == *self.uid
                })
        })
    }

    fn judge_sessions(&self, rows: &mut Vec<Row>) {
        for (session, end) in self.sessions() {
            let target = format!("session {}", session["name"].as_str().unwrap());
            let mut push = |kind: &str, action: &str| {
                let apart = session_key(session);
                rows.push([kind.to_owned(), action.to_owned(), target.clone(), apart]);
            };
            match self.without_claude(session, end) {
                Some("zombie_session") => push("zombie_session", "kill_session"),
                Some(kind) => push(kind, "-"),
                None => {}
            }
            let named = self.agents().iter().any(|(agent, _)| belongs(agent, session));
            let own = session["uid"] == *self.uid;
            if own && self.is_agent_session(session) && !named && self.whole("agents") {
                push("orphan_session", "-");
            }
        }
    }

    fn judge_agents(&self, rows: &mut Vec<Row>) {
        for (agent, end) in self.agents() {
            let task = agent["scope"] == "task";
            let active = ["running", "working", "blocked", "reviewing"];
            if task && !agent["status"].as_str().is_some_and(|status| active.contains(&status)) {
                continue;
            }
            let lives = self.sessions().iter().any(|(session, end)| {
                belongs(agent, session)
                    && self.without_claude(session, end) != Some("zombie_session")
            });
            let registries = self.latest("registry", &["path"]);
            let owner =
                registries.iter().find(|(registry, _)| registry["path"] == agent["registry"]);
            let known = owner.is_some_and(|(registry, _)| self.is_judged(registry))
                && self.whole("sessions")
                && self
                    .scans("sessions")
                    .iter()
                    .all(|scan| time(&scan["taken_at"]) >= time(&end["taken_at"]));
            let written = [&agent["started"], &agent["updated"]];
            let old = written.into_iter().filter(|time| !time.is_null()).all(|written| {
                time(&end["taken_at"]) - time(written) >= self.options.entry_age.as_secs()
            });
            if known && !lives && old && !wanted(agent).contains('#') {
                let action = if task { "terminate_entry" } else { "remove_entry" };
                rows.push([
                    "ghost_agent".to_owned(),
                    action.to_owned(),
                    format!("agent {}", agent["id"].as_str().unwrap()),
                    agent["registry"].to_string(),
                ]);
            }
        }
    }

    /// Whether the registry is the user's own and its sessions can be on no unasked server.
    fn is_judged(&self, registry: &Value) -> bool {
        if registry["owner_uid"] != *self.uid {
            return false;
        }
        for scan in self.scans("sessions") {
            if scan["hides_others"] == true && !self.options.ignore_unasked {
                return false;
            }
            for server in array(&scan["unasked"]) {
                let hosts = self.may_have_claude(&server["pid"])
                    && may_see(server, registry, false)
                    && (may_write(server, registry) || may_see(server, registry, true));
                if hosts && !self.options.ignore_unasked {
                    return false;
                }
            }
        }
        true
    }

    fn may_have_claude(&self, server: &Value) -> bool {
        let is_below = |process: &Value| {
            array(&process["ancestors"]).contains(server)
                || process["tmux"]["server_pid"] == *server
        };
        let lives = |process: &Value| process["state"] != "Z" && process["state"] != "X";
        !self.whole("processes")
            || self.processes().iter().any(|(process, _)| lives(process) && is_below(process))
    }

    fn judge_registries(&self, rows: &mut Vec<Row>) {
        for (registry, end) in self.latest("registry", &["path"]) {
            let wrong = registry["counters"].as_object().unwrap().values().any(|counter| {
                !counter["stored"].is_null() && counter["stored"] != counter["computed"]
            });
            if wrong && end["filtered"] == false && registry["owner_uid"] == *self.uid {
                let target = format!("registry {}", registry["path"].as_str().unwrap());
                rows.push([
                    "count_mismatch".to_owned(),
                    "set_counters".to_owned(),
                    target,
                    String::new(),
                ]);
            }
        }
    }
}

impl World<'_> {
    fn compare_registries(&self, rows: &mut Vec<Row>) {
        let has_global =
            self.latest("registry", &["path"]).iter().any(|(r, _)| r["scope"] == "global");
        for (task, _) in self.agents() {
            let foreign = self.latest("registry", &["path"]).iter().any(|(registry, _)| {
                registry["path"] == task["registry"] && registry["owner_uid"] != *self.uid
            });
            if task["scope"] != "task" || task["id"] == "" || foreign {
                continue;
            }
            let mut push = |kind: &str| {
                let target = format!("agent {}", task["id"].as_str().unwrap());
                rows.push([kind.to_owned(), "-".to_owned(), target, task["registry"].to_string()]);
            };
            let (mut known, mut disagree) = (false, false);
            for (global, _) in self.agents() {
                if global["scope"] == "global" && global["id"] == task["id"] {
                    known = true;
                    let over = task["status"] == "completed" || task["status"] == "terminated";
                    let silent = global["status"].is_null();
                    disagree |= silent && over
                        || !silent
                            && !task["status"].is_null()
                            && global["status"] != task["status"];
                }
            }
            if disagree {
                push("status_mismatch");
            }
            let active = ["running", "working", "blocked", "reviewing"];
            let is_active = task["status"].as_str().is_some_and(|status| active.contains(&status));
            if is_active && !known && has_global && self.whole("agents") {
                push("missing_in_global");
            }
        }
    }
}

/// `mapped`: surely, and as another user than it is.
fn may_see(server: &Value, registry: &Value, mapped: bool) -> bool {
    let Some(mounts) = server["mounts"].as_array() else { return !mapped };
    let Some(device) = registry["device"].as_str() else { return !mapped };
    let Some(path) = registry["device_path"].as_str() else { return !mapped };
    for mount in mounts {
        let root = mount["root"].as_str().unwrap();
        let is_inside = root == "/" || root == path || path.starts_with(&format!("{root}/"));
        let counts = !mapped || mount["idmapped"] == true;
        if mount["device"] == device && is_inside && counts {
            return true;
        }
    }
    false
}

fn may_write(server: &Value, registry: &Value) -> bool {
    let mode = registry["mode"].as_i64().unwrap();
    let (group_writes, all_write) = (mode / 0o20 % 2 == 1, mode / 0o2 % 2 == 1);
    if server["uid"].is_null() || server["uid"] == 0 || server["uid"] == registry["owner_uid"] {
        return true;
    }
    let groups = server["groups"].as_array();
    all_write || group_writes && groups.is_none_or(|groups| groups.contains(&registry["gid"]))
}

fn started_in(session: &Value, process: &Value) -> bool {
    let origin = &process["tmux"];
    origin["server_pid"] == session["server_pid"]
        && array(&session["panes"])
            .iter()
            .any(|pane| pane["dead"] == false && pane["id"] == origin["pane"])
}

fn is_inert(shell: &Value) -> bool {
    let copiers = ["tee", "cat", "tail", "less", "more", "busybox", "toybox", "coreutils"];
    let only_copies =
        array(&shell["children"]).iter().all(|child| copiers.contains(&child.as_str().unwrap()));
    match shell["state"].as_str() {
        Some("prompt") => only_copies,
        Some("waits") => true,
        _ => false,
    }
}

fn asks_for_headless_work(args: &[Value]) -> bool {
    for arg in args.iter().skip(1) {
        let arg = arg.as_str().unwrap();
        if arg == "--" {
            return false;
        }
        let with_value = ["--output-format=", "--input-format=", "--print=", "-p="];
        let alone = ["--output-format", "--input-format", "--print", "-p"];
        if alone.contains(&arg) || with_value.iter().any(|start| arg.starts_with(start)) {
            return true;
        }
    }
    false
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
