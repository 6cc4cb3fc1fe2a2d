//! Control groups, as service managers and container runtimes make them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::Duration;

/// A control group. It is removed with this.
#[derive(Debug)]
pub struct ControlGroup {
    /// Its path below that of this process.
    pub name: String,
    directory: PathBuf,
    /// How many directories of the path are its own.
    depth: usize,
}

impl ControlGroup {
    /// Makes one. `path`: below the group of this process, in which `{}` stands for a number that
    /// is this process's own.
    ///
    /// # Errors
    /// A sentence that says why it is not permitted here.
    pub fn new(path: &str) -> Result<ControlGroup, String> {
        let name = path.replace("{}", &process::id().to_string());
        let mut refused = Vec::new();
        for hierarchy in hierarchies()? {
            let directory = hierarchy.join(&name);
            match fs::create_dir_all(&directory) {
                Ok(()) => {
                    let depth = name.split('/').count();
                    return Ok(ControlGroup { name, directory, depth });
                }
                Err(error) => refused.push(format!("{}: {error}", directory.display())),
            }
        }
        Err(format!("no control group: {}", refused.join("; ")))
    }

    /// Moves a process into it.
    ///
    /// # Errors
    /// When that is not permitted.
    pub fn take(&self, pid: i32) -> io::Result<()> {
        fs::write(self.directory.join("cgroup.procs"), pid.to_string())
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // As long as a process in it is not reaped it is busy.
        for _ in 0..100 {
            if fs::remove_dir(&self.directory).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        // Another test may use those above it.
        for directory in self.directory.ancestors().skip(1).take(self.depth - 1) {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Where this process is in the hierarchies that service managers use: version 2, or
/// the one named `systemd`.
///
/// # Errors
/// When the system does not say.
pub fn hierarchies() -> Result<Vec<PathBuf>, String> {
    let read = |path| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let (own, mounts) = (read("/proc/self/cgroup")?, read("/proc/self/mounts")?);
    let find =
        |start: &str| own.lines().find_map(|line| line.split_once(start)?.1.strip_prefix('/'));
    let mut found = Vec::new();
    for mount in mounts.lines() {
        let [_, directory, kind, options, ..] = mount.split(' ').collect::<Vec<_>>()[..] else {
            continue;
        };
        let path = match kind {
            "cgroup2" => find("0::"),
            "cgroup" if options.split(',').any(|o| o == "name=systemd") => find(":name=systemd:"),
            _ => None,
        };
        found.extend(path.map(|path| PathBuf::from(directory).join(path)));
    }
    Ok(found)
}
