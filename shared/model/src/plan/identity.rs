//! When two records are about the same thing.

use std::hash::Hash;

use jiff::Timestamp;

use super::item::{Ghost, Zombie};
use crate::record::{Process, Registry, Session};

/// A record of something that lasts, with a key that distinguishes it from all others of its
/// kind for as long as the machine runs: never a name, and never a pid alone.
pub trait Identity {
    /// Equal for two records of the same thing.
    type Key<'r>: Eq + Hash
    where
        Self: 'r;

    /// The key of this record.
    fn key(&self) -> Self::Key<'_>;

    /// The uid that owns it, if the record says so.
    fn owner(&self) -> Option<u32>;
}

impl Identity for Process {
    type Key<'r> = (i32, &'r str);

    fn key(&self) -> Self::Key<'_> {
        (self.pid, &self.start_time)
    }

    fn owner(&self) -> Option<u32> {
        Some(self.uid)
    }
}

impl Identity for Session {
    type Key<'r> = (i32, Timestamp, &'r str);

    fn key(&self) -> Self::Key<'_> {
        (self.server_pid, self.created, &self.id)
    }

    fn owner(&self) -> Option<u32> {
        Some(self.uid)
    }
}

impl Identity for Zombie<'_> {
    type Key<'r>
        = <Session as Identity>::Key<'r>
    where
        Self: 'r;

    fn key(&self) -> Self::Key<'_> {
        self.session.key()
    }

    fn owner(&self) -> Option<u32> {
        self.session.owner()
    }
}

/// Within one registry, whose owner is known once it is locked.
impl Identity for Ghost<'_> {
    type Key<'r>
        = (&'r str, Option<&'r str>)
    where
        Self: 'r;

    fn key(&self) -> Self::Key<'_> {
        (&self.id, self.started_at.as_deref())
    }

    fn owner(&self) -> Option<u32> {
        None
    }
}

impl Identity for Registry {
    type Key<'r> = &'r str;

    fn key(&self) -> Self::Key<'_> {
        &self.path
    }

    fn owner(&self) -> Option<u32> {
        Some(self.file.owner_uid)
    }
}
