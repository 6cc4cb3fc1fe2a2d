//! Whether entries are still ghosts, by what their locked registry and tmux say now.

use std::rc::Rc;
use std::time::Duration;

use cli::Failure;
use foldhash::HashSet;
use host::tmux::Scan;
use jiff::SignedDuration;
use model::plan::{Ghost, Origin, PlanItem};
use model::record::{ActionKind, Outcome, RegistryFile};
use model::rules::{AgentSessions, AgentVerdict, Entry, EntryAge, agent_verdict};
use registry::EntryState;

use super::recheck::{sessions, unasked_host};

/// How long tmux may take while a registry is locked: the orchestrator, waiting for the
/// lock, gives up after five seconds.
const TMUX_UNDER_LOCK: Duration = Duration::from_secs(1);

/// Whether an item is acted on; if not, the result and why.
pub type Verdict = Result<(), (Outcome, String)>;

/// tmux as it is now, scanned in the way that the evidence of some items names.
struct Seen<'o> {
    origin: &'o Rc<Origin>,
    scan: Scan,
    /// A server that was not asked and may have the session of any entry.
    unasked: Option<String>,
}

impl Seen<'_> {
    /// Whether this scan serves findings with this evidence, which findings usually share.
    fn is_of(&self, origin: &Rc<Origin>) -> bool {
        Rc::ptr_eq(self.origin, origin) || self.origin.evidence == origin.evidence
    }
}

/// Judges each item again. `states`: what the registry says of it now, in the same order.
///
/// # Errors
/// When tmux or the process table cannot be asked.
pub fn judge<'l>(
    items: &[PlanItem<'_, Ghost<'_>>],
    states: impl Iterator<Item = &'l EntryState<'l>>,
    file: &RegistryFile,
) -> Result<Vec<Verdict>, Failure> {
    let mut seen: Vec<Seen<'_>> = Vec::new();
    for item in items {
        let origin = &item.action.origin;
        if !seen.iter().any(|seen| seen.is_of(origin)) {
            let scan = sessions(&origin.evidence, TMUX_UNDER_LOCK)?;
            let unasked = unasked_host(&origin.evidence, &scan, file)?;
            seen.push(Seen { origin, scan, unasked });
        }
    }
    let seen: Vec<(&Seen<'_>, AgentSessions<'_>)> =
        seen.iter().map(|seen| (seen, AgentSessions::new(&seen.scan.sessions))).collect();
    let verdict = |(item, state): (&PlanItem<'_, Ghost<'_>>, &EntryState<'_>)| {
        let (seen, sessions) = seen
            .iter()
            .find(|(seen, _)| seen.is_of(&item.action.origin))
            .ok_or_else(|| (Outcome::Failed, "tmux was not asked".to_owned()))?;
        verdict(item, state, sessions)?;
        match &seen.unasked {
            None => Ok(()),
            Some(host) => Err((Outcome::Skipped, host.clone())),
        }
    };
    Ok(items.iter().zip(states).map(verdict).collect())
}

fn verdict(
    item: &PlanItem<'_, Ghost<'_>>,
    state: &EntryState<'_>,
    sessions: &AgentSessions<'_>,
) -> Verdict {
    let found = &item.subject;
    let now = match state {
        EntryState::Missing => return Err((Outcome::Gone, "no such entry".to_owned())),
        EntryState::Ambiguous => {
            return Err((Outcome::Skipped, "more than one entry has this id".to_owned()));
        }
        EntryState::There(entry) => entry,
    };
    if now.started_at.as_deref() != found.started_at.as_deref() {
        return Err((Outcome::Skipped, "another agent has this id now".to_owned()));
    }
    let over = || Err((Outcome::Gone, "the entry is no longer active".to_owned()));
    if item.action.kind == ActionKind::TerminateEntry && !now.is_active {
        return over();
    }
    let entry = Entry {
        id: &found.id,
        scope: found.scope,
        is_active: now.is_active,
        tmux_session: now.tmux_session.as_deref(),
        latest: now.latest,
    };
    let seconds = item.action.origin.evidence.entry_age_seconds;
    let least = i64::try_from(seconds).map_or(SignedDuration::MAX, SignedDuration::from_secs);
    let age = EntryAge { read_at: host::clock::now(), least };
    let sessions = sessions.of(entry.id, entry.tmux_session);
    // Zombies were ended before this step; a session that exists now may be at work again.
    match agent_verdict(&entry, &sessions, &HashSet::default(), age) {
        AgentVerdict::Ghost(_) => Ok(()),
        AgentVerdict::Young(age) => {
            Err((Outcome::Skipped, format!("it was written {} s ago", age.as_secs().max(0))))
        }
        AgentVerdict::InFuture(_) => {
            Err((Outcome::Skipped, "by its own times it is in the future".to_owned()))
        }
        AgentVerdict::Over => over(),
        AgentVerdict::Live(session) => {
            Err((Outcome::Skipped, format!("its session {} exists", session.name)))
        }
        AgentVerdict::NameLost => {
            Err((Outcome::Skipped, "the name of its session cannot be known".to_owned()))
        }
    }
}
