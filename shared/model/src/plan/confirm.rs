//! Findings that an earlier judgement also has: nothing ends because of one glance.

use foldhash::HashMap;
use jiff::SignedDuration;

use super::identity::Identity;
use super::item::PlanItem;
use super::origin::Origin;
use super::plan::{Left, Plan, take_out};
use crate::record::Outcome;

/// How much earlier a finding must have been made to confirm another.
pub const CONFIRMS_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Of one thing and kind, where an earlier judgement found it.
type Earlier<'e, T> = HashMap<<T as Identity>::Key<'e>, Vec<&'e PlanItem<'e, T>>>;

impl<'a> Plan<'a> {
    /// Removes what `earlier` findings do not confirm. A finding confirms another of the same
    /// kind about the same thing, with the same machine, boot, pid namespace and user, if its scans
    /// were at least [`CONFIRMS_AFTER`] earlier. `named`: the file of the earlier findings; `None`:
    /// there is no such file, and nothing is confirmed.
    pub fn confirm(&mut self, earlier: Option<&Plan<'a>>, named: &str) -> Vec<Left<'a>> {
        let none = Plan::default();
        let (earlier, named) = match earlier {
            Some(earlier) => (earlier, named.to_owned()),
            None => (&none, format!("{named} (no such file)")),
        };
        let named = named.as_str();
        let mut left = Vec::new();
        confirm(&mut self.processes, &earlier.processes, named, &mut left);
        confirm(&mut self.sessions, &earlier.sessions, named, &mut left);
        for (path, items) in &mut self.registries {
            let before = earlier.registries.get(path);
            let entries = before.map_or(&[][..], |items| &items.entries);
            confirm(&mut items.entries, entries, named, &mut left);
            let counters = before.map_or(&[][..], |items| &items.counters);
            confirm(&mut items.counters, counters, named, &mut left);
        }
        left
    }
}

fn confirm<'a, T: Identity>(
    items: &mut Vec<PlanItem<'a, T>>,
    earlier: &[PlanItem<'_, T>],
    named: &str,
    left: &mut Vec<Left<'a>>,
) {
    let mut known: Earlier<'_, T> = HashMap::default();
    for item in earlier {
        known.entry(item.subject.key()).or_default().push(item);
    }
    let unfit = items
        .iter()
        .map(|item| {
            let same = known.get(&item.subject.key()).into_iter().flatten();
            let same = same.filter(|before| before.action.found == item.action.found);
            let reasons = same.map(|before| doubt(&before.action.origin, &item.action.origin));
            match reasons.min_by_key(Option::is_some) {
                Some(None) => None,
                Some(Some(reason)) => Some(format!("not confirmed by {named}: {reason}")),
                None => Some(format!("not confirmed: {named} does not have it")),
            }
        })
        .map(|reason| reason.map(|reason| (Outcome::Unconfirmed, reason)))
        .collect();
    drop(known);
    take_out(items, unfit, left);
}

/// Why what was found before does not confirm what was found now; `None` if it does.
fn doubt(before: &Origin, now: &Origin) -> Option<String> {
    if before.machine != now.machine {
        return Some("it was found there on another machine, or before the last boot".to_owned());
    }
    if before.evidence.uid != now.evidence.uid {
        return Some(format!("it was found there for uid {}", before.evidence.uid));
    }
    let between = now.evidence.taken_at.duration_since(before.evidence.taken_at);
    (between < CONFIRMS_AFTER).then(|| {
        let least = CONFIRMS_AFTER.as_secs();
        format!("it was found there {} s earlier, not at least {least} s", between.as_secs())
    })
}
