//! Action records: printed, and appended to the log before and after each act.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use cli::{Failure, Printer};
use model::finding::{Action, Outcome, RemovedEntry};
use model::plan::Order;
use model::record::Record;

use crate::PROGRAM;

/// Where action records go.
pub struct Report {
    printer: Printer,
    log: Option<(PathBuf, File)>,
    quiet: bool,
    counts: BTreeMap<&'static str, usize>,
}

impl Report {
    /// A report that prints, except what went well if `quiet`, and appends to `log`.
    ///
    /// # Errors
    /// A log that cannot be opened.
    pub fn new(printer: Printer, log: Option<&Path>, quiet: bool) -> Result<Report, Failure> {
        let open = |path: &Path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map(|file| (path.to_owned(), file))
                .map_err(|error| Failure::Trouble(format!("{}: {error}", path.display())))
        };
        let log = log.map(open).transpose()?;
        Ok(Report { printer, log, quiet, counts: BTreeMap::new() })
    }

    /// Notes in the log what is about to be done, and waits until that is on disk.
    ///
    /// # Errors
    /// A log that cannot be written: then nothing may be done.
    pub fn planned(&mut self, order: &Order<'_>) -> Result<(), Failure> {
        self.append(&plan(order), true)
    }

    /// Prints that something would be done.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub fn would(&mut self, order: &Order<'_>) -> Result<(), Failure> {
        self.print(&plan(order))
    }

    /// Prints and logs what became of an order.
    ///
    /// # Errors
    /// Output or a log that cannot be written.
    pub fn became(
        &mut self,
        order: &Order<'_>,
        result: Outcome,
        reason: impl Into<String>,
    ) -> Result<(), Failure> {
        self.conclude(&action(order, result, reason.into()))
    }

    /// Prints and logs that an entry was taken out of a registry.
    ///
    /// # Errors
    /// Output or a log that cannot be written.
    pub fn removed(&mut self, order: &Order<'_>, entry: RemovedEntry) -> Result<(), Failure> {
        let done = action(order, Outcome::Done, "entry removed".to_owned());
        self.conclude(&Action { entry: Some(entry), ..done })
    }

    /// Says something on standard error, unless quiet.
    pub fn note(&self, note: &str) {
        if !self.quiet {
            PROGRAM.say(note);
        }
    }

    fn conclude(&mut self, action: &Action<'_>) -> Result<(), Failure> {
        self.append(action, false)?;
        self.print(action)
    }

    fn print(&mut self, action: &Action<'_>) -> Result<(), Failure> {
        *self.counts.entry(word(action.result)).or_default() += 1;
        let went_well = matches!(action.result, Outcome::Done | Outcome::Gone | Outcome::Planned);
        if self.quiet && went_well { Ok(()) } else { self.printer.record(&Record::Action(action)) }
    }

    fn append(&mut self, action: &Action<'_>, sync: bool) -> Result<(), Failure> {
        let Some((path, file)) = &mut self.log else { return Ok(()) };
        let failed =
            |error: std::io::Error| Failure::Trouble(format!("{}: {error}", path.display()));
        let mut line = serde_json::to_vec(&Record::Action(action)).map_err(Failure::trouble)?;
        line.push(b'\n');
        // One write for a line: several programs may append to the same log.
        file.write_all(&line).map_err(failed)?;
        if sync { file.sync_data().map_err(failed) } else { Ok(()) }
    }

    /// How many records there were of each result.
    pub fn counts(&self) -> &BTreeMap<&'static str, usize> {
        &self.counts
    }

    /// Whether anything failed, was refused or skipped.
    pub fn has_failures(&self) -> bool {
        ["failed", "refused", "skipped"].iter().any(|word| self.counts.contains_key(word))
    }

    /// Prints what is still to be printed.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.printer.finish()
    }
}

fn plan<'o>(order: &'o Order<'_>) -> Action<'o> {
    action(order, Outcome::Planned, order.finding.reason.to_string())
}

fn action<'o>(order: &'o Order<'_>, result: Outcome, reason: String) -> Action<'o> {
    Action {
        action: order.remedy,
        target: &order.finding.target,
        result,
        reason,
        at: host::clock::now(),
        entry: None,
        finding: order.raw,
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
    }
}
