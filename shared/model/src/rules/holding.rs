//! Whether what was found out about a process holds it.
//!
//! The lister reports facts: [`Holder`]s of the process and of those up its line that only wait
//! for it, and what could not be found out. Here is said which of them an option lifts.

use std::collections::BTreeSet;

use crate::record::{Holder, How};

/// The holders that are no reason to keep a process, by the word of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifted {
    /// All that an option can lift.
    pub outside_tmux: bool,
    /// These.
    pub despite: BTreeSet<How>,
}

impl Lifted {
    /// Reads a list as `log,reader`.
    ///
    /// # Errors
    /// A sentence, for a word that is no way to be held, or one that no option lifts.
    pub fn despite(words: &str) -> Result<BTreeSet<How>, String> {
        let how = |word: &str| match word.parse::<How>() {
            _ if word == "unread" => Err("what could not be found out is never lifted".to_owned()),
            Ok(how) if !how.row().is_liftable => Err(format!("{how} is never lifted")),
            // With a living parent, what else holds the process was not asked.
            Ok(How::Parent) => Err("parent is lifted only by --outside-tmux".to_owned()),
            other => other,
        };
        words.split(',').map(how).collect()
    }

    fn lifts(&self, how: How) -> bool {
        how.row().is_liftable && (self.outside_tmux || self.despite.contains(&how))
    }
}

/// What is to be said of a process, given its holders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is held, and by what: a sentence.
    Held(String),
    /// Only what is named here holds it, and that was lifted. Empty: nothing holds it.
    Loose(Vec<String>),
}

/// Judges the holders of one process.
///
/// What could not be found out holds. Where not everything was asked, because a living parent
/// holds the process, lifting that parent alone says nothing about the rest: only
/// [`Lifted::outside_tmux`], which lifts the rest too, can.
pub fn hold(holders: &[Holder], unread: &[How], examined: bool, lifted: &Lifted) -> Hold {
    let by_order = |holder: &&Holder| holder.how;
    let keeps = |holder: &&Holder| !lifted.lifts(holder.how);
    if let Some(holder) = holders.iter().filter(keeps).min_by_key(by_order) {
        return Hold::Held(holder.sentence());
    }
    if let Some(how) = unread.iter().min() {
        return Hold::Held(format!("could not be found out: {}", how.row().meaning));
    }
    if !examined && !lifted.outside_tmux {
        let parent = holders.iter().min_by_key(by_order).map(Holder::sentence);
        let parent = parent.map_or(String::new(), |parent| format!("; {parent}"));
        return Hold::Held(format!("what else holds it was not looked for{parent}"));
    }
    let mut holders: Vec<&Holder> = holders.iter().collect();
    holders.sort_by_key(by_order);
    Hold::Loose(holders.into_iter().map(Holder::sentence).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{HOWS, Holding};

    fn hold(holding: &Holding, lifted: &Lifted) -> Hold {
        super::hold(&holding.holders, &holding.unread, holding.examined, lifted)
    }

    fn holding(hows: &[How], unread: &[How], examined: bool) -> Holding {
        let holders = hows.iter().map(|how| Holder::thing(*how, "x")).collect();
        Holding {
            holders,
            unread: unread.to_vec(),
            examined,
            orphaned: examined,
            above: Vec::new(),
        }
    }

    fn is_held(holding: &Holding, lifted: &Lifted) -> bool {
        matches!(hold(holding, lifted), Hold::Held(_))
    }

    fn despite(hows: impl IntoIterator<Item = How>) -> Lifted {
        Lifted { outside_tmux: false, despite: hows.into_iter().collect() }
    }

    const OUTSIDE: fn() -> Lifted = || Lifted { outside_tmux: true, ..Lifted::default() };

    #[test]
    fn nothing_holds_nothing() {
        let none = holding(&[], &[], true);
        assert_eq!(hold(&none, &Lifted::default()), Hold::Loose(Vec::new()));
    }

    #[test]
    fn each_way_alone_holds_and_is_lifted_only_as_its_row_says() {
        for row in HOWS {
            let one = holding(&[row.how], &[], true);
            assert!(is_held(&one, &Lifted::default()), "{}", row.word);
            assert_eq!(!is_held(&one, &despite([row.how])), row.is_liftable, "{}", row.word);
            assert_eq!(!is_held(&one, &OUTSIDE()), row.is_liftable, "{}", row.word);
            let others = HOWS.iter().map(|other| other.how).filter(|how| *how != row.how);
            assert!(is_held(&one, &despite(others)), "{}", row.word);
        }
    }

    #[test]
    fn what_could_not_be_found_out_holds_whatever_is_lifted() {
        for row in HOWS {
            let unread = holding(&[], &[row.how], true);
            let all = despite(HOWS.map(|row| row.how));
            for lifted in [Lifted::default(), OUTSIDE(), all] {
                assert!(is_held(&unread, &lifted), "{} {lifted:?}", row.word);
            }
        }
    }

    #[test]
    fn to_lift_the_parent_says_nothing_about_what_was_not_asked() {
        let child = holding(&[How::Parent], &[], false);
        assert!(is_held(&child, &despite([How::Parent])));
        assert!(!is_held(&child, &OUTSIDE()));
        assert!(!is_held(&holding(&[How::Parent], &[], true), &despite([How::Parent])));
    }

    /// Over every set of ways: one more holder, or one more way unread, never frees a process.
    #[test]
    fn more_that_holds_never_frees() {
        let hows = HOWS.map(|row| row.how);
        let lifts = [Lifted::default(), OUTSIDE(), despite([How::Log]), despite(hows)];
        for set in 0_u32..1 << hows.len() {
            let chosen: Vec<How> =
                (0..hows.len()).filter(|at| set >> at & 1 == 1).map(|at| hows[at]).collect();
            for lifted in &lifts {
                if !is_held(&holding(&chosen, &[], true), lifted) {
                    continue;
                }
                let more = hows[(set.count_ones() as usize) % hows.len()];
                let mut with = chosen.clone();
                with.push(more);
                assert!(is_held(&holding(&with, &[], true), lifted), "{chosen:?} and {more:?}");
                assert!(is_held(&holding(&chosen, &[more], true), lifted), "{chosen:?}");
            }
        }
    }

    #[test]
    fn the_firmest_holder_is_named() {
        let both = holding(&[How::Log, How::Background], &[], true);
        let Hold::Held(reason) = hold(&both, &Lifted::default()) else { panic!("held") };
        assert!(reason.starts_with("Claude's own"), "{reason}");
        let Hold::Loose(lifted) = hold(&holding(&[How::Log], &[], true), &despite([How::Log]))
        else {
            panic!("loose")
        };
        assert_eq!(lifted, ["its output goes to x"]);
    }

    #[test]
    fn words_on_the_command_line() {
        assert_eq!(Lifted::despite("log,reader").unwrap(), [How::Reader, How::Log].into());
        for refused in ["", "log,", "pane", "self", "server", "background", "namespace", "unread"] {
            assert!(Lifted::despite(refused).is_err(), "{refused}");
        }
    }
}
