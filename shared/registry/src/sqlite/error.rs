//! Why a database could not be asked, by SQLite's own name for it.

use std::path::Path;

use rusqlite::ffi;

use crate::error::RegistryError;

/// The primary result codes that people meet, and what they mean here (sqlite.org,
/// "Result and Error Codes").
const MEANINGS: [(i32, &str, &str); 9] = [
    (ffi::SQLITE_BUSY, "SQLITE_BUSY", "locked by another process; try again later"),
    (ffi::SQLITE_LOCKED, "SQLITE_LOCKED", "locked; try again later"),
    (
        ffi::SQLITE_READONLY,
        "SQLITE_READONLY",
        "it was left in the middle of a write, or may not be written; start the orchestrator once",
    ),
    (
        ffi::SQLITE_CANTOPEN,
        "SQLITE_CANTOPEN",
        "it, or its -wal and -shm beside it, cannot be opened or made",
    ),
    (ffi::SQLITE_CORRUPT, "SQLITE_CORRUPT", "corrupt; see: sqlite3 FILE 'PRAGMA integrity_check'"),
    (ffi::SQLITE_NOTADB, "SQLITE_NOTADB", "not a database"),
    (ffi::SQLITE_IOERR, "SQLITE_IOERR", "it cannot be read or written"),
    (ffi::SQLITE_INTERRUPT, "SQLITE_INTERRUPT", "a statement took too long; it may be corrupt"),
    (ffi::SQLITE_TOOBIG, "SQLITE_TOOBIG", "a text in it is too long"),
];

/// The error of a call of SQLite about this database.
pub fn failed(path: &Path, error: &rusqlite::Error) -> RegistryError {
    RegistryError::new(path, format!("could not ask it: {}", reason(error)))
}

/// Whether somebody else has the database locked.
pub fn is_busy(error: &rusqlite::Error) -> bool {
    code(error).is_some_and(|code| [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED].contains(&(code & 0xff)))
}

/// Whether a statement took longer than it may.
pub fn is_interrupted(error: &rusqlite::Error) -> bool {
    code(error).is_some_and(|code| code & 0xff == ffi::SQLITE_INTERRUPT)
}

fn code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

fn reason(error: &rusqlite::Error) -> String {
    let Some(code) = code(error) else { return error.to_string() };
    match MEANINGS.iter().find(|(primary, ..)| *primary == code & 0xff) {
        Some((primary, name, meaning)) if *primary == code => format!("{meaning} ({name})"),
        Some((_, name, meaning)) => format!("{meaning} ({name}, extended code {code})"),
        None => format!("{error} (SQLite result code {code})"),
    }
}
