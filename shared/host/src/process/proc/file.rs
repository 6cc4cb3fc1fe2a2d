//! The small files of a process, each in as few calls as the kernel allows.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

/// Enough for most of these files, command lines included.
const ROOM: usize = 4096;

/// A file of a process.
pub fn path(pid: i32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

/// Reads one of the files that hold one record or one block of memory: `stat`, `status`,
/// `cgroup`, `cmdline`, `environ`. The kernel fills the buffer as far as the file goes, so a
/// buffer that is not full has the whole file; no second read has to confirm it.
///
/// # Errors
/// When it cannot be opened or read, as when the process has ended.
pub fn read<'b>(pid: i32, file: &str, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
    let mut opened = File::open(path(pid, file))?;
    let mut length = 0;
    loop {
        if length == buffer.len() {
            buffer.resize((2 * length).max(ROOM), 0);
        }
        let room = buffer.len() - length;
        match opened.read(&mut buffer[length..]) {
            Ok(read) => {
                length += read;
                if read < room {
                    return Ok(&buffer[..length]);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Where a link of a process leads, such as `exe` or `fd/1`.
///
/// # Errors
/// When it cannot be read, as when the process has ended.
pub fn link(pid: i32, file: &str) -> io::Result<String> {
    let target = fs::read_link(path(pid, file))?.into_os_string();
    Ok(target.into_string().unwrap_or_else(|target| target.to_string_lossy().into_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn files_of_any_length_are_read_to_their_end() {
        for length in [0, ROOM - 3, ROOM, 3 * ROOM + 17] {
            let mut sleep = Command::new("sleep");
            sleep.arg("60").env_clear().env("X", "x".repeat(length));
            let mut child = sleep.spawn().unwrap();
            let pid = child.id() as i32;
            let mut buffer = Vec::new();
            // What does not change while the process runs.
            let files = ["environ", "cmdline", "cgroup"];
            let read = files.map(|file| read(pid, file, &mut buffer).unwrap().to_vec());
            let whole = files.map(|file| fs::read(path(pid, file)).unwrap());
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(read == whole, "with {length} bytes");
            assert!(read[0].len() > length);
        }
    }
}
