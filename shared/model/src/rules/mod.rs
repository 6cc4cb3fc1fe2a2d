//! The rules: what has drifted apart between registries, tmux and the process table.
//!
//! The judgements about one process, one session and one agent are functions of their
//! own, because `agentprune` asks them again, about what it sees at the moment of
//! acting. `judge` is the table of findings, one function each, in the order of the
//! output.

mod agent;
pub mod evidence;
mod process;
mod registry;
mod session;

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashSet};
use itertools::Itertools;
use jiff::{SignedDuration, Timestamp};
use serde_json::value::{RawValue, to_raw_value};

pub use agent::{AgentSessions, NameLost};
pub use process::{Panes, ProcessVerdict};
pub use registry::miscounted;
pub use session::{SessionVerdict, is_agent_session};

use crate::parse::tmux::AGENT_PREFIX;
use crate::record::{ActionKind, Evidence, Finding, Kind};
use crate::record::{Agent, End, Names, Of, ProcSource, Process, Session};
use crate::rules::evidence::MachineState;
use crate::stream::Sourced;

/// How to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Sessions with a name that starts like this are agents' sessions.
    pub prefix: String,
    /// Processes and sessions younger than this, by their own scan, are not judged.
    pub min_age: SignedDuration,
    /// What is in no pane is a leak, even if something holds it.
    pub outside_tmux: bool,
    /// An agent session without Claude is a zombie, even if something works in it.
    pub busy: bool,
    /// Task registries in which everything is over for longer than this are stale; None:
    /// do not look for them.
    pub stale_after: Option<SignedDuration>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            prefix: AGENT_PREFIX.to_owned(),
            min_age: SignedDuration::from_secs(2),
            outside_tmux: false,
            busy: false,
            stale_after: None,
        }
    }
}

/// What there is to say besides the findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of findings of each kind.
    pub counts: BTreeMap<Kind, u64>,
    /// Findings with an action.
    pub actionable: u64,
    /// Processes and sessions that would be findings if they were older.
    pub too_young: u64,
    /// What could not be concluded and why, a sentence each.
    pub notes: BTreeSet<String>,
}

/// A finding before the state puts machine and evidence to it.
struct FindingBuilder<'a> {
    kind: Kind,
    action: Option<ActionKind>,
    target: String,
    reason: String,
    names: Option<&'a Names>,
    proc_source: Option<ProcSource>,
    agent: Option<&'a RawValue>,
    session: Option<&'a RawValue>,
    process: Option<&'a RawValue>,
    registry: Option<&'a RawValue>,
}

impl FindingBuilder<'_> {
    fn new(kind: Kind, action: Option<ActionKind>, target: String, reason: String) -> Self {
        FindingBuilder {
            kind,
            action,
            target,
            reason,
            names: None,
            proc_source: None,
            agent: None,
            session: None,
            process: None,
            registry: None,
        }
    }
}

/// The table of findings, in the order of the output.
const RULES: [fn(&mut RuleContext<'_, '_>); 11] = [
    process::leaked,
    process::untracked,
    session::zombie,
    session::busy,
    agent::ghost,
    session::orphan,
    registry::count_mismatch,
    process::defunct,
    registry::status_mismatch,
    registry::missing_in_global,
    registry::stale_task,
];

/// Judges one state and hands each finding to `found`. The order of the findings
/// depends on the records alone, not on the order in which they came.
pub fn judge(
    state: &MachineState<'_, '_>,
    options: &Options,
    found: &mut dyn FnMut(&Finding<'_>),
) -> Summary {
    let mut context = RuleContext::new(state, options, found);
    for rule in RULES {
        rule(&mut context);
    }
    context.summary
}

/// The sessions of an agent, unless nobody can tell what its session is called.
type Sessions<'c> = Result<Vec<&'c Session>, NameLost>;

/// One state before the rules.
struct RuleContext<'c, 'a> {
    state: &'c MachineState<'c, 'a>,
    options: &'c Options,
    panes: Panes<'c>,
    agent_sessions: AgentSessions<'c>,
    /// The sessions of each agent of the state, in its order.
    sessions_of_agents: Vec<Sessions<'c>>,
    with_claude: HashSet<(i32, &'c str)>,
    evidence: Evidence,
    /// The same as JSON, which most findings carry as it is.
    evidence_text: Box<RawValue>,
    found: &'c mut dyn FnMut(&Finding<'_>),
    summary: Summary,
}

impl<'c, 'a> RuleContext<'c, 'a> {
    fn new(
        state: &'c MachineState<'c, 'a>,
        options: &'c Options,
        found: &'c mut dyn FnMut(&Finding<'_>),
    ) -> Self {
        let servers = state.server_pids().into_iter().collect();
        let panes = Panes::new(state.sessions.iter().map(|(s, _)| &s.record), servers);
        let with_claude = with_claude(&panes, state.processes.iter().map(|(p, _)| &p.record));
        let evidence = Evidence {
            taken_at: state.taken_at(),
            servers: state.servers(),
            sockets: state.sockets(),
            server_pids: state.server_pids().into_iter().collect(),
            names: state.names(),
            proc_source: state.proc_source(),
            prefix: options.prefix.clone(),
            outside_tmux: options.outside_tmux,
            busy: options.busy,
        };
        let agent_sessions = AgentSessions::new(state.sessions.iter().map(|(s, _)| &s.record));
        let sessions_of =
            |agent: &Agent<'_>| agent_sessions.of(&agent.id, agent.tmux_session.as_deref());
        RuleContext {
            state,
            options,
            sessions_of_agents: state.agents.iter().map(|(a, _)| sessions_of(&a.record)).collect(),
            agent_sessions,
            panes,
            with_claude,
            evidence_text: text_of(&evidence),
            evidence,
            found,
            summary: Summary::default(),
        }
    }

    /// The agents of the state with the sessions of each.
    fn agents(&self) -> impl Iterator<Item = (&'c Sourced<'a, Agent<'a>>, &'c End, &Sessions<'c>)> {
        let agents = self.state.agents.iter().zip(&self.sessions_of_agents);
        agents.map(|((agent, end), sessions)| (*agent, *end, sessions))
    }

    fn report(&mut self, builder: FindingBuilder<'_>) {
        // A process is looked for again as it was found, whatever the other scans did.
        let names = builder.names.or(self.evidence.names.as_ref());
        let proc_source = builder.proc_source.or(self.evidence.proc_source);
        let as_usual =
            names == self.evidence.names.as_ref() && proc_source == self.evidence.proc_source;
        let own_text = (!as_usual).then(|| {
            let names = names.cloned();
            text_of(&Evidence { names, proc_source, ..self.evidence.clone() })
        });
        let machine = &self.state.machine;
        let finding = Finding {
            kind: builder.kind,
            action: builder.action,
            target: builder.target.into(),
            reason: builder.reason.into(),
            host: machine.host.as_str().into(),
            boot_id: machine.boot_id.as_str().into(),
            pid_ns: machine.pid_ns.as_str().into(),
            evidence: own_text.as_deref().unwrap_or(&self.evidence_text),
            agent: builder.agent,
            session: builder.session,
            process: builder.process,
            registry: builder.registry,
        };
        (self.found)(&finding);
        *self.summary.counts.entry(builder.kind).or_default() += 1;
        self.summary.actionable += u64::from(builder.action.is_some());
    }

    fn note(&mut self, note: String) {
        self.summary.notes.insert(note);
    }

    /// Notes that nothing is concluded about `what` because of a gap in the evidence.
    fn withhold(&mut self, what: &str, gap: &str) {
        self.note(format!("{what} not judged: {gap}"));
    }

    /// Whether something was born too shortly before the scan `own` that saw it, or before
    /// the scans of the `other` kind that its judgement rests on as well: what was not
    /// there yet is not missing.
    fn is_young(&self, born: Timestamp, own: &End, other: Of) -> bool {
        let others = self.state.scans(other).map(|end| end.taken_at);
        let seen = others.chain([own.taken_at]).min().unwrap_or(own.taken_at);
        seen.duration_since(born) < self.options.min_age
    }

    /// The same, and counts it.
    fn too_young(&mut self, born: Timestamp, own: &End, other: Of) -> bool {
        let young = self.is_young(born, own, other);
        self.summary.too_young += u64::from(young);
        young
    }

    fn session_verdict(&self, session: &Session) -> SessionVerdict {
        let claude = self.with_claude.contains(&(session.server_pid, session.id.as_str()));
        session::verdict(session, claude, self.options)
    }
}

fn text_of(evidence: &Evidence) -> Box<RawValue> {
    to_raw_value(evidence).expect("evidence has no keys but strings")
}

/// The sessions, by server and id, in whose panes a living Claude is.
pub fn with_claude<'s>(
    panes: &Panes<'s>,
    processes: impl IntoIterator<Item = &'s Process>,
) -> HashSet<(i32, &'s str)> {
    processes
        .into_iter()
        .filter(|process| !process.is_defunct())
        .flat_map(|process| panes.sessions_of(process))
        .map(|session| (session.server_pid, session.id.as_str()))
        .collect()
}

/// Judges one session again, given what is known of panes and Claude now.
pub fn session_verdict(session: &Session, claude: bool, options: &Options) -> SessionVerdict {
    session::verdict(session, claude, options)
}

/// Judges one process again, given what is known of the panes now.
pub fn process_verdict(process: &Process, panes: &Panes<'_>, options: &Options) -> ProcessVerdict {
    process::verdict(process, panes, options)
}

/// `3 processes`, `1 process`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The uids that own the registries looked at, by path.
fn owners<'c>(state: &'c MachineState<'_, '_>) -> HashMap<&'c str, u32> {
    state.registries.iter().map(|(r, _)| (r.record.path.as_str(), r.record.owner_uid)).collect()
}

/// Counts what is withheld, by reason.
fn by_reason(gaps: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    gaps.into_iter().counts().into_iter().collect()
}

/// Whether a conclusion that needs a scan of this kind as a whole can be drawn at all.
fn gap_of(context: &RuleContext<'_, '_>, of: Of) -> Option<String> {
    context.state.gap(of)
}
