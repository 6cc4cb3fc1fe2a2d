//! Limits of time: what stands in a database can make a statement go on for ever, as a page that
//! is its own child.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

/// How long reading may take. A hundred thousand rows take a tenth of a second.
pub const READING: Duration = Duration::from_secs(30);
/// How long a transaction may be open. The orchestrator's writers wait ten seconds.
pub const WRITING: Duration = Duration::from_secs(5);

/// Does something with a connection. After `limit`, the statement that is being executed then
/// ends with `SQLITE_INTERRUPT`.
pub fn limited<T>(connection: &Connection, limit: Duration, act: impl FnOnce() -> T) -> T {
    let handle = connection.get_interrupt_handle();
    let (done, wait) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                handle.interrupt();
            }
        });
        let result = act();
        drop(done);
        result
    })
}
