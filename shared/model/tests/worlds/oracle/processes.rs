//! Processes.

use serde_json::Value;

use super::{Row, World, array};

impl World<'_> {
    fn held(&self, process: &Value) -> bool {
        let output_is_used = match process["stdout"].as_str() {
            Some("null" | "other") => false,
            Some("pipe") => !process["stdout_reader"].is_null(),
            _ => true,
        };
        let shown_to_ps = process["orphaned"] == false
            || !process["tty"].is_null()
            || !process["service"].is_null()
            || process["claude_children"] != 0;
        let unseen = match process["source"].as_str() {
            Some("ps") => !asks_for_headless_work(array(&process["args"])),
            _ => {
                process["namespace"] != "own"
                    || output_is_used
                    || self.started_in_a_pane(&process["tmux"])
            }
        };
        shown_to_ps || unseen
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

    pub fn judge_processes(&self, rows: &mut Vec<Row>) {
        for (process, end) in self.processes() {
            let target = format!("process {}", process["pid"]);
            let mut push = |kind: &str, action: &str| {
                let apart = process["start_time"].to_string();
                rows.push([kind.to_owned(), action.to_owned(), target.clone(), apart]);
            };
            let untouchable = process["self"] == true
                || process["daemon"] == true
                || self.of_another_server(&process["tmux"]);
            if process["uid"] != *self.uid {
            } else if process["state"] == "Z" || process["state"] == "X" {
                push("defunct_process", "-");
            } else if self.sessions().iter().any(|(session, _)| self.contains(session, process))
                || !self.whole("sessions")
            {
            } else if untouchable || self.held(process) && !self.options.outside_tmux {
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
