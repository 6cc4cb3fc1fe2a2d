//! Where the process table is read.

use serde::{Deserialize, Serialize};

/// Where the process table was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcSource {
    /// `/proc`, which shows everything that a [`Process`](super::Process) has.
    Proc,
    /// `ps`, which shows no executable, environment, namespace or output.
    Ps,
}

impl ProcSource {
    /// The word used in records and on command lines.
    pub fn word(self) -> &'static str {
        match self {
            ProcSource::Proc => "proc",
            ProcSource::Ps => "ps",
        }
    }
}
