//! How large the worlds are and how often everything is run.

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The sizes that the targets are for.
    Full,
    /// As small as shows that everything works. The ratios mean nothing then.
    Quick,
}

impl Scale {
    /// One of two numbers.
    pub fn of(self, full: usize, quick: usize) -> usize {
        match self {
            Scale::Full => full,
            Scale::Quick => quick,
        }
    }
}
