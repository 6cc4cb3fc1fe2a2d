//! One run of a lister: its records and the `end` record that proves they are all there.

use model::record::{End, Record};

use crate::diagnostics::{Failure, Program};
use crate::output::Printer;

/// A scan that is being written.
#[derive(Debug)]
pub struct ScanWriter {
    /// Its closing record.
    pub end: End,
    program: Program,
    printer: Printer,
    trouble: Vec<String>,
}

impl ScanWriter {
    /// Begins a scan. `end` is its closing record; its count is set when it is written.
    pub fn new(program: Program, mut printer: Printer, end: End) -> ScanWriter {
        printer.set_now(end.taken_at);
        ScanWriter { end, program, printer, trouble: Vec::new() }
    }

    /// Writes a record.
    ///
    /// # Errors
    /// When it cannot be written, or the filter fails on it.
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        self.printer.record(record)
    }

    /// Says what could not be read. The scan is not complete then.
    pub fn trouble(&mut self, reason: String) {
        self.program.say(&reason);
        self.trouble.push(reason);
    }

    /// Says something that does not make the scan incomplete.
    pub fn note(&self, note: &str) {
        self.program.say(note);
    }

    /// Writes the closing record. Returns the exit status: 0, or 2 when incomplete.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<u8, Failure> {
        self.end.complete = self.trouble.is_empty();
        self.end.filtered |= self.printer.filters();
        self.end.count = self.printer.count();
        self.end.error = (!self.trouble.is_empty()).then(|| self.trouble.join("; "));
        if !self.end.complete {
            self.printer.set_incomplete();
        }
        self.printer.end(&Record::End(&self.end))?;
        self.printer.finish()?;
        Ok(if self.end.complete { 0 } else { 2 })
    }
}
