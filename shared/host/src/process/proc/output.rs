//! Where the standard output of processes leads.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;

use model::record::Stdout;

use super::file::{link, path};

/// The standard output of a process. None where it cannot be read.
pub fn output(pid: i32) -> Option<Stdout> {
    let link = match link(pid, "fd/1") {
        Ok(link) => link,
        // The directory could be read and lacks this descriptor: it is closed.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && fs::read_dir(path(pid, "fd")).is_ok() =>
        {
            return Some(Stdout::Other);
        }
        Err(_) => return None,
    };
    let gone = link.ends_with(" (deleted)");
    if link == "/dev/null" {
        return Some(Stdout::Null);
    }
    if link.starts_with("/dev/pts/") || link.starts_with("/dev/tty") || link == "/dev/console" {
        return Some(if gone { Stdout::Other } else { Stdout::Tty });
    }
    let kind = fs::metadata(path(pid, "fd/1")).ok()?.file_type();
    Some(if kind.is_file() {
        Stdout::File
    } else if kind.is_fifo() {
        Stdout::Pipe
    } else if kind.is_socket() {
        Stdout::Socket
    } else {
        Stdout::Other
    })
}
