//! What a field of a record is: its name, what it holds, and what that means to people.
//!
//! One table of fields serves `-o` (which fields there are), `-H` (what they are), the
//! completions of shells, tables for people (units, colours, what may be cut), and
//! agentrecords(5).

use crate::word::{Tone, Word};

/// One field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the record.
    pub name: &'static str,
    /// What it holds.
    pub unit: Unit,
    /// Whether it may be `null`.
    pub nullable: bool,
    /// Whether a record without it is well-formed.
    pub optional: bool,
    /// What follows the sum of all values below a table; `None`: a sum means nothing.
    pub sum: Option<&'static str>,
    /// What it is, in a few words.
    pub help: &'static str,
    /// What it is, in full sentences, for agentrecords(5): `` `x` `` is a field, `null`, an
    /// option, a variable (`$X`), a path or a literal; `*x*` is a word that a field can hold;
    /// `name(1)` is a page.
    pub meaning: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// A name or identifier; never cut in a table, because people copy it.
    Text,
    /// One of a few words; those that need a meaning or a colour are listed.
    Word(&'static [Word]),
    /// A sentence; wrapped where it is too long.
    Sentence,
    /// A path.
    Path,
    /// A number.
    Number,
    /// A number of bytes.
    Bytes,
    /// A number of seconds, with a fraction.
    Seconds,
    /// An instant, RFC 3339 in UTC; in a table, how long ago that was.
    Time,
    /// True or false; true means this.
    Flag(Tone),
    /// A list of these, in one line of a table as far as there is room.
    List(&'static str),
    /// An object with these fields.
    Object(&'static [Field]),
    /// A list of such objects.
    Objects(&'static [Field]),
    /// An object of objects with these fields, whose names are not known beforehand.
    Map(&'static [Field]),
    /// A whole record, of another program.
    Record(&'static [Field]),
    /// A value of several types, which are these.
    Any(&'static str),
}

impl Field {
    /// A field that is always there.
    pub const fn new(
        name: &'static str,
        unit: Unit,
        help: &'static str,
        meaning: &'static str,
    ) -> Field {
        Field { name, unit, nullable: false, optional: false, sum: None, help, meaning }
    }

    /// Makes it a field that may be `null`.
    pub const fn nullable(self) -> Field {
        Field { nullable: true, ..self }
    }

    /// Makes it a field that may be missing, but not `null`.
    pub const fn absent(self) -> Field {
        Field { optional: true, ..self }
    }

    /// Makes it a field that may be `null` or missing, which mean the same.
    pub const fn optional(self) -> Field {
        self.nullable().absent()
    }

    /// Makes tables sum up its values; `what` follows the sum.
    pub const fn summed(self, what: &'static str) -> Field {
        Field { sum: Some(what), ..self }
    }

    /// Its type, in the words of agentrecords(5).
    pub fn type_name(&self) -> String {
        let name = match self.unit {
            Unit::Text | Unit::Word(_) | Unit::Sentence => "string",
            Unit::Path => "path",
            Unit::Number | Unit::Bytes | Unit::Seconds => "number",
            Unit::Time => "time",
            Unit::Flag(_) => "true/false",
            Unit::List(of) => return format!("list of {of}{}", self.mark()),
            Unit::Object(_) | Unit::Map(_) | Unit::Record(_) => "object",
            Unit::Objects(_) => "list of objects",
            Unit::Any(types) => types,
        };
        format!("{name}{}", self.mark())
    }

    fn mark(&self) -> &'static str {
        if self.nullable { "?" } else { "" }
    }

    /// What a column of it is called: a value that carries its unit needs none in the name.
    pub fn heading(&self) -> &'static str {
        let suffix = match self.unit {
            Unit::Bytes => "_bytes",
            Unit::Seconds => "_seconds",
            _ => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }
}

/// The records of one type that a program writes.
#[derive(Clone, Copy, Debug)]
pub struct RecordType {
    /// The value of `type`.
    pub word: &'static str,
    /// The word for several.
    pub plural: &'static str,
    /// Its fields, besides `type`.
    pub fields: &'static [Field],
}

impl RecordType {
    /// Whether its records have a field at this path.
    pub fn has(&self, path: &str) -> bool {
        path == TYPE.name || within(self.fields, path).is_some()
    }
}

/// What one program writes.
pub trait Output: Clone + Copy + std::fmt::Debug + Send + Sync + 'static {
    /// The program.
    const PROGRAM: &'static str;
    /// Its records.
    const RECORDS: &'static [RecordType];
    /// The fields in a table without `-o`.
    const COLUMNS: &'static [&'static str];
}

/// The field that every record has.
pub const TYPE: Field = Field::new("type", Unit::Text, "What the record is", "What the record is.");

/// The field at a path such as `tmux.pane`, in any of these records.
pub fn find(records: &[RecordType], path: &str) -> Option<Field> {
    if path == TYPE.name {
        return Some(TYPE);
    }
    records.iter().find_map(|record| within(record.fields, path))
}

fn within(fields: &[Field], path: &str) -> Option<Field> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let field = fields.iter().find(|field| field.name == name)?;
    let Some(rest) = rest else { return Some(*field) };
    match field.unit {
        Unit::Object(inner) | Unit::Objects(inner) => within(inner, rest),
        Unit::Record(_) if rest == TYPE.name => Some(TYPE),
        Unit::Record(inner) => within(inner, rest),
        Unit::Map(inner) => match rest.split_once('.') {
            Some((_, rest)) => within(inner, rest),
            None => Some(Field { unit: Unit::Object(inner), ..*field }),
        },
        _ => None,
    }
}

/// All fields of these by their paths, including the fields of objects in them, but not of
/// whole records of other programs.
pub fn paths(fields: &'static [Field]) -> Vec<(String, Field)> {
    let mut all = Vec::new();
    for field in fields {
        all.push((field.name.to_owned(), *field));
        let (inner, between) = match field.unit {
            Unit::Object(inner) | Unit::Objects(inner) => (inner, "."),
            Unit::Map(inner) => (inner, ".NAME."),
            _ => continue,
        };
        for (path, field_within) in paths(inner) {
            all.push((format!("{}{between}{path}", field.name), field_within));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_fields() {
        const fn field(name: &'static str, unit: Unit) -> Field {
            Field::new(name, unit, "", "")
        }
        const INNER: &[Field] = &[field("pane", Unit::Text).nullable()];
        const FIELDS: &[Field] = &[
            field("pid", Unit::Number),
            field("tmux", Unit::Object(INNER)).nullable(),
            field("counters", Unit::Map(INNER)),
            field("process", Unit::Record(INNER)),
        ];
        let records = [RecordType { word: "a", plural: "as", fields: FIELDS }];
        let there = [
            "type",
            "pid",
            "tmux",
            "tmux.pane",
            "counters.x",
            "counters.x.pane",
            "process.pane",
            "process.type",
        ];
        for path in there {
            assert!(find(&records, path).is_some(), "{path}");
        }
        for path in ["", "pids", "pid.x", "tmux.", "tmux.x", "counters.x.y", ".pid", "type.x"] {
            assert!(find(&records, path).is_none(), "{path}");
        }
        let listed: Vec<String> = paths(FIELDS).into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            listed,
            ["pid", "tmux", "tmux.pane", "counters", "counters.NAME.pane", "process"]
        );
    }
}
