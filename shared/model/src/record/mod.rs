//! The records that the listers write, one JSON object a line, tagged by `type`.

mod action;
mod action_kind;
mod agent;
mod claude_session;
mod end;
mod evidence;
mod finding;
mod holder;
mod kind;
mod present;
mod proc_source;
mod process;
#[expect(
    clippy::module_inception,
    reason = "Record is the noun of this file, and of the directory"
)]
mod record;
mod registry;
mod removed_entry;
mod role;
mod server;
mod session;
mod status;
mod text;
mod unasked;

pub use action::{Action, Outcome};
pub use action_kind::ActionKind;
pub use agent::{Agent, Format, Scope};
pub use claude_session::{ClaudeEnvironment, SessionFile};
pub use end::{DefaultRule, End, Machine, Names, Of, Servers, Subject};
pub use evidence::Evidence;
pub use finding::Finding;
pub use holder::{HOWS, Holder, Holding, How, Row};
pub use kind::{Facts, Kind, Severity};
pub use present::present;
pub use proc_source::ProcSource;
pub use process::{Above, Namespace, Process, Stdout, TmuxOrigin};
pub use record::Record;
pub use registry::{Counter, Registry, RegistryFile};
pub use removed_entry::{
    CounterChange, CounterEdit, JsonEntry, JsonPlace, RemovedEntry, RowState, SqliteEntry,
};
pub use role::Role;
pub use server::Server;
pub use session::{Adopted, Pane, Session, Shell, ShellState};
pub use status::{is_active, is_over};
pub use text::Text;
pub use unasked::{Mount, Mounts, SameNamespace, UnaskedServer, WhyUnasked};
