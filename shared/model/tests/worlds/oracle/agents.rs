//! Entries, and the servers that may have their sessions.

use serde_json::Value;

use super::{Row, World, array, belongs, time, wanted};

impl World<'_> {
    pub fn judge_agents(&self, rows: &mut Vec<Row>) {
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
            || self.claudes().iter().any(|(process, _)| lives(process) && is_below(process))
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
