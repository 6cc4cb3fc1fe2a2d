//! A stand-in for a headless Claude: it announces itself and waits.
//!
//! It ignores its arguments. They are there for tools that read command lines.
//! What it does is set by its environment:
//!
//! | variable | effect |
//! |---|---|
//! | `STANDIN_WORLD` | directory; when it is gone, or this is not set, the stand-in ends |
//! | `STANDIN_READY` | directory in which it writes a file named after its pid once it is set up; its children do so in `children` therein |
//! | `STANDIN_IGNORE` | signals that do not end it, such as `TERM,HUP` |
//! | `STANDIN_CHILDREN` | number of further stand-ins it starts as its children |
//! | `STANDIN_REAPS` | a shell command that it runs; it becomes the parent of the orphans of that command |
//! | `STANDIN_COMM` | the short name it gives itself |
//! | `STANDIN_PRINT` | `1`: a line on standard output every 100 ms |
//! | `STANDIN_TICK` | milliseconds between two checks whether its world still exists, instead of 100 |
//! | `STANDIN_SECONDS` | it ends by itself after so many seconds |
//!
//! With `STANDIN_GUARD` it is the guard of the world in that directory instead: when its
//! standard input is closed, it ends what was started there and removes the directory.
//!
//! It never stays behind, whatever happens to the test: it ends when the directory of its world
//! is gone, and after 15 minutes at the latest.

#[path = "world/teardown.rs"]
mod teardown;

use std::env;
use std::error::Error;
use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};

const TICK: Duration = Duration::from_millis(100);
const LONGEST_LIFE: Duration = Duration::from_mins(15);

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(world) = env::var_os("STANDIN_GUARD") {
        return guard(Path::new(&world));
    }
    let Some(world) = env::var_os("STANDIN_WORLD").map(PathBuf::from) else {
        return Err("STANDIN_WORLD is not set: there is nothing to stand in for".into());
    };
    if let Some(signals) = variable("STANDIN_IGNORE") {
        ignore(&signals)?;
    }
    if let Some(name) = variable("STANDIN_COMM") {
        prctl::set_name(&CString::new(name)?)?;
    }
    if let Some(command) = variable("STANDIN_REAPS") {
        reap(&command)?;
    }
    let ready = env::var_os("STANDIN_READY").map(PathBuf::from);
    let mut children = children(ready.as_deref())?;
    if let Some(directory) = ready {
        fs::write(directory.join(process::id().to_string()), "")?;
    }
    if variable("STANDIN_PRINT").is_some_and(|value| value == "1") {
        thread::spawn(print);
    }
    wait(&world, &mut children)
}

fn guard(world: &Path) -> Result<(), Box<dyn Error>> {
    io::copy(&mut io::stdin(), &mut io::sink())?;
    if !teardown::end_all(world) {
        return Err(format!("{}: not all processes of this world ended", world.display()).into());
    }
    Ok(fs::remove_dir_all(world)?)
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Result<Option<u64>, Box<dyn Error>> {
    let parsed = variable(name).map(|value| value.parse());
    Ok(parsed.transpose().map_err(|error| format!("{name}: {error}"))?)
}

/// Blocks the signals. A blocked signal stays pending and kills nobody, which is all that
/// others can see of an ignored one; unlike a handler it needs no unsafe code. Called
/// while there is only this thread, so that later ones take its mask over.
fn ignore(signals: &str) -> Result<(), Box<dyn Error>> {
    let mut blocked = SigSet::empty();
    for signal in signals.split(',') {
        blocked.add(format!("SIG{signal}").parse::<Signal>()?);
    }
    Ok(blocked.thread_block()?)
}

/// Becomes a subreaper, see prctl(2), and runs a command.
fn reap(command: &str) -> Result<(), Box<dyn Error>> {
    prctl::set_child_subreaper(true)?;
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", command]).env_remove("STANDIN_REAPS").status()?;
    if status.success() { Ok(()) } else { Err(format!("STANDIN_REAPS: {status}").into()) }
}

/// Starts the children and waits until they are set up.
fn children(ready: Option<&Path>) -> Result<Vec<Child>, Box<dyn Error>> {
    let count = number("STANDIN_CHILDREN")?.unwrap_or(0);
    if count == 0 {
        return Ok(Vec::new());
    }
    let ready = ready.ok_or("STANDIN_CHILDREN needs STANDIN_READY")?.join("children");
    fs::create_dir(&ready)?;
    let executable = env::current_exe()?;
    let start = |_| {
        let mut command = Command::new(&executable);
        command.args(env::args_os().skip(1));
        command.env("STANDIN_READY", &ready).env_remove("STANDIN_CHILDREN").spawn()
    };
    let children = (0..count).map(start).collect::<io::Result<Vec<_>>>()?;
    while !children.iter().all(|child| ready.join(child.id().to_string()).exists()) {
        // Also when the world is gone meanwhile, and the children with it.
        fs::metadata(&ready)?;
        thread::sleep(Duration::from_millis(5));
    }
    Ok(children)
}

/// A thread of its own: a pipe that nobody empties must not keep the process alive.
fn print() {
    loop {
        // The reader may be gone: that is one of the cases to test.
        let _ = writeln!(io::stdout(), r#"{{"type":"assistant"}}"#);
        thread::sleep(TICK);
    }
}

fn wait(world: &Path, children: &mut [Child]) -> Result<(), Box<dyn Error>> {
    let life = number("STANDIN_SECONDS")?.map_or(LONGEST_LIFE, Duration::from_secs);
    let tick = number("STANDIN_TICK")?.map_or(TICK, Duration::from_millis);
    let end = Instant::now() + life.min(LONGEST_LIFE);
    while world.exists() && Instant::now() < end {
        for child in &mut *children {
            child.try_wait()?;
        }
        thread::sleep(tick);
    }
    Ok(())
}
