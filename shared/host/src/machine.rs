//! Which machine this is, and the closing record of a scan on it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;

use model::record::{End, Machine, Of};

use crate::clock;
use crate::{platform, user};

/// This machine: host name, boot id, pid namespace.
///
/// # Errors
/// When the system does not say, as without a mounted `/proc` on Linux.
pub fn this_machine() -> io::Result<Machine> {
    let (boot_id, pid_ns) = platform::boot()?;
    let host = nix::unistd::gethostname()?.to_string_lossy().into_owned();
    Ok(Machine { host, boot_id, pid_ns })
}

/// The closing record of a scan that begins now, on this machine, under a new id. If the
/// machine cannot be identified, its fields are empty, and the reason is returned.
pub fn begin(of: Of) -> (End, Option<String>) {
    let taken_at = clock::now();
    // Keyed at random for each process, so that two scans never share an id.
    let id = RandomState::new().build_hasher().finish();
    let (machine, error) = match this_machine() {
        Ok(machine) => (machine, None),
        Err(error) => (Machine::default(), Some(error.to_string())),
    };
    (End::new(format!("{id:016x}"), of, &machine, user::uid(), taken_at), error)
}
