//! What holds a process: who alive could notice its end, and how that shows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::present::present;

/// One way in which a process is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It runs this command.
    #[serde(rename = "self")]
    Itself,
    /// A tmux pane.
    Pane,
    /// A tmux server that did not answer.
    Server,
    /// Claude's own background service.
    Background,
    /// Another pid namespace.
    Namespace,
    /// A living parent.
    Parent,
    /// Pid 1, or the init of a container, may have started it.
    InitCommand,
    /// A terminal.
    Terminal,
    /// Another device.
    Device,
    /// Somebody reads what it writes.
    Reader,
    /// Somebody writes what it reads.
    Writer,
    /// Somebody has the other end of a unix socket.
    Peer,
    /// What it writes is kept.
    Log,
    /// A service unit.
    Service,
    /// A container, a scope of `systemd-run --scope`, or another control group.
    Scope,
    /// A debugger.
    Tracer,
    /// Somebody waits for its end by pidfd.
    Watcher,
}

/// A row of [`HOWS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The way.
    pub how: How,
    /// The word for it in records and on command lines.
    pub word: &'static str,
    /// What it means, for manuals.
    pub meaning: &'static str,
    /// Whether an option can lift it.
    pub is_liftable: bool,
}

const fn row(how: How, word: &'static str, meaning: &'static str) -> Row {
    Row { how, word, meaning, is_liftable: true }
}

const fn firm(how: How, word: &'static str, meaning: &'static str) -> Row {
    Row { how, word, meaning, is_liftable: false }
}

/// All ways in which a process is held, in the order in which a reason names them.
pub const HOWS: [Row; 17] = [
    firm(How::Itself, "self", "it runs this command"),
    firm(How::Pane, "pane", "it is in a tmux pane or was started from one that lives"),
    firm(How::Server, "server", "its tmux server lives and did not answer"),
    firm(How::Background, "background", "Claude's own background service runs it"),
    firm(How::Namespace, "namespace", "it is in another pid namespace, or its parent is"),
    row(How::Parent, "parent", "a living parent that does more than wait for it"),
    row(How::InitCommand, "init_command", "pid 1 or the init of a container may have started it"),
    row(How::Terminal, "terminal", "a terminal that exists"),
    row(How::Device, "device", "its input or output is a device"),
    row(How::Reader, "reader", "a process reads its output"),
    row(How::Writer, "writer", "a process writes to its input"),
    row(How::Peer, "peer", "a process has the other end of its socket"),
    row(How::Log, "log", "its output goes to a file that somebody can read"),
    row(How::Service, "service", "a service unit"),
    row(How::Scope, "scope", "a container, a scope of systemd-run, or another control group"),
    row(How::Tracer, "tracer", "a process traces it"),
    row(How::Watcher, "watcher", "a process waits for its end by pidfd"),
];

impl How {
    /// Its row in [`HOWS`].
    pub fn row(self) -> &'static Row {
        &HOWS[self as usize]
    }

    /// The word for it in records and on command lines.
    pub fn word(self) -> &'static str {
        self.row().word
    }
}

impl fmt::Display for How {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl FromStr for How {
    type Err = String;

    /// Reads a word of [`HOWS`].
    fn from_str(word: &str) -> Result<How, String> {
        let row = HOWS.iter().find(|row| row.word == word);
        row.map(|row| row.how).ok_or_else(|| format!("{word:?} is no way to be held"))
    }
}

/// What holds a process, in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// In which way.
    pub how: How,
    /// The process that holds it, if it is one.
    #[serde(deserialize_with = "present")]
    pub pid: Option<i32>,
    /// The kernel's short name of that process.
    #[serde(deserialize_with = "present")]
    pub name: Option<String>,
    /// The command line of that process; of a terminal, device or log the path; of a service or
    /// scope the unit.
    #[serde(deserialize_with = "present")]
    pub what: Option<String>,
    /// The process up its line that is held in its place, such as the `timeout` that waits for
    /// it; `null` where it is held itself.
    #[serde(deserialize_with = "present")]
    pub of: Option<i32>,
}

impl Holder {
    /// A holder that is no process.
    pub fn thing(how: How, what: impl Into<String>) -> Holder {
        Holder { how, pid: None, name: None, what: Some(what.into()), of: None }
    }

    /// A sentence that names the holder, as `process 812 (tee log) reads its output`.
    pub fn sentence(&self) -> String {
        let what = self.what.as_deref().unwrap_or_default();
        let process = || match (self.pid, self.name.as_deref()) {
            (Some(pid), _) if !what.is_empty() => format!("process {pid} ({what})"),
            (Some(pid), Some(name)) => format!("process {pid} ({name})"),
            (Some(pid), None) => format!("process {pid}"),
            (None, _) => "a process".to_owned(),
        };
        let sentence = match self.how {
            How::Itself => "it runs this command".to_owned(),
            How::Pane => what.to_owned(),
            How::Server => format!("it belongs to tmux server {what}, which was not asked"),
            How::Background if self.pid.is_none() => "Claude's own background service".to_owned(),
            How::Background => format!("Claude's own background service: {}", process()),
            How::Namespace if what.is_empty() => "another pid namespace (a container)".to_owned(),
            How::Namespace => what.to_owned(),
            How::Parent => {
                let (pid, name) = (self.pid.unwrap_or_default(), self.name.as_deref());
                let name = name.unwrap_or("(unknown)");
                match what {
                    "" => format!("parent {pid} {name}"),
                    what => format!("parent {pid} {name} ({what})"),
                }
            }
            How::InitCommand => format!("{} may have started it", process()),
            How::Terminal => format!("terminal {what}"),
            How::Device => format!("its input or output is the device {what}"),
            How::Reader => format!("{} reads its output", process()),
            How::Writer => format!("{} writes to its input", process()),
            How::Peer => format!("{} has the other end of its socket", process()),
            How::Log if self.pid.is_some() => {
                format!("{} has the file open that its output goes to", process())
            }
            How::Log => format!("its output goes to {what}"),
            How::Service => format!("service {what}"),
            How::Scope => format!("scope {what}"),
            How::Tracer => format!("{} traces it", process()),
            How::Watcher => format!("{} waits for its end", process()),
        };
        match self.of {
            Some(pid) => format!("{sentence} (that of process {pid}, which waits for it)"),
            None => sentence,
        }
    }
}

/// All that was found out about what holds a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// What holds it.
    pub holders: Vec<Holder>,
    /// Ways of which it could not be found out whether they hold it.
    pub unread: Vec<How>,
    /// Whether everything was asked. Of a process that a living parent holds, only what costs
    /// nothing is asked.
    pub examined: bool,
    /// Whether who takes in orphans has taken in the process itself.
    pub orphaned: bool,
    /// The processes above it that only wait for it, the nearest first.
    pub above: Vec<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_its_row_and_one_word() {
        for (at, row) in HOWS.iter().enumerate() {
            assert_eq!(row.how as usize, at, "{}", row.word);
            assert_eq!(serde_json::to_string(&row.how).unwrap(), format!("{:?}", row.word));
            assert_eq!(row.word.parse(), Ok(row.how));
        }
        assert!("".parse::<How>().is_err());
        assert!("unread".parse::<How>().is_err());
    }

    #[test]
    fn the_six_that_no_option_lifts_are_five_ways_and_unread() {
        let firm: Vec<&str> = HOWS.iter().filter(|row| !row.is_liftable).map(|r| r.word).collect();
        assert_eq!(firm, ["self", "pane", "server", "background", "namespace"]);
    }

    #[test]
    fn a_holder_is_named_as_a_person_would() {
        let process = |how, what: &str| Holder {
            pid: Some(812),
            name: Some("python3".to_owned()),
            what: (!what.is_empty()).then(|| what.to_owned()),
            ..Holder::thing(how, "")
        };
        for (holder, expected) in [
            (
                process(How::Writer, "python3 orchestrator.py"),
                "process 812 (python3 orchestrator.py) writes to its input",
            ),
            (process(How::Reader, ""), "process 812 (python3) reads its output"),
            (process(How::Parent, "python3 x"), "parent 812 python3 (python3 x)"),
            (Holder::thing(How::Log, "/x/y"), "its output goes to /x/y"),
            (Holder::thing(How::Service, "a.service"), "service a.service"),
            (
                Holder { of: Some(7), ..process(How::Tracer, "gdb") },
                "process 812 (gdb) traces it (that of process 7, which waits for it)",
            ),
        ] {
            assert_eq!(holder.sentence(), expected);
        }
    }

    #[test]
    fn a_record_from_which_a_field_was_cut_is_refused() {
        let whole = r#"{"how":"log","pid":null,"name":null,"what":"/x","of":null}"#;
        assert!(serde_json::from_str::<Holder>(whole).is_ok());
        for field in [r#""pid":null,"#, r#""name":null,"#, r#","of":null"#] {
            assert!(serde_json::from_str::<Holder>(&whole.replace(field, "")).is_err(), "{field}");
        }
    }
}
