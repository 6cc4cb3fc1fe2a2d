//! Databases that could not be asked: a clear error, nothing concluded, nothing written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::{database, found, lsagents, python, start, world};
use crate::world::{World, run};

/// Every file below a directory with its bytes.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => all.extend(files(&path)),
            kind if kind.is_file() => {
                all.insert(path.to_string_lossy().into_owned(), fs::read(&path).unwrap());
            }
            _ => {
                all.insert(path.to_string_lossy().into_owned(), Vec::new());
            }
        }
    }
    // The shared memory of SQLite says who reads.
    all.retain(|path, _| !path.ends_with("-shm"));
    all
}

/// A world with two ghosts, one of which stands in a JSON registry only.
fn two_ghosts() -> World {
    world("agent(c, 'ghost')\ntask_file([entry('ghost'), entry('old')])")
}

/// What every program and script must make of it.
fn refused(world: &World, findings: &str, what: &str) {
    let workspace = world.path().join(".agent-workspace");
    let before = files(&workspace);
    let mut list = world.tool("lsagents");
    list.args(["--all", "--lock-timeout", "0.3s"]).arg("--workspace").arg(world.path());
    let ran = run(&mut list, "").expect(&[2]);
    assert!(ran.err.contains(what), "{what}: {}", ran.err);
    assert!(ran.err.contains("state.sqlite3"), "{}", ran.err);
    let records = ran.records();
    assert_eq!(records.last().unwrap()["complete"], false);
    // What stands in the JSON files may be history: nothing of the workspace is listed.
    assert_eq!(records.len(), 1, "{}", ran.out);

    // Findings of before are of no use.
    let pruned = world.prune(findings, &["--yes", "--lock-timeout", "0.3s"]).expect(&[1]);
    for record in pruned.records() {
        assert_eq!(record["result"], "failed", "{what}: {record}");
    }
    for script in ["verify_cleanup.sh", "cleanup_leaked_agents.sh"] {
        let ran = run(&mut world.script(script), "yes\n");
        assert_ne!(ran.code, 0, "{what}: {script}: {}", ran.out);
        assert!(!ran.out.contains("PASS"), "{what}: {}", ran.out);
    }
    assert_eq!(files(&workspace), before, "{what}");
}

/// The finding about the row alone: the entry in the JSON file can be acted on.
fn of_the_row(findings: &str) -> String {
    let is_wanted = |line: &&str| !line.contains("\"scope\":\"task\"") && !line.contains("\"end\"");
    findings.lines().filter(is_wanted).map(|line| format!("{line}\n")).collect()
}

#[test]
fn h66_a_database_locked_for_long_is_an_error_of_its_own() {
    let world = two_ghosts();
    let findings = of_the_row(&found(&world));
    let mut holder = start(
        &world,
        "
c = connect()
c.execute('PRAGMA locking_mode=EXCLUSIVE'); c.execute('BEGIN EXCLUSIVE')
print('locked', flush=True); sys.stdin.read()
",
    );
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let mut list = world.tool("lsagents");
    list.args(["--all", "--lock-timeout", "0.3s"]).arg("--workspace").arg(world.path());
    let ran = run(&mut list, "").expect(&[2]);
    assert!(ran.err.contains("locked by another process") && ran.err.contains("SQLITE_BUSY"));
    let pruned = world.prune(&findings, &["--yes", "--lock-timeout", "0.3s"]).expect(&[1]);
    assert_eq!(pruned.records()[0]["result"], "failed");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    lsagents(&world).ok();
    // One who only writes keeps nobody from reading.
    let mut writer = start(
        &world,
        "
c = connect(); c.execute('BEGIN IMMEDIATE'); agent(c, 'new')
print('locked', flush=True); sys.stdin.read()
",
    );
    BufReader::new(writer.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    assert_eq!(lsagents(&world).ok().records().iter().filter(|r| r["scope"] == "state").count(), 2);
    let pruned = world.prune(&findings, &["--yes", "--lock-timeout", "0.3s"]).expect(&[1]);
    let record = &pruned.records()[0];
    assert_eq!(record["result"], "failed");
    assert!(record["reason"].as_str().unwrap().contains("locked by another process"), "{record}");
    drop(writer.stdin.take());
    writer.wait().unwrap();
}

#[test]
fn h66_what_is_no_database_is_an_error_each() {
    let world = two_ghosts();
    let findings = of_the_row(&found(&world));
    let path = database(&world);
    fs::write(&path, "").unwrap();
    refused(&world, &findings, "empty (0 bytes)");
    fs::write(&path, "not a database ".repeat(99)).unwrap();
    refused(&world, &findings, "SQLITE_NOTADB");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(&world, &findings, "a directory");
}

#[test]
fn h66_a_corrupt_database_is_an_error() {
    let world = world("for n in range(2000): agent(c, 'agent-%d' % n)");
    let all = found(&world);
    let findings =
        of_the_row(&all).lines().take(1).map(|line| format!("{line}\n")).collect::<String>();
    let mut bytes = fs::read(database(&world)).unwrap();
    let end = bytes.len();
    bytes[8 * 4096..end].fill(0x5a);
    fs::write(database(&world), &bytes).unwrap();
    refused(&world, &findings, "SQLITE_CORRUPT");
}

#[test]
fn h66_a_version_that_lacks_a_column_is_an_error() {
    let world = two_ghosts();
    let findings = of_the_row(&found(&world));
    python(&world, "c = connect()\nc.execute('ALTER TABLE agents RENAME COLUMN status TO state')");
    refused(&world, &findings, "has no column status");
    // One that lacks what only a write needs is read, and not written.
    python(
        &world,
        "
c = connect()
c.execute('ALTER TABLE agents RENAME COLUMN state TO status')
c.execute('ALTER TABLE agent_progress_latest RENAME COLUMN message TO text')
",
    );
    lsagents(&world).ok();
    let pruned = world.prune(&findings, &["--yes"]).expect(&[1]);
    let record = &pruned.records()[0];
    assert_eq!(record["result"], "failed");
    assert!(record["reason"].as_str().unwrap().contains("has no column message"), "{record}");
}

#[test]
fn h66_a_database_of_another_user_is_an_error() {
    if !nix::unistd::geteuid().is_root() {
        crate::world::skip("h66, another user", "only root can give files away");
        return;
    }
    let world = two_ghosts();
    let findings = of_the_row(&found(&world));
    std::os::unix::fs::chown(database(&world), Some(65534), None).unwrap();
    refused(&world, &findings, "run as its owner");
}
