//! What Linux and other systems say in different ways: which boot this is, and what the service
//! manager runs. All code for systems other than Linux is here; both branches are compiled
//! everywhere, so that neither goes stale.
//!
//! Further differences need no branch. tmux's directory is `/tmp/tmux-UID` everywhere, which
//! on macOS leads to `/private/tmp`; `File::sync_all` is `F_FULLFSYNC` there.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use model::parse;
use nix::errno::Errno;

use crate::command::{command, printed};

const IS_LINUX: bool = cfg!(target_os = "linux");

/// How long a program of the system may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The locale in which ps writes UTF-8 as it is: the C locale shows other letters as `?`
/// (procps) or as `M-C…` (macOS).
pub const UTF_8: &str = if IS_LINUX { "C.UTF-8" } else { "UTF-8" };

/// The identity of this boot, and that of the pid namespace.
///
/// # Errors
/// When the system does not say, as without a mounted `/proc`.
pub fn boot() -> io::Result<(String, String)> {
    if !IS_LINUX {
        // From sysctl(3), KERN_BOOTTIME. It changes when the clock is set: findings from before
        // then seem to be from another boot, and are refused.
        let text = answer(command(Path::new("/usr/sbin/sysctl")).args(["-n", "kern.boottime"]))?;
        let second = parse::ps::boot_second(&text)
            .ok_or_else(|| io::Error::other(format!("kern.boottime: not understood: {text}")))?;
        return Ok((second.to_string(), "none".to_owned()));
    }
    let with_path =
        |path: &str, error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
    let path = "/proc/self/ns/pid";
    let namespace = fs::read_link(path).map_err(|error| with_path(path, error))?;
    let namespace = namespace.to_string_lossy();
    let path = "/proc/sys/kernel/random/boot_id";
    let boot_id = fs::read_to_string(path).map_err(|error| with_path(path, error))?;
    let inode = parse::proc::link_inode(&namespace, "pid").map(|inode| inode.to_string());
    Ok((boot_id.trim().to_owned(), inode.unwrap_or_else(|| namespace.into_owned())))
}

/// Which process belongs to which service.
#[derive(Debug)]
pub struct Services {
    /// The jobs of launchd, by pid.
    jobs: HashMap<i32, String>,
}

impl Services {
    /// Asks the service manager.
    ///
    /// # Errors
    /// When it does not answer: then it is unknown what it holds.
    pub fn ask() -> io::Result<Services> {
        if IS_LINUX {
            return Ok(Services { jobs: HashMap::new() });
        }
        let text = answer(command(Path::new("/bin/launchctl")).arg("list"))?;
        let jobs = parse::ps::launchd_jobs(&text).into_iter();
        Ok(Services { jobs: jobs.map(|(pid, label)| (pid, label.to_owned())).collect() })
    }

    /// The service of a process: the unit of its control group, or its job.
    pub fn of(&self, pid: i32) -> Option<String> {
        if !IS_LINUX {
            return self.jobs.get(&pid).cloned();
        }
        let path = format!("/proc/{pid}/cgroup");
        match fs::read_to_string(&path) {
            Ok(text) => parse::cgroup::service(&text),
            // It has ended, or this kernel has no control groups.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => None,
            // A service that could not be read may hold it.
            Err(error) => Some(format!("unknown ({path}: {error})")),
        }
    }
}

/// Programs are called by their paths: cron's `PATH` does not lead to them all.
fn answer(program: &mut Command) -> io::Result<String> {
    let name = program.get_program().to_string_lossy().into_owned();
    let said = printed(program, LIMIT)
        .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    match said.success {
        true => Ok(said.stdout),
        false => Err(io::Error::other(format!("{name}: {}", said.stderr.trim()))),
    }
}
