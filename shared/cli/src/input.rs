//! Reading the records that a program is fed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use crate::diagnostics::Failure;

/// Longest line accepted. A record is some hundred bytes long; one with all arguments of
/// a process at most a few million, the kernel's own limit for them.
const LINE_LIMIT: u64 = 16 << 20;

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
    /// When standard input would be a terminal: nobody types records.
    pub fn new(files: &'f [PathBuf], what: &str, how: &str) -> Result<Input<'f>, Failure> {
        let reads_stdin = files.is_empty() || files.iter().any(|file| is_stdin(file));
        if reads_stdin && io::stdin().is_terminal() {
            return Err(Failure::Trouble(format!(
                "standard input is a terminal, not {what}; feed it with: {how}"
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
    let (name, source): (String, Box<dyn Read>) = if is_stdin(file) {
        ("standard input".to_owned(), Box::new(io::stdin().lock()))
    } else {
        let name = file.display().to_string();
        let opened =
            File::open(file).map_err(|error| Failure::Trouble(format!("{name}: {error}")))?;
        (name, Box::new(opened))
    };
    let mut source = BufReader::with_capacity(1 << 16, source);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let at = |reason: &dyn std::fmt::Display| {
            Failure::Trouble(format!("{name}: line {number}: {reason}"))
        };
        let mut limited = source.by_ref().take(LINE_LIMIT);
        let length = limited.read_until(b'\n', &mut line).map_err(|error| at(&error))?;
        if length == 0 {
            break;
        }
        if length as u64 == LINE_LIMIT && line.last() != Some(&b'\n') {
            return Err(at(&"longer than any record"));
        }
        let line =
            std::str::from_utf8(&line).map_err(|error| at(&format!("not UTF-8: {error}")))?;
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(())
}
