//! Sessions.

use serde_json::Value;

use super::{Row, World, array, belongs, origins, session_key, time};

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

impl World<'_> {
    fn is_agent_session(&self, session: &Value) -> bool {
        session["name"].as_str().unwrap().starts_with(&self.options.prefix)
    }

    /// `zombie_session`, `busy_session`, `recent_session`, or nothing of the kind.
    pub fn without_claude(&self, session: &Value, end: &Value) -> Option<&'static str> {
        let claude = self.claudes().iter().any(|(process, _)| {
            process["state"] != "Z"
                && process["state"] != "X"
                && (self.contains(session, process) || started_in(session, process))
        });
        let foreign = session["uid"] != *self.uid;
        if foreign || !self.is_agent_session(session) || claude || !self.whole("processes") {
            return None;
        }
        let inert = array(&session["panes"]).iter().all(|pane| {
            let is_leaked = |pid: &Value, start: Option<&Value>| {
                array(&pane["adopted"]).iter().any(|adopted| {
                    adopted["pid"] == *pid
                        && start.is_none_or(|start| adopted["start_time"] == *start)
                        && self.is_leaked(&adopted["pid"], &adopted["start_time"])
                })
            };
            let mut names: Vec<&Value> = array(&pane["running"]).iter().collect();
            if array(&pane["adopted"]).iter().any(|it| is_leaked(&it["pid"], None)) {
                names = array(&pane["below"]).iter().collect();
                for adopted in array(&pane["adopted"]) {
                    if !is_leaked(&adopted["pid"], Some(&adopted["start_time"])) {
                        names.extend(array(&adopted["names"]));
                    }
                }
            }
            let has_shell = names.iter().any(|name| SHELLS.contains(&name.as_str().unwrap()));
            let shells: Vec<&Value> = array(&pane["shells"])
                .iter()
                .filter(|shell| !is_leaked(&shell["pid"], None))
                .collect();
            names.iter().all(|name| INERT.contains(&name.as_str().unwrap()))
                && shells.iter().all(|shell| is_inert(shell))
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

    pub fn judge_sessions(&self, rows: &mut Vec<Row>) {
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
}

fn started_in(session: &Value, process: &Value) -> bool {
    origins(process).iter().any(|origin| {
        origin["server_pid"] == session["server_pid"]
            && array(&session["panes"])
                .iter()
                .any(|pane| pane["dead"] == false && pane["id"] == origin["pane"])
    })
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
