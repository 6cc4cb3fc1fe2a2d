//! Action records: appended to the log and printed, each before the next action begins.
//!
//! What one action is, and when its records have been written:
//!
//! | action | its records are written |
//! |---|---|
//! | the processes that are ended together, in one grace | before the next lot is judged |
//! | a round of their descendants (`--tree`) | before the next round is judged |
//! | one session | before the next is judged |
//! | all changes to one registry, one write | when its lock is released, before the next is locked |
//!
//! A record is handed to a thread that writes it at once, so that no slow reader stretches a
//! grace or keeps a registry locked. Between two actions, when no grace runs and nothing is
//! locked, [`Report::deliver`] waits until the reader has taken everything. If standard
//! output or the log cannot be written, no further action begins; what was begun is
//! finished, and its records go to whichever of the two still takes them. What standard
//! output did not take is said on standard error.
//!
//! A table is printed at the end, also when the run stops early.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use cli::{Failure, Printer};
use model::plan::{PlanItem, PlannedAction};
use model::record::Record;
use model::record::{Action, ActionKind, Outcome, Process};
use model::record::{RemovedEntry, SqliteEntry};

use super::background::{self, Receipts};
use super::log::{Log, unwritable};
use super::program::PROGRAM;
use super::progress::Progress;

/// How long a signal may wait for the records of a registry to be printed.
const SETTLING: Duration = Duration::from_secs(1);

/// Where action records go.
pub struct Report {
    printer: Printer,
    is_table: bool,
    receipts: Receipts,
    /// How many receipts are to come.
    unwritten: usize,
    /// The texts of the records without a receipt; `None` for a record that was only planned.
    unprinted: VecDeque<Option<String>>,
    log: Option<Log>,
    /// Whether the log lacks a record.
    log_failed: bool,
    quiet: bool,
    /// What is said on standard error while it works.
    pub progress: Progress,
    counts: BTreeMap<&'static str, usize>,
    /// The resident memory of the processes that were ended, in bytes, when they were seen.
    pub memory: u64,
    expected: usize,
    failure: Option<Failure>,
}

impl Report {
    /// A report that prints all results, or only failures if `quiet`, and appends to `log`.
    ///
    /// # Errors
    /// When the thread that prints cannot be started.
    pub fn new(
        mut printer: Printer,
        is_table: bool,
        log: Option<Log>,
        quiet: bool,
        progress: Progress,
    ) -> Result<Report, Failure> {
        printer.set_now(host::clock::now());
        let (queue, receipts) = background::stdout().map_err(Failure::trouble)?;
        Ok(Report {
            printer: printer.unbuffered(queue),
            is_table,
            receipts,
            unwritten: 0,
            unprinted: VecDeque::new(),
            log,
            log_failed: false,
            quiet,
            progress,
            counts: BTreeMap::new(),
            memory: 0,
            expected: 0,
            failure: None,
        })
    }

    /// Sets how many actions there are, so that a run that stops early can say how many were
    /// not done.
    pub fn expect(&mut self, actions: usize) {
        self.expected = actions;
    }

    /// Waits until the reader has taken what was reported. To be called before an action
    /// is judged: while no grace runs and nothing is locked.
    ///
    /// # Errors
    /// Output or a log that could not be written: then nothing more may be done.
    pub fn deliver(&mut self) -> Result<(), Failure> {
        self.wait(None);
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Waits in the same way, but not for long. To be called while signals are blocked, so that
    /// a signal ends the program after the report, not before.
    pub fn settle(&mut self) {
        self.wait(Some(SETTLING));
    }

    /// Appends what is about to be done to the log, and waits until that is on disk.
    ///
    /// # Errors
    /// A log that cannot be written, or a report of something before that could not:
    /// then nothing may be done.
    pub fn all_planned<'o, 'a: 'o>(
        &mut self,
        actions: impl IntoIterator<Item = &'o PlannedAction<'a>>,
    ) -> Result<(), Failure> {
        self.wait(Some(Duration::ZERO));
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.log.is_none() {
            return Ok(());
        }
        actions.into_iter().try_for_each(|action| self.append(&plan(action)))?;
        let Some(Log { path, file, .. }) = &self.log else { return Ok(()) };
        file.sync_data().map_err(|error| unwritable(path, &error))
    }

    /// Prints that something would be done.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub fn record_dry_run(&mut self, action: &PlannedAction<'_>) -> Result<(), Failure> {
        if self.count(Outcome::Planned) { self.print(&plan(action), None) } else { Ok(()) }
    }

    /// Prints and logs the result of an action. A failure to write stops the next action, not
    /// this one.
    pub fn record(&mut self, action: &PlannedAction<'_>, result: Outcome, reason: impl AsRef<str>) {
        self.conclude(action, result, reason.as_ref(), None);
    }

    /// Prints and logs that a process has ended, and how.
    pub fn ended(&mut self, item: &PlanItem<'_, Process>, how: &str) {
        self.memory += item.subject.rss_bytes;
        self.record(&item.action, Outcome::Done, how);
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
        let says =
            format!("{}: {}: {}: {reason}", word(result), action.action.word(), action.target);
        self.progress.step(&says);
        // Both are tried: one may work where the other fails.
        let logged = self.append(&action);
        self.log_failed |= logged.is_err();
        let printed = if is_printed { self.print(&action, Some(says)) } else { Ok(()) };
        let failure = logged.err().or(printed.err());
        self.failure = self.failure.take().or(failure);
    }

    /// Counts a result; returns whether it is printed.
    fn count(&mut self, result: Outcome) -> bool {
        *self.counts.entry(word(result)).or_default() += 1;
        let went_well = matches!(
            result,
            Outcome::Done | Outcome::Gone | Outcome::Planned | Outcome::Unconfirmed
        );
        !(self.quiet && went_well)
    }

    /// Hands a record to the thread that prints; `says` is what it says, for when that fails.
    fn print(&mut self, action: &Action<'_>, says: Option<String>) -> Result<(), Failure> {
        self.unprinted.push_back(says);
        self.unwritten += usize::from(!self.is_table);
        self.printer.record(&Record::Action(action))
    }

    /// Takes receipts until all have come, or for as long as the limit allows.
    fn wait(&mut self, limit: Option<Duration>) {
        let deadline = limit.map(|limit| Instant::now() + limit);
        while self.unwritten > 0 {
            let receipt = match deadline {
                None => self.receipts.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.receipts.recv_timeout(left)
                }
            };
            let error = match receipt {
                Ok(Ok(())) if self.is_table => {
                    self.unprinted.clear();
                    None
                }
                Ok(Ok(())) => {
                    self.unprinted.pop_front();
                    None
                }
                Err(RecvTimeoutError::Timeout) => return,
                Ok(Err(error)) => Some(error),
                // The thread ends after an error, which was reported.
                Err(RecvTimeoutError::Disconnected) => Some(io::ErrorKind::BrokenPipe.into()),
            };
            self.unwritten -= 1;
            if let Some(error) = error {
                self.unwritten = 0;
                self.failure.get_or_insert(Failure::Output(error));
            }
        }
    }

    fn append(&mut self, action: &Action<'_>) -> Result<(), Failure> {
        let Some(Log { path, file, .. }) = &mut self.log else { return Ok(()) };
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

    /// Prints what is still to be printed, and says what could not be. A table without rows is
    /// not printed if `quiet`, nor if the run was `stopped`: it would say that there was
    /// nothing to do.
    ///
    /// # Errors
    /// Output or a log that could not be written.
    pub fn finish(&mut self, stopped: bool) -> Result<(), Failure> {
        // Without headings, such a table is no text at all, and nothing would be written.
        let is_shown =
            self.printer.count() > 0 || self.printer.style().headings && !self.quiet && !stopped;
        if self.is_table && is_shown {
            self.unwritten += 1;
            self.printer.finish()?;
        }
        self.wait(None);
        let unprinted = std::mem::take(&mut self.unprinted);
        let unprinted: Vec<String> = unprinted.into_iter().flatten().collect();
        match &self.log {
            Some(log) if !unprinted.is_empty() && !self.log_failed => {
                let (log, count) = (log.path.display(), unprinted.len());
                PROGRAM.say(&format!("{count} results could not be printed; they are in {log}"));
            }
            _ => unprinted.iter().for_each(|says| PROGRAM.say(says)),
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Says how many actions were not done by a run that stopped early.
    pub fn say_rest(&self) {
        let reported: usize = self.counts.values().sum();
        let rest = self.expected.saturating_sub(reported);
        if rest > 0 {
            PROGRAM.say(&format!("stopped; not done: {rest} of {}", self.expected));
        }
    }
}

fn plan<'o>(action: &'o PlannedAction<'_>) -> Action<'o> {
    action_record(action, Outcome::Planned, why(action))
}

/// Why something is to be done.
pub fn why<'o>(action: &'o PlannedAction<'_>) -> &'o str {
    match action.kind {
        // The reason of the finding is about the time before.
        ActionKind::RestoreEntry => "the entry is put back where it was",
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
        finding: serde_json::from_str(action.raw).expect("the finding was parsed before"),
    }
}

fn word(result: Outcome) -> &'static str {
    match result {
        Outcome::Planned => "planned",
        Outcome::Done => "done",
        Outcome::Gone => "gone",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
        Outcome::Unconfirmed => "unconfirmed",
    }
}
