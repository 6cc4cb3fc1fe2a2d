//! What a registry may be opened with.

/// The size of a registry that is opened, unless another is chosen.
pub const MAX_SIZE: u64 = 1 << 30;

/// How a registry is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether symbolic links of the path are followed, once: those of a path that a person
    /// gave. The path of a record had none; one that is there now was put there since.
    pub follow_links: bool,
    /// The largest size of a file, in bytes: it is read into memory.
    pub max_size: u64,
}

impl Access {
    /// To a path that a person gave.
    pub fn to_given(max_size: u64) -> Access {
        Access { follow_links: true, max_size }
    }

    /// To the path of a record.
    pub fn to_listed(max_size: u64) -> Access {
        Access { follow_links: false, max_size }
    }
}
