//! Where the action records of a run are kept.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cli::Failure;
use nix::fcntl::OFlag;

/// The directory in that for the state of programs.
const PLACE: &str = "agentutils";
/// How many logs of one kind are kept there.
const KEPT: usize = 20;
const ENDING: &str = ".jsonl";
const NO_DIRECTORY: &str = "neither XDG_STATE_HOME nor HOME nor passwd(5) names a directory";

/// The name of a kept log, such as `cleanup-20260102T030405Z-812`: a word, a time in UTC, a pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName {
    word: String,
    rest: String,
}

impl LogName {
    /// Reads a name.
    ///
    /// # Errors
    /// A sentence that says how names look.
    pub fn parse(name: &str) -> Result<LogName, String> {
        let form = "########T######Z";
        let fits = |(byte, form): (u8, u8)| match form {
            b'#' => byte.is_ascii_digit(),
            _ => byte == form,
        };
        let parts: Vec<&str> = name.split('-').collect();
        if let [word, time, pid] = parts[..]
            && !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && time.len() == form.len()
            && time.bytes().zip(form.bytes()).all(fits)
            && (1..=10).contains(&pid.len())
            && pid.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Ok(LogName { word: word.to_owned(), rest: format!("{time}-{pid}") });
        }
        Err("a name is a word, a time and a pid, such as cleanup-20260102T030405Z-812".to_owned())
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.word, self.rest)
    }
}

/// A log that is open for appending.
#[derive(Debug)]
pub struct Log {
    /// Where it is.
    pub path: PathBuf,
    /// The file.
    pub file: File,
    /// Whether its place was not chosen by the user.
    pub is_kept: bool,
}

impl Log {
    /// The log of this name among those that are kept, or else the one at a path. A kept log is
    /// private to its user; of older ones of its kind the newest stay.
    ///
    /// # Errors
    /// When it cannot be opened or made.
    pub fn open(kept: Option<&LogName>, path: Option<&Path>) -> Result<Option<Log>, Failure> {
        if let Some(name) = kept {
            let directory = host::user::state_directory().map(|state| state.join(PLACE));
            let directory =
                directory.ok_or_else(|| Failure::Trouble(format!("--keep-log: {NO_DIRECTORY}")))?;
            return keep(&directory, name).map(Some).map_err(|error| {
                let place = directory.display();
                Failure::Trouble(format!(
                    "{place}: {error}; nothing was done; --log FILE logs elsewhere"
                ))
            });
        }
        let Some(path) = path else { return Ok(None) };
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| unwritable(path, &error))?;
        Ok(Some(Log { path: path.to_owned(), file, is_kept: false }))
    }
}

fn keep(directory: &Path, name: &LogName) -> io::Result<Log> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let own = host::user::uid();
    let owner = fs::metadata(directory)?.uid();
    if owner != own {
        let reason = format!("it belongs to uid {owner}, and this run is for uid {own}");
        return Err(io::Error::other(reason));
    }
    let path = directory.join(format!("{name}{ENDING}"));
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags.bits())
        .open(&path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("{name}{ENDING}: not a regular file")));
    }
    drop_older(directory, &name.word)?;
    Ok(Log { path, file, is_kept: true })
}

/// Removes the oldest logs of this kind. Other files are a person's.
fn drop_older(directory: &Path, word: &str) -> io::Result<()> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(ENDING));
        let name = name.and_then(|name| LogName::parse(name).ok());
        if let Some(name) = name.filter(|name| name.word == word)
            && entry.file_type()?.is_file()
        {
            logs.push((name.rest, entry.path()));
        }
    }
    logs.sort();
    logs.iter().rev().skip(KEPT).try_for_each(|(_, path)| fs::remove_file(path))
}

/// A log that cannot be written.
pub fn unwritable(log: &Path, error: &io::Error) -> Failure {
    Failure::Trouble(format!("{}: {error}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_logs() {
        let name = LogName::parse("cleanup-20260102T030405Z-812").unwrap();
        assert_eq!(name.to_string(), "cleanup-20260102T030405Z-812");
        for name in [
            "",
            "cleanup",
            "cleanup-20260102T030405Z",
            "cleanup-20260102T030405Z-",
            "cleanup-20260102T030405-812",
            "cleanup-2026010203040500-812",
            "-20260102T030405Z-812",
            "Cleanup-20260102T030405Z-812",
            "a/b-20260102T030405Z-812",
            "..-20260102T030405Z-812",
            "cleanup-20260102T030405Z-812-3",
            "cleanup-20260102T030405Z-8x",
        ] {
            assert!(LogName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_newest_of_a_kind_stay_and_nothing_else_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let others = [
            "mine.jsonl",
            "cleanup-20250102T030405Z-1.jsonl.bak",
            "cleanup-mine.jsonl",
            "other-20250102T030405Z-1.jsonl",
        ];
        others.iter().for_each(|name| fs::write(path(name), "").unwrap());
        fs::create_dir(path("cleanup-20250102T030405Z-2.jsonl")).unwrap();
        std::os::unix::fs::symlink("mine.jsonl", path("cleanup-20250102T030405Z-3.jsonl")).unwrap();
        for day in 1..=25 {
            let name = LogName::parse(&format!("cleanup-202601{day:02}T030405Z-9")).unwrap();
            keep(directory.path(), &name).unwrap();
        }
        let is_log = |day: u32| path(&format!("cleanup-202601{day:02}T030405Z-9.jsonl")).exists();
        assert!((1..=5).all(|day| !is_log(day)) && (6..=25).all(is_log));
        assert!(others.iter().all(|name| path(name).exists()));
        assert!(path("cleanup-20250102T030405Z-2.jsonl").is_dir());
        assert!(path("cleanup-20250102T030405Z-3.jsonl").is_symlink());
        let mode = |name: &str| fs::metadata(path(name)).unwrap().mode() & 0o777;
        assert_eq!(mode("cleanup-20260125T030405Z-9.jsonl"), 0o600);
        // A link in its place is not followed.
        std::os::unix::fs::symlink("mine.jsonl", path("cleanup-20270102T030405Z-1.jsonl")).unwrap();
        let name = LogName::parse("cleanup-20270102T030405Z-1").unwrap();
        assert!(keep(directory.path(), &name).is_err());
    }
}
