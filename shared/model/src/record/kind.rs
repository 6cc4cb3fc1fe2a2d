//! The kinds of findings: one table, in the order of the output.
//!
//! A new kind is a row here, a rule that reports it, and an item in agentdiff(1). Words,
//! actions and severities are taken from here wherever they are needed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::action_kind::ActionKind;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something is wrong.
    Bad,
    /// A person should check it; nothing is done about it.
    Notice,
}

/// What holds for every finding of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The kind.
    pub kind: Kind,
    /// The word used in records and on command lines.
    pub word: &'static str,
    /// The actions that a finding of this kind may have; none: it never has one.
    pub actions: &'static [ActionKind],
    /// How bad it is.
    pub severity: Severity,
    /// What a person calls one of them.
    pub one: &'static str,
    /// What a person calls several.
    pub many: &'static str,
    /// What it is, in one line, as agentdiff(1) begins its description.
    pub meaning: &'static str,
}

macro_rules! kinds {
    ($($kind:ident $word:literal [$($action:ident)*] $severity:ident $one:literal $many:literal
      $meaning:literal)*) => {
        /// What is wrong. The order is the order of the output.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub enum Kind {
            $(#[doc = $meaning] #[serde(rename = $word)] $kind,)*
        }

        impl Kind {
            /// Every kind, in the order of the output.
            pub const ALL: &[Facts] = &[$(Facts {
                kind: Kind::$kind,
                word: $word,
                actions: &[$(ActionKind::$action),*],
                severity: Severity::$severity,
                one: $one,
                many: $many,
                meaning: $meaning,
            }),*];
        }
    };
}

kinds! {
    LeakedProcess "leaked_process" [KillProcess] Bad "leaked Claude" "leaked Claudes"
        "A Claude process in no pane that nothing holds."
    UntrackedProcess "untracked_process" [] Notice "held Claude" "held Claudes"
        "A Claude process in no pane that something holds."
    LeakedServer "leaked_server" [KillProcess] Bad "leaked server" "leaked servers"
        "A process of an MCP server that a Claude started and to which nobody can talk any more."
    LeftoverProcess "leftover_process" [] Notice "leftover process" "leftover processes"
        "Any other process that a Claude left running when it ended."
    ZombieSession "zombie_session" [KillSession] Bad "zombie session" "zombie sessions"
        "An agent session without Claude and without attached clients, in which nothing works but leaked servers."
    BusySession "busy_session" [] Notice "busy session" "busy sessions"
        "An agent session without Claude in which something works, to which a client is attached, or of which a pane could not be seen."
    RecentSession "recent_session" [] Notice "session active until just now" "sessions active until just now"
        "An agent session without Claude in which nothing works, but which no entry names and which was active in the last ten minutes."
    GhostAgent "ghost_agent" [RemoveEntry TerminateEntry] Bad "ghost agent" "ghost agents"
        "An entry that has no session, or only zombie sessions."
    KeptAgent "kept_agent" [] Notice "kept entry" "kept entries"
        "An entry that would be a ghost, but that the keep file says to keep."
    OrphanSession "orphan_session" [] Notice "session that no entry names" "sessions that no entry names"
        "An agent session that no registry entry names."
    CountMismatch "count_mismatch" [SetCounters] Bad "registry with wrong counters" "registries with wrong counters"
        "A registry with a counter that differs from the number its entries add up to."
    DefunctProcess "defunct_process" [] Notice "dead Claude" "dead Claudes"
        "A Claude process that is dead and that its parent has not reaped."
    StatusMismatch "status_mismatch" [] Notice "agent with two statuses" "agents with two statuses"
        "An agent that has one status in a global registry and another in the registry of its task."
    MissingInGlobal "missing_in_global" [] Notice "agent missing in the global registry" "agents missing in the global registry"
        "An agent that is active in the registry of its task and missing in every global registry."
    StaleTask "stale_task" [] Notice "stale task" "stale tasks"
        "A registry of a task in which every agent has been over for a long time."
}

impl Kind {
    /// Its row in the table.
    pub fn facts(self) -> &'static Facts {
        &Kind::ALL[self as usize]
    }

    /// The word used in records and on command lines.
    pub fn word(self) -> &'static str {
        self.facts().word
    }

    /// Whether a finding of this kind may have this action.
    pub fn allows(self, action: ActionKind) -> bool {
        self.facts().actions.contains(&action)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_written_and_read_as_its_word() {
        for (number, facts) in Kind::ALL.iter().enumerate() {
            assert_eq!(facts.kind as usize, number);
            let json = serde_json::to_string(&facts.kind).unwrap();
            assert_eq!(json, format!("{:?}", facts.kind.word()));
            assert_eq!(serde_json::from_str::<Kind>(&json).unwrap(), facts.kind);
        }
    }

    #[test]
    fn what_has_an_action_is_bad() {
        for facts in Kind::ALL {
            let is_bad = facts.severity == Severity::Bad;
            assert_eq!(is_bad, !facts.actions.is_empty(), "{}", facts.word);
        }
    }
}
