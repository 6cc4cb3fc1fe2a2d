//! Contenders that take turns, and the time that each needs.

use std::cmp::Ordering;
use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one contender needed in each of its turns.
#[derive(Clone, Debug)]
pub struct Times(Vec<Duration>);

impl Times {
    /// The median in seconds.
    pub fn median(&self) -> f64 {
        self.part(2)
    }

    /// A quartile of the times, in seconds.
    fn part(&self, quarters: usize) -> f64 {
        self.0[(self.0.len() - 1) * quarters / 4].as_secs_f64()
    }
}

/// The median; the quartiles in brackets.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&seconds(self.median()))?;
        match self.0.len().cmp(&1) {
            Ordering::Greater => {
                write!(f, " ({}–{})", seconds(self.part(1)), seconds(self.part(3)))
            }
            _ => Ok(()),
        }
    }
}

/// A time in a unit that suits it.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        ..0.001 => format!("{:.0} µs", seconds * 1e6),
        ..0.01 => format!("{:.2} ms", seconds * 1e3),
        ..0.1 => format!("{:.1} ms", seconds * 1e3),
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

/// Lets contenders take turns; each call of one is a turn and returns what it needed.
pub fn race<const N: usize>(
    rounds: usize,
    mut contenders: [&mut dyn FnMut() -> Duration; N],
) -> [Times; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..rounds {
        for (times, contender) in times.iter_mut().zip(&mut contenders) {
            times.push(contender());
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        Times(times)
    })
}

/// What a command needs from its start to its end. Its output goes to /dev/null.
///
/// # Panics
/// When it ends in another way than with this status.
pub fn time(command: &mut Command, status: i32) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let ended = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let needed = began.elapsed();
    assert_eq!(ended.code(), Some(status), "{command:?}");
    needed
}

/// The path of a program, so that starting it includes no search.
///
/// # Panics
/// When it is not in `PATH`.
pub fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name}: not in PATH"))
}

/// The directory that cargo builds in: this program is `target/PROFILE/examples/bench`.
pub fn target_directory() -> PathBuf {
    let own = env::current_exe().expect("the path of this program");
    own.ancestors().nth(3).expect("a directory of cargo's").to_owned()
}
