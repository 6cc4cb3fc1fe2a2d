//! The columns of tables.

use crate::field::{Field, Output, Unit, find};

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Path of the field in the record, `a.b` being the field `b` of the field `a`.
    pub path: String,
    /// The field.
    pub field: Field,
}

impl Column {
    /// The heading above it.
    pub fn heading(&self) -> String {
        let inner = self.path.strip_suffix(self.field.name);
        // A name in a map is not a field.
        let heading = inner.map(|inner| format!("{inner}{}", self.field.heading()));
        heading.unwrap_or_else(|| self.path.clone()).to_uppercase()
    }

    /// Whether it is aligned at the right.
    pub fn is_number(&self) -> bool {
        matches!(self.field.unit, Unit::Number | Unit::Bytes | Unit::Seconds)
    }
}

/// The columns for these fields of a program's records. A path that leads to no field has no
/// column.
pub fn columns<O: Output>(paths: &[impl AsRef<str>]) -> Vec<Column> {
    let column =
        |path: &str| Some(Column { path: path.to_owned(), field: find(O::RECORDS, path)? });
    paths.iter().filter_map(|path| column(path.as_ref())).collect()
}
