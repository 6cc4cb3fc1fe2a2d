//! tmux: which servers there are, what they say, and ending one of their sessions.

mod client;
mod servers;

pub use servers::*;
