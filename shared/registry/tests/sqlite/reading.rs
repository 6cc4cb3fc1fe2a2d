//! What is read of a database, and when it could not be asked.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use registry::WaitBudget;
use registry::sqlite::{DatabaseFile, Rows, rows};

use super::database::Database;

fn read_for(path: &Path, seconds: f32) -> Result<Rows, String> {
    let mut found = Rows::default();
    let mut wait = WaitBudget::new(Duration::from_secs_f32(seconds));
    let file = DatabaseFile::at(path).map_err(|error| error.to_string())?;
    rows(&file, &mut wait, &mut |row| found.push(row)).map_err(|error| error.to_string())?;
    Ok(found)
}

fn read(path: &Path) -> Result<Rows, String> {
    read_for(path, 0.2)
}

fn ids(path: &Path) -> Vec<String> {
    read(path).unwrap().iter().map(|row| row.id.to_owned()).collect()
}

/// Name, size, bytes and time of everything beside a database.
fn directory(path: &Path) -> BTreeMap<String, (Vec<u8>, i64, i64)> {
    let directory = fs::read_dir(path.parent().unwrap()).unwrap().flatten();
    directory
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            let name = entry.file_name().into_string().unwrap();
            let bytes = fs::read(entry.path()).unwrap();
            (name, (bytes, metadata.mtime(), metadata.mtime_nsec()))
        })
        .collect()
}

#[test]
fn every_version_of_the_schema_is_read() {
    for version in ["january", "migrated", "today", "next"] {
        let database = Database::of(
            version,
            "agent(c, 'a', tmux_session='', started_at=None); agent(c, 'b', 'completed', completed_at='T')",
        );
        let rows = read(&database.path()).unwrap();
        let rows: Vec<_> = rows.iter().collect();
        assert_eq!(rows.len(), 2, "{version}");
        assert_eq!((rows[0].id, rows[0].task_id), ("a", "TASK-1"));
        assert_eq!((rows[0].tmux_session, rows[0].started_at), (Some(""), None));
        assert_eq!((rows[0].agent_type, rows[0].parent), (Some("builder"), Some("orchestrator")));
        assert_eq!((rows[1].status, rows[1].completed_at), (Some("completed"), Some("T")));
    }
}

#[test]
fn a_table_without_rows_is_a_true_zero() {
    let database = Database::of("today", "");
    assert!(ids(&database.path()).is_empty());
}

/// A read makes files beside the database; it leaves none that were not there.
#[test]
fn a_read_leaves_everything_as_it_was() {
    let database = Database::of("today", "agent(c, 'a')");
    let before = directory(&database.path());
    assert_eq!(before.keys().collect::<Vec<_>>(), ["state.sqlite3"]);
    assert_eq!(ids(&database.path()), ["a"]);
    assert_eq!(directory(&database.path()), before);
}

/// What a process that died has left in the log counts, and stays there.
#[test]
fn h66_a_log_left_behind_is_read_and_stays() {
    let database = Database::of("today", "agent(c, 'a')");
    database.python("c = connect()\nagent(c, 'b')\nsys.stdout.flush()\nos._exit(0)");
    let before = directory(&database.path());
    assert!(before["state.sqlite3-wal"].0.len() > 1000, "{:?}", before.keys());
    assert_eq!(ids(&database.path()), ["a", "b"]);
    let after = directory(&database.path());
    for name in ["state.sqlite3", "state.sqlite3-wal"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert_eq!(before.len(), after.len());
    // Without the file of shared memory, SQLite makes it anew from the log.
    fs::remove_file(database.path().with_file_name("state.sqlite3-shm")).unwrap();
    assert_eq!(ids(&database.path()), ["a", "b"]);
    assert_eq!(directory(&database.path())["state.sqlite3"], before["state.sqlite3"]);
}

#[test]
fn h66_a_writer_in_a_transaction_does_not_keep_readers_out() {
    let database = Database::of("today", "agent(c, 'a')");
    let script = "c = connect()\nc.execute('BEGIN IMMEDIATE')\nagent(c, 'b')\nprint('in', flush=True)\nsys.stdin.read()\nc.execute('COMMIT')";
    let mut writer = database.start(script);
    let mut line = String::new();
    BufReader::new(writer.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(ids(&database.path()), ["a"]);
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
    assert_eq!(ids(&database.path()), ["a", "b"]);
}

#[test]
fn h66_a_database_that_is_locked_could_not_be_asked() {
    let database = Database::of("today", "agent(c, 'a')");
    let script = "c = connect()\nc.execute('PRAGMA locking_mode=EXCLUSIVE')\nc.execute('BEGIN IMMEDIATE')\nagent(c, 'b')\nc.execute('COMMIT')\nprint('in', flush=True)\nsys.stdin.read()";
    let mut writer = database.start(script);
    let mut line = String::new();
    BufReader::new(writer.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let began = Instant::now();
    let error = read_for(&database.path(), 0.5).unwrap_err();
    assert!(error.contains("locked by another process"), "{error}");
    assert!(error.contains("SQLITE_BUSY"), "{error}");
    let took = began.elapsed().as_secs_f32();
    assert!((0.4..3.0).contains(&took), "{took}");
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
    assert_eq!(ids(&database.path()), ["a", "b"]);
}

#[test]
fn h66_what_is_no_database_could_not_be_asked() {
    let none = Database::none();
    let path = none.path();
    let fails = |what: &str| {
        let error = read(&path).unwrap_err();
        assert!(error.contains(what), "{what}: {error}");
        assert!(error.contains("state.sqlite3"), "{error}");
    };
    fails("No such file");
    fs::write(&path, "").unwrap();
    fails("empty (0 bytes)");
    fs::write(&path, "no database at all ".repeat(100)).unwrap();
    fails("SQLITE_NOTADB");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fails("a directory");
    fs::remove_dir(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fails("not a regular file");
    fs::remove_file(&path).unwrap();
    assert_eq!(directory(&path).len(), 0);
}

#[test]
fn h66_a_corrupt_database_could_not_be_asked() {
    let database = Database::of("today", "for n in range(2000): agent(c, 'agent-%d' % n)");
    let mut bytes = fs::read(database.path()).unwrap();
    let (page, end) = (4096, bytes.len());
    bytes[20 * page..end - page].fill(0x5a);
    fs::write(database.path(), &bytes).unwrap();
    let error = read(&database.path()).unwrap_err();
    assert!(error.contains("corrupt") && error.contains("SQLITE_CORRUPT"), "{error}");
    assert_eq!(fs::read(database.path()).unwrap(), bytes);
}

#[test]
fn h66_a_table_or_a_column_that_is_missing_could_not_be_asked() {
    let database = Database::new("c = connect()\nc.execute('CREATE TABLE x(y)')\nc.close()");
    let began = Instant::now();
    let error = read(&database.path()).unwrap_err();
    assert!(error.contains("it has no table agents"), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(900));
    let database = Database::of("today", "c.execute('ALTER TABLE agents DROP COLUMN last_update')");
    let error = read(&database.path()).unwrap_err();
    assert!(error.contains("no column last_update"), "{error}");
}

/// The orchestrator adds columns when it opens a database of an earlier version.
#[test]
fn a_column_that_is_being_added_is_waited_for() {
    let database = Database::of("today", "c.execute('ALTER TABLE agents DROP COLUMN last_update')");
    let mut writer = database.start(
        "print('ready', flush=True)\ntime.sleep(0.3)\nc = connect()\nc.execute('ALTER TABLE agents ADD COLUMN last_update')\nagent(c, 'a')",
    );
    BufReader::new(writer.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    assert_eq!(ids(&database.path()), ["a"]);
    assert!(writer.wait().unwrap().success());
}

#[test]
fn text_that_is_not_utf8_could_not_be_read() {
    let odd = "c.execute(\"UPDATE agents SET status = CAST(x'ff77' AS TEXT)\")";
    let database = Database::of("today", &format!("agent(c, 'a')\n{odd}"));
    let error = read(&database.path()).unwrap_err();
    assert!(error.contains("column status of an agent is not UTF-8"), "{error}");
    let blob = "c.execute(\"UPDATE agents SET status = x'ff77'\")";
    let database = Database::of("today", &format!("agent(c, 'a')\n{blob}"));
    let error = read(&database.path()).unwrap_err();
    assert!(error.contains("column status of an agent is no text"), "{error}");
}

/// A path with `?` once lost `mode=ro`, and an empty file was made.
#[test]
fn a_path_is_never_a_uri() {
    for name in ["a?mode=memory", "file:x", "a%20b#c", ":memory:"] {
        let directory = tempfile::tempdir().unwrap();
        let odd = directory.path().join(name);
        fs::create_dir(&odd).unwrap();
        let database = Database::of("today", "agent(c, 'a')");
        fs::copy(database.path(), odd.join("state.sqlite3")).unwrap();
        assert_eq!(ids(&odd.join("state.sqlite3")), ["a"], "{name}");
        let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        // Nor is a file made that is not there.
        assert!(read(&odd.join("other?mode=rwc")).is_err());
        assert_eq!(fs::read_dir(&odd).unwrap().count(), 1);
    }
}

#[test]
fn h66_the_database_of_another_user_is_not_opened() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let database = Database::of("today", "agent(c, 'a')");
    std::os::unix::fs::chown(database.path(), Some(65534), None).unwrap();
    let error = read(&database.path()).unwrap_err();
    assert!(error.contains("belongs to uid 65534"), "{error}");
    assert!(error.contains("run as its owner"), "{error}");
    assert_eq!(directory(&database.path()).len(), 1);
}

/// A link is followed once, then SQLite's own files beside must be files of ours.
#[test]
fn files_beside_a_database_are_no_links() {
    let database = Database::of("today", "agent(c, 'a')");
    let link = database.path().with_file_name("link.sqlite3");
    symlink(database.path(), &link).unwrap();
    assert_eq!(ids(&link), ["a"]);
    let victim = database.workspace.path().join("victim");
    fs::write(&victim, "").unwrap();
    symlink(&victim, database.path().with_file_name("state.sqlite3-wal")).unwrap();
    let error = read(&database.path()).unwrap_err();
    assert!(error.contains("state.sqlite3-wal: not a regular file"), "{error}");
    assert_eq!(fs::read(&victim).unwrap(), b"");
}
