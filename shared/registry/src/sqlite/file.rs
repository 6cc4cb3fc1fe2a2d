//! Opening a database file, for its owner only.
//!
//! Whoever reads a database in WAL mode makes files beside it. Those of another user would
//! keep the owner from writing it, so nobody but the owner opens it, not even root.
//!
//! The file is checked through a handle that cannot read it (`O_PATH`): closing an ordinary
//! descriptor would drop every lock that this process holds on the file (fcntl(2), "Advisory
//! record locking"), also those of SQLite.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use model::record::RegistryFile;
use nix::unistd::geteuid;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, ffi};

use super::error::failed;
use crate::error::RegistryError;

/// The longest text that is read or written, in bytes.
const LONGEST_TEXT: i32 = 1 << 20;
/// What SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// One short read.
    Read,
    /// Changes.
    Write,
}

/// A database file that may be opened.
#[derive(Debug)]
pub struct DatabaseFile {
    /// Absolute path, symbolic links resolved.
    pub path: PathBuf,
    /// What the kernel says of the file. It belongs to the user that this process runs as.
    pub facts: RegistryFile,
    identity: (u64, u64),
    size: u64,
    /// Keeps the inode from being used again for another file.
    _handle: Handle,
}

impl DatabaseFile {
    /// Checks the file at this path.
    ///
    /// # Errors
    /// [`RegistryError`] when it is not a regular file, is empty, belongs to another user, or
    /// has a file beside it that is not SQLite's of the same user.
    pub fn at(path: &Path) -> Result<DatabaseFile, RegistryError> {
        let error = |reason: &dyn std::fmt::Display| RegistryError::new(path, reason);
        let resolved = fs::canonicalize(path).map_err(|reason| error(&reason))?;
        let (handle, metadata) = handle(&resolved).map_err(|reason| error(&reason))?;
        let own = geteuid().as_raw();
        check(&metadata, own).map_err(|reason| RegistryError::new(&resolved, reason))?;
        if metadata.len() == 0 {
            let reason = "empty (0 bytes): it is no database yet, or no longer";
            return Err(RegistryError::new(&resolved, reason));
        }
        for ending in BESIDE {
            let beside = beside(&resolved, ending);
            match fs::symlink_metadata(&beside) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(RegistryError::new(&beside, error)),
                Ok(metadata) => {
                    check(&metadata, own).map_err(|reason| RegistryError::new(&beside, reason))?;
                }
            }
        }
        let identity = (metadata.dev(), metadata.ino());
        let size = metadata.len();
        let facts = facts(&handle, &metadata, &resolved);
        let facts = facts.map_err(|error| RegistryError::new(&resolved, error))?;
        Ok(DatabaseFile { path: resolved, facts, identity, size, _handle: handle })
    }

    /// Opens it. `busy`: how long to wait for somebody who has it locked.
    ///
    /// # Errors
    /// [`RegistryError`] when SQLite cannot, or when the path leads to another file now.
    pub fn connect(&self, access: Access, busy: Duration) -> Result<Connection, RegistryError> {
        // Neither a URI nor a file that is made here.
        let mode = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let flags = mode
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let sqlite = |error| failed(&self.path, &error);
        open_safely();
        let connection = Connection::open_with_flags(&self.path, flags).map_err(sqlite)?;
        connection.busy_timeout(busy).map_err(sqlite)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_TEXT).map_err(sqlite)?;
        // What stands in the file calls no functions but SQLite's harmless ones, and is data: a
        // view or a trigger could go on for ever.
        for program in [
            DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
            DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW,
            DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        ] {
            connection.set_db_config(program, false).map_err(sqlite)?;
        }
        // Nothing is put into temporary files, which could fill the disk.
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(sqlite)?;
        connection.pragma_update(None, "automatic_index", false).map_err(sqlite)?;
        if access == Access::Write {
            // Otherwise a key of another table could change what stands there. What is inserted
            // here leads somewhere: it is looked up before.
            connection.pragma_update(None, "foreign_keys", false).map_err(sqlite)?;
            // As the orchestrator has it: in WAL mode a commit does not wait for the disk.
            connection.pragma_update(None, "synchronous", "NORMAL").map_err(sqlite)?;
        }
        let named = fs::symlink_metadata(&self.path);
        if !named.is_ok_and(|named| (named.dev(), named.ino()) == self.identity) {
            let reason = "another file was put in its place; run again";
            return Err(RegistryError::new(&self.path, reason));
        }
        Ok(connection)
    }

    /// Checks its size, with that of its log: what is read of it is kept in memory.
    ///
    /// # Errors
    /// [`RegistryError`] when it is larger than this.
    pub fn within(self, max_size: u64) -> Result<DatabaseFile, RegistryError> {
        let size = self.size.saturating_add(self.size_of_wal());
        if size > max_size {
            let reason = format!("{size} bytes, more than --max-size allows ({max_size})");
            return Err(RegistryError::new(&self.path, reason));
        }
        Ok(self)
    }

    /// How much text it can hold now, in bytes: that of its pages and of those in its log,
    /// twice, since UTF-16 may be shorter than UTF-8.
    pub fn capacity(&self) -> u64 {
        let size = self.path.symlink_metadata().map_or(0, |file| file.len());
        size.saturating_add(self.size_of_wal()).saturating_mul(2)
    }

    fn size_of_wal(&self) -> u64 {
        beside(&self.path, "-wal").symlink_metadata().map_or(0, |log| log.len())
    }

    /// Whether SQLite has its files beside it.
    pub fn has_wal(&self) -> bool {
        beside(&self.path, "-wal").symlink_metadata().is_ok()
    }
}

/// Makes SQLite open files as the rest of this program does. Between the check of a file and
/// its opening somebody may put a FIFO there, which would wait for ever, or a link.
#[allow(unsafe_code, reason = "rusqlite has no safe call for xSetSystemCall")]
fn open_safely() {
    use std::ffi::{c_char, c_int, c_uint};
    use std::mem::transmute;

    use nix::libc;

    type Open = extern "C" fn(*const c_char, c_int, c_int) -> c_int;
    extern "C" fn open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
        let safely = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: SQLite calls this as open(2), with a path that ends with NUL.
        unsafe { libc::open(path, flags | safely, mode as c_uint) }
    }
    static ONCE: Once = Once::new();
    // SAFETY: the default VFS lives as long as the process, and SQLite calls its "open" with
    // the parameters of `Open` (os_unix.c, `aSyscall`). No connection is open yet.
    ONCE.call_once(|| unsafe {
        let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
        if let Some(set) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) {
            let open = transmute::<Open, unsafe extern "C" fn()>(open);
            set(vfs, c"open".as_ptr(), Some(open));
        }
    });
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut beside = OsString::from(path);
    beside.push(ending);
    PathBuf::from(beside)
}

fn check(metadata: &fs::Metadata, own: u32) -> Result<(), String> {
    if metadata.is_dir() {
        return Err("a directory, not a database".to_owned());
    }
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    match metadata.uid() {
        uid if uid == own => Ok(()),
        uid => Err(format!("it belongs to uid {uid}, this runs as uid {own}: run as its owner")),
    }
}

#[cfg(target_os = "linux")]
type Handle = std::fs::File;
#[cfg(not(target_os = "linux"))]
type Handle = ();

#[cfg(target_os = "linux")]
fn handle(path: &Path) -> std::io::Result<(Handle, fs::Metadata)> {
    use std::os::unix::fs::OpenOptionsExt;

    use nix::fcntl::OFlag;

    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

#[cfg(target_os = "linux")]
fn facts(handle: &Handle, _: &fs::Metadata, path: &Path) -> std::io::Result<RegistryFile> {
    crate::registry_file::registry_file(handle, path)
}

#[cfg(not(target_os = "linux"))]
fn facts(_: &Handle, metadata: &fs::Metadata, _: &Path) -> std::io::Result<RegistryFile> {
    let (owner_uid, gid, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
    Ok(RegistryFile { owner_uid, gid, mode, device: None, device_path: None })
}

#[cfg(not(target_os = "linux"))]
fn handle(path: &Path) -> std::io::Result<(Handle, fs::Metadata)> {
    Ok(((), fs::symlink_metadata(path)?))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    /// A database, checked, and what somebody then put in its place.
    fn swapped(swap: impl Fn(&Path)) -> (tempfile::TempDir, DatabaseFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite3");
        let made = Connection::open(&path).unwrap();
        made.execute_batch("CREATE TABLE t (c); PRAGMA journal_mode = WAL;").unwrap();
        drop(made);
        let file = DatabaseFile::at(&path).unwrap();
        swap(&path);
        (directory, file)
    }

    #[test]
    fn h40_a_fifo_put_in_its_place_or_beside_it_is_not_waited_for() {
        let instead = |path: &Path| {
            fs::remove_file(path).unwrap();
            mkfifo(path, Mode::S_IRWXU).unwrap();
        };
        let log = |path: &Path| mkfifo(&beside(path, "-wal"), Mode::S_IRWXU).unwrap();
        // A log that has no bytes is an empty one.
        for (swap, is_read) in [(&instead as &dyn Fn(&Path), false), (&log, true)] {
            let (directory, file) = swapped(swap);
            let (done, when_done) = mpsc::channel();
            thread::spawn(move || {
                let connection = file.connect(Access::Read, Duration::ZERO);
                let read = connection.map(|connection| {
                    connection.query_row("SELECT count(*) FROM t", [], |_| Ok(())).is_ok()
                });
                let _ = done.send(read.is_ok_and(|was_read| was_read));
            });
            let read = when_done.recv_timeout(Duration::from_secs(10));
            assert_eq!(read, Ok(is_read), "{}", directory.path().display());
        }
    }
}
