//! Printing records: as JSON Lines, always, or as a table when asked for one.

use std::io::{self, StdoutLock, Write};

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::diagnostics::Failure;
use crate::filter::Filter;
use crate::table;

/// The options for the layout of output, which all programs have.
#[derive(Args, Clone, Debug, Default)]
pub struct LayoutArgs {
    /// Print a table for people instead of JSON Lines
    #[arg(short = 'T', long)]
    pub table: bool,

    /// Print only these fields of each record; `a.b` is field b of field a
    #[arg(short = 'o', long, value_name = "LIST", value_delimiter = ',')]
    pub fields: Vec<String>,
}

/// The options for output of the programs that only look.
#[derive(Args, Clone, Debug, Default)]
pub struct OutputArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub layout: LayoutArgs,

    /// Keep the records for which this jq expression is true
    #[arg(short = 'Q', long, value_name = "EXPR")]
    pub filter: Option<String>,
}

/// How much is printed at a time.
const CHUNK: usize = 1 << 16;

/// How records are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Whole records, one a line.
    Lines,
    /// Records of these fields only, one a line.
    FieldLines(Vec<String>),
    /// A table with these columns.
    Table(Vec<String>),
}

/// Prints records to standard output.
#[derive(Debug)]
pub struct Printer {
    out: StdoutLock<'static>,
    buffer: Vec<u8>,
    held: bool,
    layout: Layout,
    filter: Option<Filter>,
    rows: Vec<Vec<String>>,
    count: u64,
}

impl Printer {
    /// A printer as the options say. `columns`: those of a table without `-o`.
    ///
    /// # Errors
    /// A filter that is not an expression.
    pub fn new(args: &OutputArgs, columns: &[&str]) -> Result<Printer, Failure> {
        let filter = args.filter.as_deref().map(Filter::new).transpose();
        let filter = filter.map_err(Failure::Trouble)?;
        let mut printer = Printer::unfiltered(&args.layout, columns);
        printer.filter = filter;
        Ok(printer)
    }

    /// The same, for a program that has no filter.
    pub fn unfiltered(args: &LayoutArgs, columns: &[&str]) -> Printer {
        let layout = match (args.table, args.fields.is_empty()) {
            (false, true) => Layout::Lines,
            (false, false) => Layout::FieldLines(args.fields.clone()),
            (true, true) => Layout::Table(columns.iter().map(|&name| name.to_owned()).collect()),
            (true, false) => Layout::Table(args.fields.clone()),
        };
        Printer {
            out: io::stdout().lock(),
            buffer: Vec::new(),
            held: false,
            layout,
            filter: None,
            rows: Vec::new(),
            count: 0,
        }
    }

    /// The same, but it holds back everything until [`Printer::finish`]: for a program
    /// that must not wait for its reader in the middle.
    pub fn held(mut self) -> Printer {
        self.held = true;
        self
    }

    /// Whether a filter leaves records out.
    pub fn filters(&self) -> bool {
        self.filter.is_some()
    }

    /// How many records were kept.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Prints a record, if the filter keeps it.
    ///
    /// # Errors
    /// When it cannot be written, or the filter fails on it.
    pub fn record(&mut self, record: &impl Serialize) -> Result<(), Failure> {
        if self.filter.is_none() && self.layout == Layout::Lines {
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
        match &self.layout {
            // The record itself, not the value: its fields keep their order.
            Layout::Lines => self.line(record)?,
            Layout::FieldLines(fields) => {
                self.buffer.extend_from_slice(field_line(&value, fields)?.as_bytes());
                self.pass_on()?;
            }
            Layout::Table(fields) => {
                let row: Vec<String> =
                    fields.iter().map(|name| table::field(&value, name)).collect();
                // A record of another type than the columns are for is no row.
                if row.iter().any(|word| word != table::NONE) {
                    self.rows.push(row);
                }
            }
        }
        Ok(())
    }

    /// Prints the record that closes a look: never filtered, not in a table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&mut self, end: &impl Serialize) -> Result<(), Failure> {
        match self.layout {
            Layout::Lines => self.line(end),
            Layout::FieldLines(_) | Layout::Table(_) => Ok(()),
        }
    }

    /// Prints what is still to be printed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> Result<(), Failure> {
        if let Layout::Table(fields) = &self.layout {
            self.buffer.extend_from_slice(table::render(fields, &self.rows).as_bytes());
            self.rows.clear();
        }
        Ok(self.flush()?)
    }

    fn line(&mut self, record: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.buffer, record).map_err(io::Error::from)?;
        self.buffer.push(b'\n');
        self.pass_on()
    }

    fn pass_on(&mut self) -> Result<(), Failure> {
        let is_due = !self.held && self.buffer.len() >= CHUNK;
        if is_due {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.buffer);
        // Whatever came of it: after an error nothing is written twice.
        self.buffer.clear();
        written?;
        self.out.flush()
    }
}

/// Whatever made the program stop, what it had to say before that is printed.
impl Drop for Printer {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// A line of an object with these fields, in this order.
fn field_line(record: &Value, fields: &[String]) -> io::Result<String> {
    let mut line = String::from("{");
    for (at, name) in fields.iter().enumerate() {
        let value = name.split('.').try_fold(record, |value, part| value.get(part));
        let comma = if at == 0 { "" } else { "," };
        let value = value.unwrap_or(&Value::Null);
        line += &format!("{comma}{}:{value}", serde_json::to_string(name)?);
    }
    line += "}\n";
    Ok(line)
}
