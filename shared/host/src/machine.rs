//! Which machine this is, and whether it is still the one that was looked at.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;

use model::record::{End, Machine, Of};

use crate::clock;

/// This machine: host name, boot id, pid namespace.
///
/// # Errors
/// When the kernel does not say, as without a mounted `/proc`.
pub fn this_machine() -> io::Result<Machine> {
    let read = |path: &str| {
        fs::read_to_string(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
    };
    let namespace = fs::read_link("/proc/self/ns/pid")
        .map_err(|error| io::Error::new(error.kind(), format!("/proc/self/ns/pid: {error}")))?;
    let namespace = namespace.to_string_lossy();
    Ok(Machine {
        host: nix::unistd::gethostname()?.to_string_lossy().into_owned(),
        boot_id: read("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
        pid_ns: model::proc_text::link_inode(&namespace, "pid")
            .map_or_else(|| namespace.clone().into_owned(), |inode| inode.to_string()),
    })
}

/// The closing record of a look that begins now, on this machine, under a new id. Where
/// the machine cannot be told, it is a record of no machine, and the reason.
pub fn begin(of: Of) -> (End, Option<String>) {
    let taken_at = clock::now();
    // Keyed at random for each process, so that two looks never share an id.
    let id = RandomState::new().build_hasher().finish();
    let (machine, error) = match this_machine() {
        Ok(machine) => (machine, None),
        Err(error) => (Machine::default(), Some(error.to_string())),
    };
    (End::new(format!("{id:016x}"), of, &machine, taken_at), error)
}
