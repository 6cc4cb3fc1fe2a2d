//! Registry counters against the entries they count.

use itertools::Itertools;

use super::{Court, Draft, counted};
use crate::finding::{Kind, Remedy};
use crate::record::Registry;

/// The counters of a registry that are there and wrong, as a sentence; None if all are
/// right. A counter that is not there misleads nobody.
pub fn miscounted(registry: &Registry) -> Option<String> {
    let wrong = registry
        .counters
        .iter()
        .filter_map(|(name, counter)| Some((name, counter.stored?, counter.computed)))
        .filter(|(_, stored, computed)| stored != computed)
        .map(|(name, stored, computed)| format!("{name} is {stored}, its entries make {computed}"))
        .join("; ");
    (!wrong.is_empty()).then_some(wrong)
}

pub(super) fn count_mismatch(court: &mut Court<'_, '_>) {
    let scene = court.scene;
    let mut filtered = 0;
    for (registry, end) in scene.registries.iter().sorted_by_key(|(r, _)| &r.record.path) {
        let Some(reason) = miscounted(&registry.record) else { continue };
        if end.filtered {
            filtered += 1;
            continue;
        }
        let target = format!("registry {}", registry.record.path);
        let draft = Draft::new(Kind::CountMismatch, Some(Remedy::SetCounters), target, reason);
        court.report(Draft { registry: Some(registry.raw()), ..draft });
    }
    if filtered > 0 {
        court.withhold(
            &format!("counters of {}", counted(filtered, "registry", "registries")),
            "the look at agents was filtered",
        );
    }
}
