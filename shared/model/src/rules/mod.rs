//! The rules: what has drifted apart between registries, tmux and the process table.
//!
//! [`judge`] asks them about everything that was seen; `agentprune` asks the same
//! [`process_verdict`], [`server_verdict`], [`session_verdict`] and [`agent_verdict`] again about what it sees at
//! the moment of acting.

mod agent;
mod agent_sessions;
mod context;
mod count;
pub mod holding;
mod left_behind;
mod machine_state;
mod options;
mod panes;
pub mod parents;
mod process;
mod registry;
mod session;
mod summary;
mod table;
mod unasked;
mod young;

pub use agent::{AgentVerdict, Entry, EntryAge, agent_verdict};
pub use agent_sessions::{AgentSessions, NameLost, Sessions};
pub use left_behind::{ServerVerdict, server_verdict};
pub use machine_state::{MachineState, machine_states};
pub use options::Options;
pub use panes::{LeakedServers, Panes, with_claude};
pub use process::{ProcessVerdict, process_verdict};
pub use registry::miscounted;
pub use session::{SessionEvidence, SessionVerdict, is_agent_session, session_verdict};
pub use summary::Summary;
pub use table::judge;
pub use unasked::{HIDDEN, ServersWithClaude, possible_host, unasked_host};
