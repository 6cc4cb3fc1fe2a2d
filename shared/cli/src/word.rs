//! The words that a field can hold.

/// What a value means to somebody who searches for what is wrong. It shows as a colour, and
/// never only as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// As it should be.
    Good,
    /// Somebody should check it.
    Warn,
    /// Wrong.
    Bad,
}

/// One of the words that a field can hold.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The word, as in records.
    pub word: &'static str,
    /// Whether it means something good or bad.
    pub tone: Tone,
    /// What it means, as agentrecords(5) lists it; empty: the field's own meaning tells.
    pub meaning: &'static str,
}

impl Word {
    /// A word with a tone and a meaning.
    pub const fn new(word: &'static str, tone: Tone, meaning: &'static str) -> Word {
        Word { word, tone, meaning }
    }

    /// A word that is neither good nor bad.
    pub const fn plain(word: &'static str, meaning: &'static str) -> Word {
        Word::new(word, Tone::Plain, meaning)
    }

    /// A word of which the field's meaning tells all.
    pub const fn toned(word: &'static str, tone: Tone) -> Word {
        Word::new(word, tone, "")
    }
}
