//! The values of the option `--proc-source`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use model::record::ProcSource;

/// The parser for the name of a source of the process table.
pub fn proc_source() -> impl TypedValueParser<Value = ProcSource> {
    let all = [ProcSource::Proc, ProcSource::Ps];
    PossibleValuesParser::new(all.map(ProcSource::word)).try_map(move |word| {
        let named = all.into_iter().find(|source| source.word() == word);
        named.ok_or("unknown source of the process table")
    })
}
