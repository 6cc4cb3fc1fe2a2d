//! What is known of an MCP server and of the processes that belong to it.

use serde::{Deserialize, Serialize};

use super::holder::{Holder, How};
use super::present::present;

/// A chain of processes that is one server, as `npm exec`, `sh` and `node`, and the tree below
/// its top. Each process of the chain has the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// The highest process of the chain, whose parent is gone.
    pub top: i32,
    /// The processes of the chain.
    pub chain: Vec<i32>,
    /// Whether nobody outside the tree has the other ends of the standard input and output of
    /// any process of the chain; `null` where that could not be found out.
    #[serde(deserialize_with = "present")]
    pub abandoned: Option<bool>,
    /// The processes of the tree that listen on a socket, wait for datagrams on one that has an
    /// address, or have a TCP connection that somebody has made to them; `null` where that could
    /// not be found out.
    #[serde(deserialize_with = "present")]
    pub listening: Option<Vec<i32>>,
    /// The processes of the tree that are Claude.
    pub claude: Vec<i32>,
    /// The processes of the tree that are tmux servers.
    pub tmux: Vec<i32>,
    /// What holds the processes of the tree that are not of the chain; `of` says which.
    pub below: Vec<Holder>,
    /// Ways of which it could not be found out whether they hold one of these.
    pub below_unread: Vec<How>,
}
