//! What is too young to be judged: how many, and which.

use std::collections::BTreeMap;

use itertools::Itertools;
use jiff::SignedDuration;

use crate::record::Subject;

/// How many are named in a note.
const NAMED: usize = 10;

/// What is too young to be judged.
#[derive(Debug, Default)]
pub(super) struct Young {
    counts: BTreeMap<Subject, u64>,
    /// The youngest of them, by age and target.
    named: Vec<(SignedDuration, String)>,
}

impl Young {
    pub fn add(&mut self, subject: Subject, target: &str, age: SignedDuration) {
        *self.counts.entry(subject).or_default() += 1;
        let at =
            self.named.partition_point(|(other, name)| (*other, name.as_str()) < (age, target));
        if at < NAMED {
            self.named.truncate(NAMED - 1);
            self.named.insert(at, (age, target.to_owned()));
        }
    }

    /// How many there are of each subject.
    pub fn counts(&self) -> impl Iterator<Item = (&Subject, &u64)> {
        self.counts.iter()
    }

    /// Says how many are younger than the limit of this option, and names the youngest.
    pub fn note(&self, limit: SignedDuration, option: &str) -> Option<String> {
        let count: u64 = self.counts.values().sum();
        if count == 0 {
            return None;
        }
        let names = self
            .named
            .iter()
            .map(|(age, target)| format!("{target} ({} s old)", age.as_secs().max(0)))
            .join(", ");
        let rest = count - self.named.len() as u64;
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let limit = limit.as_secs_f64();
        Some(format!("{count} too young to judge (under {limit} s; see {option}): {names}{rest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_youngest_are_named_and_all_are_counted() {
        let mut young = Young::default();
        assert_eq!(young.note(SignedDuration::ZERO, "--x"), None);
        for age in (0..12).rev() {
            young.add(Subject::Agents, &format!("agent {age}"), SignedDuration::from_secs(age));
        }
        let note = young.note(SignedDuration::from_mins(1), "--entry-age").unwrap();
        let start =
            "12 too young to judge (under 60 s; see --entry-age): agent 0 (0 s old), agent 1";
        assert!(note.starts_with(start), "{note}");
        assert!(note.ends_with("agent 9 (9 s old) and 2 more"), "{note}");
    }
}
