//! What the numbers were measured on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::race::program;
use super::scale::Scale;
use super::world::run;

/// A heading and one line about the machine and the contenders.
pub fn described(scale: Scale) -> String {
    let version = |name: &str, option: &str| {
        let ran = run(Command::new(program(name)).arg(option), "");
        ran.out.lines().chain(ran.err.lines()).next().unwrap_or_default().to_owned()
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let python = run(Command::new(python()).arg("--version"), "").out;
    let small =
        if scale == Scale::Quick { "Small worlds: the ratios mean nothing.\n\n" } else { "" };
    format!(
        "# make bench\n\n{small}{cores} cores, load {load}; {}, {}, {}, {}. Medians, quartiles in \
         brackets; contenders took turns.\n",
        version("tmux", "-V"),
        version("ps", "--version"),
        version("jq", "--version"),
        python.trim(),
    )
}

/// The real Python, not a shim that looks for it at every start.
pub fn python() -> PathBuf {
    let ask = "import sys; print(sys.executable)";
    let said = run(Command::new(program("python3")).args(["-c", ask]), "").ok();
    Path::new(said.out.trim()).to_owned()
}
