//! The five programs: each is a module with a `main`, and a `main.rs` that calls it.

pub mod agentdiff;
pub mod agentprune;
pub mod lsagents;
pub mod lsclaude;
pub mod lssessions;
