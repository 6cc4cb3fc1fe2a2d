//! The progress file of an agent: one line of JSON a report, of which the orchestrator
//! believes the last one more than its own task registry.

use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::Serialize;
use serde_json::Value;

use super::workspace::Workspace;

/// How much of the end of a file is read for its last line, in bytes. A stream log ends
/// with all that Claude said last.
const TAIL: u64 = 1 << 20;
/// The orchestrator looks for the last line that is JSON among this many.
const LAST_LINES: usize = 20;

/// A line of a progress file, in the orchestrator's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line<'l> {
    /// Local time without an offset.
    pub timestamp: &'l str,
    /// The agent's id.
    pub agent_id: &'l str,
    /// The agent's status.
    pub status: &'l str,
    /// What is to be said about it.
    pub message: &'l str,
    /// From 0 to 100.
    pub progress: i64,
}

/// What is read of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct LastLine(Value);

impl LastLine {
    /// The text of a member: `timestamp` and `status` of a report, `type` of a stream log.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Whether a member is true, as `is_error` of a stream log.
    pub fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// What became of a line that was to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the file.
    Done,
    /// Somebody appended a line first: the agent reports. That line is the last again.
    OtherFirst,
    /// The file was not as it was expected: nothing was appended.
    Changed,
}

/// The file of one agent, relative to its workspace.
#[derive(Clone, Debug)]
pub struct ProgressFile<'w> {
    workspace: &'w Workspace,
    relative: PathBuf,
}

impl<'w> ProgressFile<'w> {
    /// The file of this agent. `named`: where its task's registry says it is, which counts
    /// if that is inside the workspace and has the name of this agent's file: a line in the
    /// database, a registry or the file of another agent would end what lives.
    pub fn of(workspace: &'w Workspace, task: &str, agent: &str, named: Option<&Path>) -> Self {
        let usual = || below(task, "progress", agent, "progress");
        let named = named.and_then(|path| workspace.relative(path));
        let named = named.filter(|path| path.file_name() == usual().file_name());
        ProgressFile { workspace, relative: named.unwrap_or_else(usual) }
    }

    /// Where it is, below the workspace.
    pub fn relative(&self) -> &Path {
        &self.relative
    }

    /// Its size in bytes; 0 where there is none.
    ///
    /// # Errors
    /// When it is no file that may be appended to.
    pub fn size(&self) -> io::Result<u64> {
        match self.workspace.open(&self.relative, OFlag::O_RDONLY) {
            Ok((_, metadata)) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Its last line that is JSON.
    ///
    /// # Errors
    /// When it is no file that may be read.
    pub fn last(&self) -> io::Result<Option<LastLine>> {
        last_line(self.workspace, &self.relative)
    }

    /// Appends a line, if the file has the size given, and sees to it that a report which
    /// slips in between stays the last.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&self, size: u64, line: &Line<'_>) -> io::Result<Appended> {
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT;
        let open = || self.workspace.open(&self.relative, flags);
        let (mut file, metadata) = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && size == 0 => {
                self.workspace.make_directory_of(&self.relative)?;
                open()?
            }
            opened => opened?,
        };
        if metadata.len() != size {
            return Ok(Appended::Changed);
        }
        let mut bytes = Vec::new();
        let mut last = [b'\n'];
        if size > 0 {
            file.read_exact_at(&mut last, size - 1)?;
        }
        if last != [b'\n'] {
            bytes.push(b'\n');
        }
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
        file.write_all(&bytes)?;
        let mut behind = vec![0; (file.metadata()?.len().saturating_sub(size)) as usize];
        let count = file.read_at(&mut behind, size)?;
        behind.truncate(count);
        let Some(other) = slipped_in(&behind, &bytes) else { return Ok(Appended::Done) };
        file.write_all(&[other, b"\n"].concat())?;
        Ok(Appended::OtherFirst)
    }
}

/// The last line that stands before ours, if nothing stands behind ours yet.
fn slipped_in<'b>(behind: &'b [u8], ours: &[u8]) -> Option<&'b [u8]> {
    if behind.starts_with(ours) || !behind.ends_with(ours) {
        return None;
    }
    let before = &behind[..behind.len() - ours.len()];
    before.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty())
}

/// The last line of a file in the workspace that is JSON; None where there is none.
///
/// # Errors
/// When it is there, but cannot be read.
pub fn last_line(workspace: &Workspace, relative: &Path) -> io::Result<Option<LastLine>> {
    let (file, metadata) = match workspace.open(relative, OFlag::O_RDONLY) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let start = metadata.len().saturating_sub(TAIL);
    let mut bytes = vec![0; (metadata.len() - start) as usize];
    let count = file.read_at(&mut bytes, start)?;
    let lines = bytes[..count].split(|&byte| byte == b'\n').rev();
    let lines = lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    Ok(lines.take(LAST_LINES).find_map(|line| serde_json::from_slice(line).ok()).map(LastLine))
}

/// `TASK/<directory>/<agent>_<what>.jsonl`
pub fn below(task: &str, directory: &str, agent: &str, what: &str) -> PathBuf {
    Path::new(task).join(directory).join(format!("{agent}_{what}.jsonl"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn world() -> (tempfile::TempDir, Workspace) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("registry")).unwrap();
        fs::create_dir_all(directory.path().join("T")).unwrap();
        let database = directory.path().canonicalize().unwrap().join("registry/state.sqlite3");
        (directory, Workspace::of(&database).unwrap())
    }

    const LINE: Line<'static> =
        Line { timestamp: "t", agent_id: "a", status: "failed", message: "m", progress: 3 };
    const TEXT: &str =
        r#"{"timestamp":"t","agent_id":"a","status":"failed","message":"m","progress":3}"#;

    #[test]
    fn a_line_is_appended_behind_whole_lines() {
        let (directory, workspace) = world();
        let file = ProgressFile::of(&workspace, "T", "a", None);
        assert_eq!(file.size().unwrap(), 0);
        assert_eq!(file.append(0, &LINE).unwrap(), Appended::Done);
        let path = directory.path().join("T/progress/a_progress.jsonl");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{TEXT}\n"));
        fs::write(&path, "{\"status\": \"working\"}").unwrap();
        assert_eq!(file.append(1, &LINE).unwrap(), Appended::Changed);
        assert_eq!(file.append(21, &LINE).unwrap(), Appended::Done);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{{\"status\": \"working\"}}\n{TEXT}\n"));
        assert_eq!(file.last().unwrap().unwrap().text("status"), Some("failed"));
    }

    #[test]
    fn a_report_that_slips_in_stays_the_last() {
        let ours = b"ours\n";
        assert_eq!(slipped_in(b"ours\n", ours), None);
        assert_eq!(slipped_in(b"a\nb\nours\n", ours), Some(&b"b"[..]));
        assert_eq!(slipped_in(b"a\nours\nb\n", ours), None);
        assert_eq!(slipped_in(b"ours\nb\n", ours), None);
    }

    #[test]
    fn the_last_line_is_the_last_that_is_json() {
        let (directory, workspace) = world();
        let path = directory.path().join("T/log");
        for (text, status) in [
            ("", None),
            ("{\"status\": \"a\"}\n{\"status\": \"b\"}\n\n", Some("b")),
            ("{\"status\": \"a\"}\n{\"status\": \"b", Some("a")),
        ] {
            fs::write(&path, text).unwrap();
            let last = last_line(&workspace, Path::new("T/log")).unwrap();
            assert_eq!(last.as_ref().and_then(|last| last.text("status")), status, "{text}");
        }
        assert_eq!(last_line(&workspace, Path::new("T/none")).unwrap(), None);
    }

    #[test]
    fn nothing_outside_the_workspace_is_touched() {
        let (directory, workspace) = world();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("a_progress.jsonl"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), directory.path().join("T/progress")).unwrap();
        let linked = ProgressFile::of(&workspace, "T", "a", None);
        assert!(linked.append(0, &LINE).is_err());
        let above = ProgressFile::of(&workspace, "..", "a", None);
        assert!(above.size().unwrap_err().to_string().contains("outside the workspace"));
        assert!(ProgressFile::of(&workspace, "T", "/../../a", None).append(0, &LINE).is_err());
        // Where the task's registry names one outside, the usual one counts.
        let named = outside.path().join("a_progress.jsonl");
        let file = ProgressFile::of(&workspace, "U", "a", Some(&named));
        assert_eq!(file.relative(), Path::new("U/progress/a_progress.jsonl"));
        let inside = workspace.path.join("T/a_progress.jsonl");
        let file = ProgressFile::of(&workspace, "U", "a", Some(&inside));
        assert_eq!(file.relative(), Path::new("T/a_progress.jsonl"));
        for other in ["registry/state.sqlite3", "T/AGENT_REGISTRY.json", "U/b_progress.jsonl"] {
            let file = ProgressFile::of(&workspace, "U", "a", Some(&workspace.path.join(other)));
            assert_eq!(file.relative(), Path::new("U/progress/a_progress.jsonl"), "{other}");
        }
        assert_eq!(fs::read(outside.path().join("a_progress.jsonl")).unwrap(), b"");
    }
}
