//! Processes.

use serde_json::Value;

use super::{Row, World, array, origins};

impl World<'_> {
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
        !scans.iter().any(|end| array(&end["server_pids"]).contains(&origin["server_pid"]))
    }

    pub fn judge_processes(&self, rows: &mut Vec<Row>) {
        for (process, end) in self.claudes() {
            let target = format!("process {}", process["pid"]);
            let mut push = |kind: &str, action: &str| {
                let apart = process["start_time"].to_string();
                rows.push([kind.to_owned(), action.to_owned(), target.clone(), apart]);
            };
            let untouchable = process["self"] == true
                || process["daemon"] == true && process["source"] == "ps"
                || origins(process)
                    .iter()
                    .any(|origin| self.started_in_a_pane(origin) || self.of_another_server(origin));
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
