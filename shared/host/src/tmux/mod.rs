//! tmux: which servers there are, what they say, and ending one of their sessions.

mod client;
mod directory;
mod peer;
mod running;
mod servers;
mod unasked;

pub use directory::socket_of_label;
pub use servers::{Choice, Scan, TMUX_LIMIT, kill, scan};
