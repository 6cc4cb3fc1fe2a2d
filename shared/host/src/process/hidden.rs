//! Whether this user can see the processes of others.

use std::fs;
use std::io;

use model::parse;
use nix::unistd::{Gid, getegid, geteuid, getgroups};

/// Whether `/proc` hides processes of other users from this one (`hidepid`). If so, it is unknown
/// what else runs. False where there is no `/proc`; true where it cannot be asked.
pub fn hides_others() -> bool {
    let mounts = match fs::read_to_string("/proc/self/mountinfo") {
        Ok(mounts) => mounts,
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    };
    let Some(group) = parse::proc::hidden_from_all_but(&mounts) else { return false };
    let group = Gid::from_raw(group);
    let is_member = getegid() == group || getgroups().is_ok_and(|own| own.contains(&group));
    !geteuid().is_root() && !is_member
}
