//! What a Claude has left behind.

use serde_json::{Value, json};

use super::{Row, World, array};

/// What holds a server; anything else that it has does not.
const HOLDS: [&str; 7] = ["self", "namespace", "parent", "peer", "service", "tracer", "watcher"];

impl World<'_> {
    fn left(&self) -> Vec<(&Value, &Value)> {
        let mut all = self.processes();
        all.retain(|(process, _)| process["role"] != "claude");
        all
    }

    /// Nobody can talk to it, and nothing holds it or what is below it.
    fn is_loose_server(&self, process: &Value) -> bool {
        let server = &process["server"];
        if process["uid"] != *self.uid || is_dead(process) || server["abandoned"] != true {
            return false;
        }
        for field in ["listening", "claude", "tmux", "below", "below_unread"] {
            if server[field] != json!([]) {
                return false;
            }
        }
        let holds = |how: &Value| HOLDS.contains(&how.as_str().unwrap());
        let is_below = array(&process["ancestors"]).contains(&server["top"]);
        !array(&process["holders"]).iter().any(|holder| holds(&holder["how"]))
            && !array(&process["unread"]).iter().any(holds)
            && process["examined"] == true
            && process["self"] == false
            && array(&server["chain"]).contains(&process["pid"])
            && (server["top"] == process["pid"] || is_below)
    }

    /// Whether a process with this pid and start is a finding as a leaked server.
    pub fn is_leaked(&self, pid: &Value, start: &Value) -> bool {
        self.left().iter().any(|(process, end)| {
            process["pid"] == *pid
                && process["start_time"] == *start
                && process["role"] == "server"
                && self.is_loose_server(process)
                && !self.young(&process["started"], end, "processes")
        })
    }

    /// Whether the Claude that started it is surely dead.
    fn is_over(&self, process: &Value) -> bool {
        let file = &process["session_file"];
        if !file.is_null() {
            return file["live"] == false;
        }
        let environment = &process["claude"];
        if environment.is_null() || !self.whole("processes") {
            return false;
        }
        for (claude, _) in self.claudes() {
            if claude["uid"] != process["uid"] || is_dead(claude) {
                continue;
            }
            let other_session = claude["session_file"]["id"].is_string()
                && environment["session"].is_string()
                && claude["session_file"]["id"] != environment["session"];
            let is_it = if environment["pid"].is_null() {
                !other_session
            } else {
                claude["pid"] == environment["pid"]
            };
            if is_it {
                return false;
            }
        }
        true
    }

    pub fn judge_left(&self, rows: &mut Vec<Row>) {
        for (process, end) in self.left() {
            let target = format!("process {}", process["pid"]);
            let mut push = |kind: &str, action: &str| {
                let apart = process["start_time"].to_string();
                rows.push([kind.to_owned(), action.to_owned(), target.clone(), apart]);
            };
            if process["uid"] != *self.uid || is_dead(process) {
                continue;
            }
            if process["role"] == "child" {
                if process["orphaned"] == true && process["self"] == false && self.is_over(process)
                {
                    push("leftover_process", "-");
                }
            } else if self.is_loose_server(process) {
                if !self.young(&process["started"], end, "processes") {
                    push("leaked_server", "kill_process");
                }
            } else if process["pid"] == process["server"]["top"]
                && (process["server"]["abandoned"] == true || self.is_over(process))
            {
                push("leftover_process", "-");
            }
        }
    }
}

fn is_dead(process: &Value) -> bool {
    process["state"] == "Z" || process["state"] == "X"
}
