//! Reads the records that a program is fed.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use crate::diagnostics::Failure;

/// The longest line that is accepted, in bytes. A record has some hundred bytes; one with all
/// arguments of a process has a few million at most, the limit of the kernel.
const LINE_LIMIT: usize = 16 << 20;

/// The files that a program reads records from.
#[derive(Debug)]
pub struct Input<'f> {
    files: &'f [PathBuf],
}

impl<'f> Input<'f> {
    /// The files given, or standard input. `what` is expected there, `how` is a command
    /// that feeds it.
    ///
    /// # Errors
    /// When standard input is a terminal: records are not typed by hand.
    pub fn new(files: &'f [PathBuf], what: &str, how: &str) -> Result<Input<'f>, Failure> {
        let reads_stdin = files.is_empty() || files.iter().any(|file| is_stdin(file));
        if reads_stdin && io::stdin().is_terminal() {
            return Err(Failure::Trouble(format!(
                "standard input is a terminal, not {what}; use for example: {how}"
            )));
        }
        Ok(Input { files })
    }

    /// Reads everything, files one after the other. A file without a newline at its end
    /// does not run into the next.
    ///
    /// # Errors
    /// A file that cannot be read, a line that is not UTF-8 or too long, with its number.
    pub fn text(&self) -> Result<String, Failure> {
        let mut text = String::new();
        if self.files.is_empty() {
            read(Path::new("-"), &mut text)?;
        }
        for file in self.files {
            read(file, &mut text)?;
        }
        Ok(text)
    }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn read(file: &Path, text: &mut String) -> Result<(), Failure> {
    let (name, source, size): (String, Box<dyn Read>, u64) = if is_stdin(file) {
        ("standard input".to_owned(), Box::new(io::stdin().lock()), 0)
    } else {
        let name = file.display().to_string();
        let opened =
            File::open(file).map_err(|error| Failure::Trouble(format!("{name}: {error}")))?;
        let size = opened.metadata().map_or(0, |metadata| metadata.len());
        (name, Box::new(opened), size)
    };
    let mut bytes = Vec::with_capacity(size as usize + 1);
    let read = read_lines(source, &mut bytes);
    let at = |offset: usize, reason: &dyn std::fmt::Display| {
        let number = bytes[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Failure::Trouble(format!("{name}: line {number}: {reason}"))
    };
    match read {
        Ok(None) => {}
        Ok(Some(offset)) => return Err(at(offset, &"longer than any record")),
        Err(error) => return Err(at(bytes.len(), &error)),
    }
    if let Err(error) = std::str::from_utf8(&bytes) {
        let start = line_start(&bytes, error.valid_up_to());
        let line = bytes[start..].split(|&byte| byte == b'\n').next().unwrap_or_default();
        let error = std::str::from_utf8(line).err().unwrap_or(error);
        return Err(at(start, &format!("not UTF-8: {error}")));
    }
    let mut read = String::from_utf8(bytes).map_err(Failure::trouble)?;
    if !read.is_empty() && !read.ends_with('\n') {
        read.push('\n');
    }
    // The first file is not copied: it may be large.
    if text.is_empty() {
        *text = read;
    } else {
        text.push_str(&read);
    }
    Ok(())
}

/// Reads everything. If a line is too long, reading stops soon, and the offset of that line is
/// returned.
fn read_lines(mut source: impl Read, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        let before = bytes.len();
        let count = source.by_ref().take(LINE_LIMIT as u64).read_to_end(bytes)?;
        // Any other line is whole in what was just read, or is not whole yet.
        let start = line_start(bytes, before);
        let ended = bytes[before..].iter().position(|&byte| byte == b'\n');
        if ended.map_or(bytes.len(), |ended| before + ended) - start >= LINE_LIMIT {
            return Ok(Some(start));
        }
        if count == 0 {
            return Ok(None);
        }
    }
}

/// The offset of the beginning of the line that this offset is in.
fn line_start(bytes: &[u8], place: usize) -> usize {
    bytes[..place].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}
