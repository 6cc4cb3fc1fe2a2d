//! How processes are ended, by the source of the process table.

use std::io;

use model::record::ProcSource;

use super::recheck::Recheck;
use super::terminator::Terminator;

/// The way of ending processes that were seen in `source`: by pidfd for `/proc`, by
/// comparing before each signal for ps.
///
/// # Errors
/// When this build has no such source.
pub fn terminator(source: ProcSource) -> io::Result<Box<dyn Terminator>> {
    match source {
        ProcSource::Ps => Ok(Box::new(Recheck)),
        #[cfg(all(feature = "proc", target_os = "linux"))]
        ProcSource::Proc => Ok(Box::new(super::pidfd::Pidfds)),
        #[cfg(not(all(feature = "proc", target_os = "linux")))]
        ProcSource::Proc => Err(crate::process::process_source::no_proc()),
    }
}
