//! Registries, each and beside each other.

use super::{Row, World};

impl World<'_> {
    pub fn judge_registries(&self, rows: &mut Vec<Row>) {
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

    pub fn compare_registries(&self, rows: &mut Vec<Row>) {
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
