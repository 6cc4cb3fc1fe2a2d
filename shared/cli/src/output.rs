//! Prints records: as JSON Lines, or as a table when asked for one.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::args::{LayoutArgs, OutputArgs};
use crate::cell::{self, Cell};
use crate::column::{Column, columns};
use crate::diagnostics::{Failure, Program};
use crate::field::{Output, RecordType, Unit};
use crate::filter::Filter;
use crate::misspelt::misspelt;
use crate::table::{self, TableStyle};
use crate::units::{bytes, duration};

/// How many bytes are usually written at a time.
const CHUNK: usize = 1 << 16;

/// How records are laid out.
#[derive(Clone, Debug)]
enum Layout {
    /// Whole records, one a line.
    Lines,
    /// Records of these fields only, one a line.
    FieldLines(Vec<String>),
    /// A table with these columns.
    Table(Vec<Column>),
    /// None: the program takes the records and lays them out itself.
    Kept(Vec<Value>),
}

/// Where a printer writes.
struct Sink(Box<dyn Write>);

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// Prints records, to standard output unless told otherwise.
#[derive(Debug)]
pub struct Printer {
    out: Sink,
    buffer: Vec<u8>,
    /// How many bytes are collected before they are written.
    chunk: usize,
    layout: Layout,
    style: TableStyle,
    filter: Option<Filter>,
    program: &'static str,
    records: &'static [RecordType],
    rows: Vec<Vec<Cell>>,
    sums: Sums,
    count: u64,
}

impl Printer {
    /// A printer as the options say.
    ///
    /// # Errors
    /// A filter that is not an expression.
    pub fn new<O: Output>(args: &OutputArgs<O>) -> Result<Printer, Failure> {
        let filter = args.filter.as_deref().map(Filter::new).transpose();
        let filter = filter.map_err(Failure::Trouble)?;
        let mut printer = Printer::unfiltered(&args.layout);
        printer.filter = filter;
        Ok(printer)
    }

    /// A printer for a program that has no filter.
    pub fn unfiltered<O: Output>(args: &LayoutArgs<O>) -> Printer {
        let layout = match (args.table, args.fields.is_empty()) {
            (false, true) => Layout::Lines,
            (false, false) => Layout::FieldLines(args.fields.clone()),
            (true, true) => Layout::Table(columns::<O>(O::COLUMNS)),
            (true, false) => Layout::Table(columns::<O>(&args.fields)),
        };
        let stdout = io::stdout();
        Printer {
            style: args.style(&stdout),
            out: Sink(Box::new(stdout.lock())),
            buffer: Vec::new(),
            chunk: CHUNK,
            layout,
            filter: None,
            program: O::PROGRAM,
            records: O::RECORDS,
            rows: Vec::new(),
            sums: Sums::default(),
            count: 0,
        }
    }

    /// Changes the printer to write to `out`: each record at once, with one call of `write`; a
    /// table when it is finished.
    pub fn unbuffered(mut self, out: impl Write + 'static) -> Printer {
        self.out = Sink(Box::new(out));
        self.chunk = 0;
        self
    }

    /// Changes the printer to keep the records for [`Printer::take`] and not print them: for a
    /// program with a layout of its own.
    pub fn keeping(mut self) -> Printer {
        self.layout = Layout::Kept(Vec::new());
        self
    }

    /// Sets the instant that ages in tables are counted to. Without it, times show as they are.
    pub fn set_now(&mut self, now: Timestamp) {
        self.style.now = Some(now);
    }

    /// Makes a table say that records are missing, so that an empty one does not read as "there
    /// is none".
    pub fn set_incomplete(&mut self) {
        self.sums.incomplete = true;
    }

    /// How tables look here.
    pub fn style(&self) -> TableStyle {
        self.style
    }

    /// Whether a filter leaves records out.
    pub fn filters(&self) -> bool {
        self.filter.is_some()
    }

    /// How many records were kept.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The records that were kept, if this printer is [`Printer::keeping`] them.
    pub fn take(&mut self) -> Option<Vec<Value>> {
        match &mut self.layout {
            Layout::Kept(kept) => Some(std::mem::take(kept)),
            _ => None,
        }
    }

    /// Prints a record, if the filter keeps it.
    ///
    /// # Errors
    /// When it cannot be written, or the filter fails on it.
    pub fn record(&mut self, record: &impl Serialize) -> Result<(), Failure> {
        if self.filter.is_none() && matches!(self.layout, Layout::Lines) {
            self.count += 1;
            return self.line(record);
        }
        let value = serde_json::to_value(record).map_err(io::Error::from)?;
        if let Some(filter) = &self.filter
            && !filter.keeps(&value).map_err(Failure::Trouble)?
        {
            return Ok(());
        }
        self.count += 1;
        match &mut self.layout {
            // The record itself, not the value: its fields keep their order.
            Layout::Lines => self.line(record)?,
            Layout::FieldLines(fields) => {
                self.buffer.extend_from_slice(field_line(&value, fields)?.as_bytes());
                self.pass_on()?;
            }
            Layout::Table(columns) => {
                let of = self.records.iter().find(|of| value["type"] == of.word);
                // A record of a type that the columns are not for gets no row.
                if of.is_some_and(|of| columns.iter().any(|column| of.has(&column.path))) {
                    let cells = columns.iter().map(|c| cell::cell(&value, c, self.style.now));
                    self.rows.push(cells.collect());
                    self.sums.add(&value, columns);
                }
            }
            Layout::Kept(kept) => kept.push(value),
        }
        Ok(())
    }

    /// Prints the record that closes a scan: never filtered, not in a table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&mut self, end: &impl Serialize) -> Result<(), Failure> {
        match self.layout {
            Layout::Lines => self.line(end),
            Layout::FieldLines(_) | Layout::Table(_) | Layout::Kept(_) => Ok(()),
        }
    }

    /// Prints what is still to be printed. If the filter has matched nothing, standard error says
    /// which of its words no record has.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> Result<(), Failure> {
        if let Some(filter) = self.filter.as_ref().filter(|_| self.count == 0) {
            let notes = misspelt(filter.expression(), self.records, self.program);
            notes.iter().for_each(|note| Program::new(self.program).say(note));
        }
        if let Layout::Table(columns) = &self.layout {
            let rows = std::mem::take(&mut self.rows);
            let mut text = table::render(columns, &rows, &self.style);
            if self.style.headings {
                text += &format!("\n{}\n", self.sums.text(self.records));
            }
            self.buffer.extend_from_slice(text.as_bytes());
        }
        Ok(self.flush()?)
    }

    /// Prints a text of the program's own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.buffer.extend_from_slice(text.as_bytes());
        self.pass_on()
    }

    fn line(&mut self, record: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.buffer, record).map_err(io::Error::from)?;
        self.buffer.push(b'\n');
        self.pass_on()
    }

    fn pass_on(&mut self) -> Result<(), Failure> {
        let is_due = self.buffer.len() >= self.chunk;
        if is_due {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.out.0.write_all(&self.buffer);
        // Cleared even after an error, so that nothing is written twice.
        self.buffer.clear();
        written?;
        self.out.0.flush()
    }
}

/// Prints what is still to be printed, whatever made the program stop.
impl Drop for Printer {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// A line of an object with these fields, in this order.
fn field_line(record: &Value, fields: &[String]) -> io::Result<String> {
    let mut line = String::from("{");
    for (at, path) in fields.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        line += &format!("{comma}{}:{}", serde_json::to_string(path)?, cell::at(record, path));
    }
    line += "}\n";
    Ok(line)
}

/// The line below a table: how many records of each type there are, and the sums of fields.
#[derive(Debug, Default)]
struct Sums {
    counts: BTreeMap<String, u64>,
    sums: Vec<(Unit, &'static str, f64)>,
    incomplete: bool,
}

impl Sums {
    fn add(&mut self, record: &Value, columns: &[Column]) {
        let word = record["type"].as_str().unwrap_or_default();
        *self.counts.entry(word.to_owned()).or_default() += 1;
        let summed = columns.iter().filter_map(|column| Some((column, column.field.sum?)));
        for (at, (column, what)) in summed.enumerate() {
            if self.sums.len() == at {
                self.sums.push((column.field.unit, what, 0.0));
            }
            self.sums[at].2 += cell::at(record, &column.path).as_f64().unwrap_or(0.0);
        }
    }

    fn text(&self, records: &[RecordType]) -> String {
        let count = |of: &RecordType| match self.counts.get(of.word) {
            None => None,
            Some(1) => Some(format!("1 {}", of.word)),
            Some(many) => Some(format!("{many} {}", of.plural)),
        };
        let mut parts: Vec<String> = records.iter().filter_map(count).collect();
        if parts.is_empty() && !self.incomplete {
            parts.extend(records.first().map(|of| format!("no {}", of.plural)));
        }
        for (unit, what, sum) in &self.sums {
            let sum = match unit {
                Unit::Bytes => bytes(*sum as u64),
                Unit::Seconds => duration(*sum),
                _ => sum.to_string(),
            };
            parts.push(format!("{sum} {what}"));
        }
        if self.incomplete {
            parts.push("the list is incomplete".to_owned());
        }
        parts.join(", ")
    }
}
