//! The words that a field can hold.

/// How good or bad a value is. Tables show it as a colour, but never by the colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// As it should be.
    Good,
    /// A person should check it.
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
    /// What it means, as agentrecords(5) lists it; empty: the field's own meaning explains it.
    pub meaning: &'static str,
    /// What tables show in its place.
    pub shown: Option<&'static str>,
}

impl Word {
    /// A word with a tone and a meaning.
    pub const fn new(word: &'static str, tone: Tone, meaning: &'static str) -> Word {
        Word { word, tone, meaning, shown: None }
    }

    /// A word that is neither good nor bad.
    pub const fn plain(word: &'static str, meaning: &'static str) -> Word {
        Word::new(word, Tone::Plain, meaning)
    }

    /// A word that the field's own meaning explains.
    pub const fn toned(word: &'static str, tone: Tone) -> Word {
        Word::new(word, tone, "")
    }

    /// The same, but tables show this in its place.
    pub const fn shown_as(self, shown: &'static str) -> Word {
        Word { shown: Some(shown), ..self }
    }
}
