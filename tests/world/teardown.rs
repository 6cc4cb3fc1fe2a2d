//! Ending everything that was started in a world.
//!
//! All processes of a world carry `STANDIN_WORLD` with the path of its directory in their
//! environment. They are recognised by that mark, never by a name.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Long enough for anything but a process that the kernel cannot end.
const LIMIT: Duration = Duration::from_secs(10);

/// Kills the processes that carry the mark of the world in `directory`, until none is left:
/// one that is just starting another shows only in the next round. Returns whether all
/// have ended.
pub fn end_all(directory: &Path) -> bool {
    let mark = [b"STANDIN_WORLD=", directory.as_os_str().as_bytes()].concat();
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let mut any = false;
        for pid in pids_in(Path::new("/proc")).filter(|&pid| is_marked(pid, &mark)) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            any = true;
        }
        if !any {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Whether a process was started with the mark. The environment of a dead one is empty,
/// and another user's cannot be read.
fn is_marked(pid: i32, mark: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|entry| entry == mark)
}

/// The entries of a directory that are named after processes.
pub fn pids_in(directory: &Path) -> impl Iterator<Item = i32> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
