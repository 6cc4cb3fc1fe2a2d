//! The record that closes a scan, and what it says of how the scan was taken.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::proc_source::ProcSource;
use super::unasked::UnaskedServer;

/// What a scan lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// `lsagents`
    Agents,
    /// `lssessions`
    Sessions,
    /// `lsclaude`
    Processes,
    /// `agentdiff`
    Findings,
}

/// What a conclusion is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Entries of registries.
    Agents,
    /// Claude processes.
    Processes,
    /// The counters of registries.
    Registries,
    /// Agent sessions.
    Sessions,
}

/// Which tmux servers a scan asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Servers {
    /// Every server of the run's user.
    All,
    /// Those named with `-S` or `-L`.
    Named,
}

/// Which names counted as Claude.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// `"default"`: the rule of [`crate::claude`].
    Rule(DefaultRule),
    /// `["x"]`: these names instead of the rule.
    Only(Vec<String>),
    /// `{"also":["x"]}`: these names besides the rule.
    Also {
        /// The names.
        also: Vec<String>,
    },
}

/// The word `default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultRule {
    /// `"default"`
    Default,
}

/// The machine a scan was taken on. Process and session ids mean something only there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub host: String,
    /// Identity of this boot of the kernel.
    pub boot_id: String,
    /// Identity of the pid namespace.
    pub pid_ns: String,
}

/// The record that closes a scan. Without it, the scan may have been cut off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The scan it closes.
    pub scan: String,
    /// What was listed.
    pub of: Of,
    /// False when something that should have been listed could not be.
    pub complete: bool,
    /// True when `-Q` left records out.
    pub filtered: bool,
    /// Number of records of this scan, this one not counted.
    pub count: u64,
    /// Why it is not complete, or what was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Host name.
    pub host: String,
    /// Identity of this boot of the kernel.
    pub boot_id: String,
    /// Identity of the pid namespace.
    pub pid_ns: String,
    /// The instant the scan began.
    pub taken_at: Timestamp,
    /// The uid of the user for whom the scan was taken. Sessions: whose servers were asked.
    pub uid: u32,
    /// Sessions: which servers were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<Servers>,
    /// Sessions: the sockets of the servers asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<Vec<String>>,
    /// Sessions: the servers that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_pids: Option<Vec<i32>>,
    /// Sessions: living servers of other users and other pid namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unasked: Option<Vec<UnaskedServer>>,
    /// Sessions: whether there may be more such servers, because processes of other users are
    /// hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hides_others: Option<bool>,
    /// Sessions and processes: where the process table was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proc_source: Option<ProcSource>,
    /// Processes: which names counted as Claude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
    /// Findings: how many of each kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<std::collections::BTreeMap<String, u64>>,
    /// Findings: about how many records of each subject nothing was concluded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<std::collections::BTreeMap<Subject, u64>>,
    /// Findings: how many of these are processes, sessions and entries too young to judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_young: Option<u64>,
}

impl End {
    /// The end of a scan of `of` for the user `uid` that began at `taken_at`, complete and
    /// empty.
    pub fn new(scan: String, of: Of, machine: &Machine, uid: u32, taken_at: Timestamp) -> End {
        let Machine { host, boot_id, pid_ns } = machine.clone();
        End {
            scan,
            of,
            complete: true,
            filtered: false,
            count: 0,
            error: None,
            host,
            boot_id,
            pid_ns,
            taken_at,
            uid,
            servers: None,
            sockets: None,
            server_pids: None,
            unasked: None,
            hides_others: None,
            proc_source: None,
            names: None,
            findings: None,
            unjudged: None,
            too_young: None,
        }
    }

    /// The machine the scan was taken on.
    pub fn machine(&self) -> Machine {
        Machine {
            host: self.host.clone(),
            boot_id: self.boot_id.clone(),
            pid_ns: self.pid_ns.clone(),
        }
    }
}
