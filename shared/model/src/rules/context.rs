//! What every rule works with: the state that is judged, what follows from it for several
//! rules, and the way in which findings are reported.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::{RawValue, to_raw_value};

use super::agent_sessions::{AgentSessions, Sessions};
use super::machine_state::MachineState;
use super::options::Options;
use super::panes::{LeakedServers, Panes};
use super::summary::Summary;
use super::young::Young;
use crate::record::{
    ActionKind, Agent, End, Evidence, Finding, Kind, Names, Of, ProcSource, RegistryFile, Subject,
};
use crate::stream::Sourced;

/// A finding, but for the machine and the evidence, which the context adds.
pub(super) struct FindingBuilder<'c> {
    pub kind: Kind,
    pub action: Option<ActionKind>,
    pub target: String,
    pub reason: String,
    pub names: Option<&'c Names>,
    pub proc_source: Option<ProcSource>,
    pub agent: Option<&'c RawValue>,
    pub session: Option<&'c RawValue>,
    pub process: Option<&'c RawValue>,
    pub registry: Option<&'c RawValue>,
}

impl FindingBuilder<'_> {
    /// A finding with the only action of its kind, if that has one.
    pub fn new(kind: Kind, target: String, reason: String) -> Self {
        FindingBuilder {
            kind,
            action: kind.facts().actions.first().copied(),
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

/// One state before the rules.
pub(super) struct RuleContext<'c, 'a> {
    pub state: &'c MachineState<'c, 'a>,
    pub options: &'c Options,
    pub panes: Panes<'c>,
    pub agent_sessions: AgentSessions<'c>,
    /// The processes that are findings as leaked servers.
    pub leaked_servers: LeakedServers<'c>,
    /// The sessions that are findings as zombies, by server and id.
    pub zombies: HashSet<(i32, &'c str)>,
    pub summary: Summary,
    /// Processes and sessions that are too young to be judged.
    young: Young,
    /// Entries that are.
    young_entries: Young,
    /// The sessions of each agent of the state, in its order.
    sessions_of_agents: Vec<Sessions<'c>>,
    evidence: Evidence,
    /// The same as JSON, which most findings carry as it is.
    evidence_text: Box<RawValue>,
    found: &'c mut dyn FnMut(&Finding<'_>),
    /// The kind whose findings are handed on at once.
    open: Kind,
    /// Findings that come later in the output.
    kept: BTreeMap<Kind, Vec<FindingBuilder<'c>>>,
}

impl<'c, 'a> RuleContext<'c, 'a> {
    pub fn new(
        state: &'c MachineState<'c, 'a>,
        options: &'c Options,
        found: &'c mut dyn FnMut(&Finding<'_>),
    ) -> Self {
        let servers = state.server_pids().into_iter().collect();
        let panes = Panes::new(state.sessions.iter().map(|(s, _)| &s.record), servers);
        let evidence = Evidence {
            uid: state.uid,
            taken_at: state.taken_at(),
            servers: state.servers(),
            sockets: state.sockets(),
            server_pids: state.server_pids().into_iter().collect(),
            names: state.names(),
            proc_source: state.proc_source(),
            prefix: options.prefix.clone(),
            entry_age_seconds: whole_seconds(options.entry_age),
            outside_tmux: options.outside_tmux,
            despite: options.despite.clone(),
            busy: options.busy,
            unregistered: options.unregistered,
            ignore_unasked: options.ignore_unasked,
        };
        let agent_sessions = AgentSessions::new(state.sessions.iter().map(|(s, _)| &s.record));
        let sessions_of = |agent: &Agent<'_>| agent_sessions.of(&agent.id, agent.session_name());
        RuleContext {
            state,
            options,
            panes,
            sessions_of_agents: state.agents.iter().map(|(a, _)| sessions_of(&a.record)).collect(),
            agent_sessions,
            leaked_servers: LeakedServers::default(),
            zombies: HashSet::default(),
            summary: Summary::default(),
            young: Young::default(),
            young_entries: Young::default(),
            evidence_text: text_of(&evidence),
            evidence,
            found,
            open: Kind::LeakedProcess,
            kept: BTreeMap::new(),
        }
    }

    /// The agents of the state with the sessions of each.
    pub fn agents(
        &self,
    ) -> impl Iterator<Item = (&'c Sourced<'a, Agent<'a>>, &'c End, &Sessions<'c>)> {
        let agents = self.state.agents.iter().zip(&self.sessions_of_agents);
        agents.map(|((agent, end), sessions)| (*agent, *end, sessions))
    }

    /// The files of the registries of the state, by path.
    pub fn files(&self) -> HashMap<&'c str, &'c RegistryFile> {
        let registries = self.state.registries.iter().map(|(registry, _)| &registry.record);
        registries.map(|registry| (registry.path.as_str(), &registry.file)).collect()
    }

    /// Hands on what was kept of the kinds before this one, and from now on hands on
    /// findings of this kind at once: there may be a million ghosts.
    pub fn begin(&mut self, kind: Kind) {
        let later = self.kept.split_off(&kind);
        let earlier = std::mem::replace(&mut self.kept, later);
        earlier.into_values().flatten().for_each(|builder| self.hand_on(builder));
        self.open = kind;
    }

    /// Hands on what is still kept; returns what there is to say besides.
    pub fn finish(mut self) -> Summary {
        self.count_young();
        let kept = std::mem::take(&mut self.kept);
        kept.into_values().flatten().for_each(|builder| self.hand_on(builder));
        self.summary
    }

    /// Reports a finding of the open kind or a later one.
    pub fn report(&mut self, builder: FindingBuilder<'c>) {
        if builder.kind == self.open {
            self.hand_on(builder);
        } else {
            debug_assert!(builder.kind > self.open, "{} after {}", builder.kind, self.open);
            self.kept.entry(builder.kind).or_default().push(builder);
        }
    }

    fn hand_on(&mut self, builder: FindingBuilder<'_>) {
        // A process is looked for again with the names and the table that it was seen with.
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

    /// Notes that nothing is concluded about `count` records, named by `what`, because of a gap
    /// in the evidence.
    pub fn withhold(&mut self, subject: Subject, count: usize, what: &str, gap: &str) {
        *self.summary.unjudged.entry(subject).or_default() += count as u64;
        self.note(what, gap);
    }

    /// Notes that nothing is concluded about `what` because it is not this user's, or because a
    /// finding would only have reported it.
    pub fn note(&mut self, what: &str, gap: &str) {
        self.summary.notes.insert(format!("{what} not judged: {gap}"));
    }

    /// Whether something is too young to be judged; if so, counts and names it. Its age counts to
    /// the earliest of the scan `own` that saw it and the scans of the `other` kind that its
    /// judgement also rests on: a scan proves nothing about what did not exist yet.
    pub fn too_young(&mut self, target: &str, born: Timestamp, own: &End, other: Of) -> bool {
        let age = self.age(born, own, other);
        let young = age < self.options.min_age;
        if young {
            let subject = match own.of {
                Of::Sessions => Subject::Sessions,
                _ => Subject::Processes,
            };
            self.young.add(subject, target, age);
        }
        young
    }

    /// The instant of the earliest of the scan `own` and the scans of the `other` kind.
    pub fn seen_at(&self, own: &End, other: Of) -> Timestamp {
        let others = self.state.scans(other).map(|end| end.taken_at);
        others.chain([own.taken_at]).min().unwrap_or(own.taken_at)
    }

    /// Counts and names an entry that is too young to be judged.
    pub fn entry_too_young(&mut self, id: &str, age: SignedDuration) {
        self.young_entries.add(Subject::Agents, &format!("agent {id}"), age);
    }

    /// How old something was at the scan that came first: its own, or one of the other kind.
    pub fn age(&self, born: Timestamp, own: &End, other: Of) -> SignedDuration {
        self.seen_at(own, other).duration_since(born)
    }

    fn count_young(&mut self) {
        let young = [
            (&self.young, self.options.min_age, "--min-age"),
            (&self.young_entries, self.options.entry_age, "--entry-age"),
        ];
        for (young, limit, option) in young {
            self.summary.notes.extend(young.note(limit, option));
            for (subject, count) in young.counts() {
                *self.summary.unjudged.entry(*subject).or_default() += count;
                self.summary.too_young += count;
            }
        }
    }
}

/// Rounded up, so that nobody judges anything younger by it.
fn whole_seconds(age: SignedDuration) -> u64 {
    let seconds = age.as_secs() + i64::from(age.subsec_nanos() > 0);
    u64::try_from(seconds).unwrap_or_default()
}

fn text_of(evidence: &Evidence) -> Box<RawValue> {
    to_raw_value(evidence).expect("evidence has only string keys")
}
