//! What a process is to Claude.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a process is to Claude.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is Claude.
    Claude,
    /// It is an MCP server that a Claude started, or belongs to the chain of processes that
    /// one is, such as `npx` above it.
    Server,
    /// Anything else that was started by a Claude, or below one.
    Child,
}

impl Role {
    /// Every role, with its meaning, for manuals.
    pub const ALL: [(Role, &'static str, &'static str); 3] = [
        (Role::Claude, "claude", "it is Claude"),
        (
            Role::Server,
            "server",
            "an MCP server that a Claude started, or one of the chain of processes that one is",
        ),
        (
            Role::Child,
            "child",
            "anything else that a Claude started, or that is below such a process",
        ),
    ];

    /// The word used in records and on command lines.
    pub fn word(self) -> &'static str {
        Role::ALL[self as usize].1
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Role, String> {
        let role = Role::ALL.iter().find(|(_, known, _)| *known == word);
        role.map(|(role, ..)| *role).ok_or_else(|| format!("{word:?} is no role"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_is_written_and_read_as_its_word() {
        for (at, (role, word, _)) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role as usize, at);
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("{word:?}"));
            assert_eq!(word.parse(), Ok(role));
        }
        assert!("".parse::<Role>().is_err());
    }
}
