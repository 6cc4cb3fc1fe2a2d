//! Action records: printed, and appended to the log before and after each act.
//!
//! No act waits for a reader: what is printed is held back until all is done, so that a
//! slow one neither stretches a grace nor keeps a registry locked. And what has been begun
//! is finished and noted wherever it still can be, even when the log is full.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use cli::{Failure, Printer};
use model::plan::PlannedAction;
use model::record::Record;
use model::record::{Action, ActionKind, Outcome};
use model::record::{RemovedEntry, SqliteEntry};

use super::PROGRAM;
use super::progress::Progress;

/// Where action records go.
pub struct Report {
    printer: Printer,
    log: Option<(PathBuf, File)>,
    quiet: bool,
    /// What is said on the way.
    pub progress: Progress,
    counts: BTreeMap<&'static str, usize>,
    failure: Option<Failure>,
}

impl Report {
    /// A report that prints, except what went well if `quiet`, and appends to `log`.
    ///
    /// # Errors
    /// A log that cannot be opened.
    pub fn new(
        mut printer: Printer,
        log: Option<&Path>,
        quiet: bool,
        progress: Progress,
    ) -> Result<Report, Failure> {
        printer.set_now(host::clock::now());
        let open = |path: &Path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map(|file| (path.to_owned(), file)).map_err(|error| unwritable(path, &error))
        };
        let log = log.map(open).transpose()?;
        let printer = printer.held();
        Ok(Report { printer, log, quiet, progress, counts: BTreeMap::new(), failure: None })
    }

    /// Notes in the log what is about to be done, and waits until that is on disk.
    ///
    /// # Errors
    /// A log that cannot be written, or a report of something before that could not:
    /// then nothing may be done.
    pub fn planned(&mut self, action: &PlannedAction<'_>) -> Result<(), Failure> {
        self.all_planned([action])
    }

    /// The same for many, which takes no longer than for one.
    ///
    /// # Errors
    /// As of [`Report::planned`].
    pub fn all_planned<'o, 'a: 'o>(
        &mut self,
        actions: impl IntoIterator<Item = &'o PlannedAction<'a>>,
    ) -> Result<(), Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.log.is_none() {
            return Ok(());
        }
        actions.into_iter().try_for_each(|action| self.append(&plan(action)))?;
        let Some((path, file)) = &self.log else { return Ok(()) };
        file.sync_data().map_err(|error| unwritable(path, &error))
    }

    /// Prints that something would be done.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub fn record_dry_run(&mut self, action: &PlannedAction<'_>) -> Result<(), Failure> {
        if self.count(Outcome::Planned) { self.print(&plan(action)) } else { Ok(()) }
    }

    /// Prints and logs what became of an action. What cannot be written stops the next
    /// act, not the one that is reported here.
    pub fn record(&mut self, action: &PlannedAction<'_>, result: Outcome, reason: impl AsRef<str>) {
        self.conclude(action, result, reason.as_ref(), None);
    }

    /// Prints and logs that an entry was removed from a registry, or marked there.
    /// `remark`: what there is to say besides.
    pub fn removed(
        &mut self,
        action: &PlannedAction<'_>,
        entry: &RemovedEntry<'_>,
        remark: Option<&str>,
    ) {
        let how = if entry.is_marked() { "entry marked" } else { "entry removed" };
        let how = match entry {
            RemovedEntry::Json(_) => how.to_owned(),
            RemovedEntry::Sqlite(SqliteEntry { written, .. }) => {
                format!("{how} as {}", written.status.as_deref().unwrap_or_default())
            }
        };
        let how = remark.map_or_else(|| how.clone(), |remark| format!("{how}; {remark}"));
        self.conclude(action, Outcome::Done, &how, Some(entry));
    }

    /// Says something on standard error, unless quiet.
    pub fn note(&self, note: &str) {
        if !self.quiet {
            PROGRAM.say(note);
        }
    }

    fn conclude(
        &mut self,
        action: &PlannedAction<'_>,
        result: Outcome,
        reason: &str,
        entry: Option<&RemovedEntry<'_>>,
    ) {
        let is_printed = self.count(result);
        if !is_printed && self.log.is_none() {
            return;
        }
        let action = Action { entry, ..action_record(action, result, reason) };
        // Each for itself: one is there for when the other fails.
        let logged = self.append(&action);
        let printed = if is_printed { self.print(&action) } else { Ok(()) };
        if self.progress.verbose {
            let (result, what) = (word(result), action.action.word());
            self.progress.step(&format!("{result}: {what}: {}: {reason}", action.target));
        }
        let failure = logged.err().or(printed.err());
        self.failure = self.failure.take().or(failure);
    }

    /// Counts a result; returns whether it is printed.
    fn count(&mut self, result: Outcome) -> bool {
        *self.counts.entry(word(result)).or_default() += 1;
        let went_well = matches!(result, Outcome::Done | Outcome::Gone | Outcome::Planned);
        !(self.quiet && went_well)
    }

    fn print(&mut self, action: &Action<'_>) -> Result<(), Failure> {
        self.printer.record(&Record::Action(action))
    }

    fn append(&mut self, action: &Action<'_>) -> Result<(), Failure> {
        let Some((path, file)) = &mut self.log else { return Ok(()) };
        let mut line = serde_json::to_vec(&Record::Action(action)).map_err(Failure::trouble)?;
        line.push(b'\n');
        // One write for a line: several programs may append to the same log.
        file.write_all(&line).map_err(|error| unwritable(path, &error))
    }

    /// How many records there were of each result.
    pub fn counts(&self) -> &BTreeMap<&'static str, usize> {
        &self.counts
    }

    /// Whether anything failed, was refused or skipped.
    pub fn has_failures(&self) -> bool {
        ["failed", "refused", "skipped"].iter().any(|word| self.counts.contains_key(word))
    }

    /// Prints what is still to be printed. A table without rows is nothing to read for one
    /// who wants no success reported, and, where it was `stopped`, says what is not so.
    ///
    /// # Errors
    /// Output or a log that could not be written.
    pub fn finish(&mut self, stopped: bool) -> Result<(), Failure> {
        if !(self.printer.count() == 0 && (self.quiet || stopped)) {
            self.printer.finish()?;
        }
        self.failure.take().map_or(Ok(()), Err)
    }
}

fn plan<'o>(action: &'o PlannedAction<'_>) -> Action<'o> {
    action_record(action, Outcome::Planned, why(action))
}

/// Why something is to be done.
pub fn why<'o>(action: &'o PlannedAction<'_>) -> &'o str {
    match action.kind {
        // What the finding says was true before.
        ActionKind::RestoreEntry => "the entry goes back to where it was",
        _ => &action.reason,
    }
}

fn action_record<'o>(
    action: &'o PlannedAction<'_>,
    result: Outcome,
    reason: &'o str,
) -> Action<'o> {
    Action {
        action: action.kind,
        target: &action.target,
        result,
        reason,
        at: host::clock::now(),
        entry: None,
        finding: serde_json::from_str(action.raw).expect("the finding was read before"),
    }
}

fn unwritable(log: &Path, error: &std::io::Error) -> Failure {
    Failure::Trouble(format!("{}: {error}", log.display()))
}

fn word(result: Outcome) -> &'static str {
    match result {
        Outcome::Planned => "planned",
        Outcome::Done => "done",
        Outcome::Gone => "gone",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
    }
}
