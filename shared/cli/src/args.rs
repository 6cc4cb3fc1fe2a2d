//! The options for output that the programs share.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::marker::PhantomData;
use std::os::fd::AsFd;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, ColorChoice, Command};

use crate::cell::Cell;
use crate::column::Column;
use crate::diagnostics::Failure;
use crate::field::{Field, Output, RecordType, TYPE, Unit, find, paths};
use crate::table::{self, TableStyle};
use crate::terminal;

/// The options for the layout of output, which all programs have.
#[derive(Args, Clone, Debug)]
pub struct LayoutArgs<O: Output> {
    /// Print a table for people instead of JSON Lines
    #[arg(short = 'T', long)]
    pub table: bool,

    /// Print only these fields of each record; -H lists them, `a.b` is field b of field a
    #[arg(
        short = 'o',
        long,
        value_name = "LIST",
        value_delimiter = ',',
        hide_possible_values = true,
        value_parser = FieldParser::<O>(PhantomData)
    )]
    pub fields: Vec<String>,

    /// List the fields that -o knows, and do nothing else
    #[arg(short = 'H', long, exclusive = true)]
    pub list_fields: bool,

    /// Omit the headings and sums of tables
    #[arg(long)]
    pub no_headings: bool,

    /// Colour tables; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,

    #[arg(skip)]
    #[allow(missing_docs)]
    pub of: PhantomData<O>,
}

/// The options for output of the programs that have a filter.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs<O: Output> {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub layout: LayoutArgs<O>,

    /// Keep the records for which this jq expression is true
    #[arg(short = 'Q', long, value_name = "EXPR")]
    pub filter: Option<String>,
}

impl<O: Output> LayoutArgs<O> {
    /// How tables look that are printed to `out`.
    pub fn style(&self, out: &(impl AsFd + IsTerminal)) -> TableStyle {
        TableStyle {
            width: terminal::width(out),
            colour: terminal::colour(self.color, out.is_terminal()),
            headings: !self.no_headings,
            indent: "",
            now: None,
        }
    }

    /// Prints the fields of the program's records. Returns the exit status.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn list(&self) -> Result<u8, Failure> {
        let stdout = io::stdout();
        let style = self.style(&stdout);
        let column =
            |name, unit| Column { path: String::from(name), field: Field::new(name, unit, "", "") };
        let columns = [
            column("field", Unit::Text),
            column("of", Unit::Text),
            column("type", Unit::Text),
            column("description", Unit::Sentence),
        ];
        let every: Vec<&str> = O::RECORDS.iter().map(|record| record.word).collect();
        let fields = O::RECORDS.iter().flat_map(|record| {
            let listed = paths(record.fields).into_iter();
            listed.map(|(path, field)| (path, record.word.to_owned(), field))
        });
        let all = std::iter::once((TYPE.name.to_owned(), every.join(", "), TYPE)).chain(fields);
        let rows: Vec<Vec<Cell>> = all
            .map(|(path, of, field)| {
                [path.as_str(), &of, &field.type_name(), field.help].map(Cell::plain).into()
            })
            .collect();
        stdout.lock().write_all(table::render(&columns, &rows, &style).as_bytes())?;
        Ok(0)
    }
}

/// Reads the name of a field.
#[derive(Clone, Copy, Debug)]
struct FieldParser<O: Output>(PhantomData<O>);

impl<O: Output> TypedValueParser for FieldParser<O> {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let path = StringValueParser::new().parse_ref(command, arg, value)?;
        if find(O::RECORDS, &path).is_some() {
            return Ok(path);
        }
        let reason = format!("{path:?}: no such field; '{} -H' lists them", O::PROGRAM);
        Err(clap::Error::raw(ErrorKind::InvalidValue, reason).with_cmd(command))
    }

    /// For completion: the fields of records, without the fields of objects in them.
    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let fields = O::RECORDS.iter().flat_map(|record: &RecordType| record.fields);
        let mut names: Vec<&Field> = Vec::new();
        for field in fields {
            if !names.iter().any(|known| known.name == field.name) {
                names.push(field);
            }
        }
        Some(Box::new(
            names.into_iter().map(|field| PossibleValue::new(field.name).help(field.help)),
        ))
    }
}
