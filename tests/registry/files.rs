//! Registries that may not be written, are no regular files, or are not where they were.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;

use super::{SESSION, diff, found, journal, litter, mixed, world};
use crate::world::{Ran, World, run, skip, through};

/// A user that is not root, to whom permissions mean something.
const USER: u32 = 12345;
const AS_USER: [&str; 6] = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"];

/// What agentprune and lsagents say to a registry that agentprune cannot edit: a finding
/// failed, which is exit status 1; 2 is for input and machines it cannot understand.
fn fails(world: &World, findings: &str, reason: &str) -> Ran {
    let ran = world.prune(findings, &["--yes"]).expect(&[1]);
    assert!(ran.records().iter().all(|record| record["result"] == "failed"), "{}", ran.out);
    assert!(ran.out.contains(reason), "{reason}: {}", ran.out);
    ran
}

#[test]
fn h24_without_permission_nothing_is_changed() {
    let world = World::new();
    let mut try_it = world.tool("agentprune");
    try_it.arg("--version");
    fs::set_permissions(world.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if run(&mut through(&AS_USER, &try_it), "").code != 0 {
        return skip(
            "h24, without permission",
            "setpriv is not permitted, or that user cannot run the tools",
        );
    }
    // A tmux server and a directory of that user's.
    let theirs = world.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(USER), Some(USER)).unwrap();
    let socket = theirs.join("socket");
    let as_user = |command: &Command, input: &str| run(&mut through(&AS_USER, command), input);
    let mut tmux = world.command("tmux");
    tmux.args(["-f", "/dev/null", "-S"]).arg(&socket);
    tmux.args(["new-session", "-d", "-s", SESSION, "sleep 3600"]);
    as_user(&tmux, "").ok();

    let registries = theirs.join("registries");
    fs::create_dir(&registries).unwrap();
    let registry = registries.join("R.json");
    let before = mixed(5, 2).global();
    fs::write(&registry, &before).unwrap();
    for path in [&registry, &registries] {
        chown(path, Some(USER), Some(USER)).unwrap();
    }
    let mut agents = world.tool("lsagents");
    agents.arg("--registry").arg(&registry);
    let mut sessions = world.tool("lssessions");
    sessions.arg("-S").arg(&socket);
    let scan = [agents, sessions].map(|lister| as_user(&lister, "").ok().out).concat();
    let mut diff = world.tool("agentdiff");
    diff.args(["--min-age", "0s", "--ignore-unasked"]);
    let findings = as_user(&diff, &scan).expect(&[1]).out;
    let mut prune = world.tool("agentprune");
    prune.arg("--yes");
    for (of_file, of_directory, reason) in
        [(0o444, 0o755, "an edit needs write permission"), (0o644, 0o555, "nothing was changed")]
    {
        fs::set_permissions(&registry, fs::Permissions::from_mode(of_file)).unwrap();
        fs::set_permissions(&registries, fs::Permissions::from_mode(of_directory)).unwrap();
        let ran = as_user(&prune, &findings).expect(&[1]);
        assert!(ran.out.contains("Permission denied") && ran.out.contains(reason), "{}", ran.out);
        assert_eq!(fs::read_to_string(&registry).unwrap(), before);
        assert_eq!(litter(&registry), Vec::<String>::new());
    }
    // Not theirs at all.
    fs::set_permissions(&registries, fs::Permissions::from_mode(0o755)).unwrap();
    chown(&registry, Some(0), Some(0)).unwrap();
    fs::set_permissions(&registry, fs::Permissions::from_mode(0o600)).unwrap();
    let mut lsagents = world.tool("lsagents");
    let listed = as_user(lsagents.arg("--registry").arg(&registry), "").expect(&[2]);
    assert!(listed.err.contains("Permission denied"), "{}", listed.err);
    assert!(listed.out.contains("\"complete\":false"));
    as_user(&prune, &findings).expect(&[1]);
    assert_eq!(fs::read_to_string(&registry).unwrap(), before);

    // Another's that they may write.
    fs::set_permissions(&registry, fs::Permissions::from_mode(0o666)).unwrap();
    let refused = as_user(&prune, &findings).expect(&[1]);
    for record in refused.records() {
        assert_eq!(record["result"], "refused", "{record}");
        let reason = record["reason"].as_str().unwrap();
        assert!(
            reason.contains("it belongs to uid 0, this runs as uid 12345: run as its owner"),
            "{reason}"
        );
    }
    assert_eq!(fs::read_to_string(&registry).unwrap(), before);

    // Root does not edit it for its owner: a run has one user.
    chown(&registry, Some(USER), Some(USER)).unwrap();
    fs::set_permissions(&registry, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = run(prune.arg("-"), &findings).expect(&[1]);
    assert!(refused.records().iter().all(|r| r["result"] == "refused"), "{}", refused.out);
    assert_eq!(fs::read_to_string(&registry).unwrap(), before);
    assert_eq!(litter(&registry), Vec::<String>::new());

    // What its owner makes beside it has its mode and group.
    let inode = fs::metadata(&registry).unwrap().ino();
    as_user(&prune, &findings).ok();
    let files: Vec<_> = fs::read_dir(&registries).unwrap().flatten().map(|e| e.path()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for path in files {
        let metadata = fs::metadata(&path).unwrap();
        let mode = Mode::from_bits_truncate(metadata.mode());
        assert_eq!((metadata.uid(), metadata.gid(), mode.bits()), (USER, USER, 0o640), "{path:?}");
        assert_eq!(path == registry, metadata.ino() == inode);
    }
    // What a group may read that its owner is not in, no other may.
    fs::write(&registry, &before).unwrap();
    chown(&registry, Some(USER), Some(0)).unwrap();
    fs::set_permissions(&registry, fs::Permissions::from_mode(0o640)).unwrap();
    as_user(prune.args(["--keep-backups", "1"]), &findings).ok();
    let backup = fs::read_dir(&registries).unwrap().flatten().map(|entry| entry.path());
    let backups: Vec<_> = backup.filter(|path| *path != registry).collect();
    assert_eq!(backups.len(), 1, "{backups:?}");
    let metadata = fs::metadata(&backups[0]).unwrap();
    assert_eq!((metadata.gid(), metadata.mode() & 0o777), (USER, 0o600));
}

#[test]
fn h24_a_link_that_a_person_names_is_followed_once() {
    let world = world();
    let target = world.path().join("real").join("R.json");
    fs::create_dir(target.parent().unwrap()).unwrap();
    let before = mixed(5, 2).global();
    fs::write(&target, &before).unwrap();
    let inode = fs::metadata(&target).unwrap().ino();
    let link = world.global_path();
    symlink("../../real/R.json", world.path().join("first")).unwrap_or_default();
    symlink("../../real/R.json", &link).unwrap();
    let scan = run(&mut world.lsagents(), "").ok().out + &run(&mut world.lssessions(), "").ok().out;
    assert!(scan.contains(&format!("\"registry\":\"{}\"", target.display())));
    let findings = diff(&world, &scan).expect(&[1]).out;
    world.prune(&findings, &["--yes"]).ok();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("../../real/R.json"));
    assert_eq!(fs::metadata(&target).unwrap().ino(), inode);
    assert!(!fs::read_to_string(&target).unwrap().contains("ghost"));
    assert_eq!(fs::read_dir(link.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(litter(&target), Vec::<String>::new());

    // Recovery, too, looks for the journal beside the file.
    fs::write(journal(&target), "{}").unwrap();
    let recovered = run(world.tool("agentprune").arg("--recover").arg(&link), "").expect(&[2]);
    assert!(!recovered.err.contains("no interrupted write"), "{}", recovered.err);
    fs::remove_file(journal(&target)).unwrap();
    let recovered = run(world.tool("agentprune").arg("--recover").arg(&link), "").ok();
    assert!(recovered.err.contains("no interrupted write"), "{}", recovered.err);
}

#[test]
fn h24_what_is_no_regular_file_is_refused_without_waiting() {
    let world = world();
    let path = world.path().join("R.json");
    fs::write(&path, mixed(3, 1).global()).unwrap();
    let findings = found(&world, &[&path]);
    type Make = fn(&Path);
    let kinds: [(&str, Make); 4] = [
        ("not a regular file", |path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap()),
        ("not a regular file", |path| fs::create_dir(path).unwrap()),
        ("No such file", |_| {}),
        ("Too many levels of symbolic links", |path| symlink(path, path).unwrap()),
    ];
    for (reason, make) in kinds {
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap_or_default();
        make(&path);
        let began = Instant::now();
        let listed = run(world.tool("lsagents").arg("--registry").arg(&path), "").expect(&[2]);
        assert!(listed.err.contains(reason), "{}", listed.err);
        assert!(listed.out.contains("\"complete\":false"));
        fails(&world, &findings, reason);
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

/// Runs `agentprune --yes` on findings about this registry after `change`, and shows that
/// it ends soon and neither `kept` nor what is beside the registry has changed.
fn attacked(world: &World, registry: &Path, kept: &Path, change: impl FnOnce()) -> Ran {
    let findings = found(world, &[registry]);
    change();
    let before = (fs::read(kept).unwrap(), litter(registry));
    let began = Instant::now();
    let ran = world.prune(&findings, &["--yes"]).expect(&[1]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(ran.records().iter().all(|r| r["result"] == "failed"), "{}", ran.out);
    assert_eq!((fs::read(kept).unwrap(), litter(registry)), before, "{}", ran.out);
    ran
}

/// A registry in a directory that another user might control.
fn exposed(world: &World) -> PathBuf {
    let registry = world.path().join("exposed").join("R.json");
    fs::create_dir(registry.parent().unwrap()).unwrap();
    fs::write(&registry, mixed(5, 2).global()).unwrap();
    registry
}

#[test]
fn h40_a_registry_that_has_become_a_link_is_not_followed() {
    let world = world();
    let registry = exposed(&world);
    let directory = registry.parent().unwrap();
    let other = world.path().join("other");
    let victim = other.join("R.json");
    fs::create_dir(&other).unwrap();
    // It has the same entries: only the way to it is wrong.
    fs::copy(&registry, &victim).unwrap();
    let ran = attacked(&world, &registry, &victim, || {
        fs::remove_file(&registry).unwrap();
        symlink(&victim, &registry).unwrap();
    });
    assert!(ran.out.contains("it is a symbolic link now"), "{}", ran.out);

    fs::remove_file(&registry).unwrap();
    fs::copy(&victim, &registry).unwrap();
    let ran = attacked(&world, &registry, &victim, || {
        fs::rename(directory, world.path().join("moved")).unwrap();
        symlink(&other, directory).unwrap();
    });
    assert!(ran.out.contains("the directory exposed is a symbolic link now"), "{}", ran.out);
}

/// Bytes of a journal of a write that was interrupted, whatever the registry holds.
fn forged(old: &str, new: &str) -> Vec<u8> {
    let digest = |text: &str| {
        let mut command = Command::new("sha256sum");
        run(&mut command, text).ok().out.split(' ').next().unwrap().to_owned()
    };
    let head = serde_json::json!({
        "format": "agentprune journal 1", "old_bytes": old.len(), "old_sha256": digest(old),
        "new_bytes": new.len(), "new_sha256": digest(new),
    });
    format!("{head}\n{old}{new}").into_bytes()
}

#[test]
fn h40_a_journal_of_another_user_is_not_believed() {
    let world = world();
    let registry = exposed(&world);
    let text = fs::read_to_string(&registry).unwrap();
    let new = text.replace("ghost-00000", "other-00000");
    let bytes = forged(&text, &new);
    // As if half of it had been written.
    let half = [&new.as_bytes()[..1024], &text.as_bytes()[1024..]].concat();
    let forge = || {
        fs::write(&registry, &half).unwrap();
        fs::write(journal(&registry), &bytes).unwrap();
    };
    // One's own is believed: else this would show nothing.
    forge();
    run(world.tool("agentprune").arg("--recover").arg(&registry), "").ok();
    assert_eq!(fs::read_to_string(&registry).unwrap(), new);
    if !nix::unistd::geteuid().is_root() {
        return skip("h40, a journal of another user", "only root can make one");
    }
    fs::write(&registry, &text).unwrap();
    let ran = attacked(&world, &registry, &registry, || {
        forge();
        chown(journal(&registry), Some(USER), None).unwrap();
    });
    assert!(ran.out.contains("it belongs to uid 12345"), "{}", ran.out);
    assert_eq!(fs::read(&registry).unwrap(), half);
}

#[test]
fn h40_a_journal_that_is_no_regular_file_is_neither_waited_for_nor_read() {
    let world = world();
    type Make = fn(&Path);
    let kinds: [(&str, Make); 5] = [
        ("not a regular file", |path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap()),
        ("not a regular file", |path| fs::create_dir(path).unwrap()),
        ("symbolic link", |path| symlink("/dev/zero", path).unwrap()),
        ("symbolic link", |path| symlink("/nowhere", path).unwrap()),
        ("more than a journal can have", |path| {
            fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        }),
    ];
    let registry = exposed(&world);
    for (reason, make) in kinds {
        let ran = attacked(&world, &registry, &registry, || make(&journal(&registry)));
        assert!(ran.out.contains(reason), "{reason}: {}", ran.out);
        let listed = run(world.tool("lsagents").arg("--registry").arg(&registry), "").expect(&[2]);
        assert!(listed.err.contains("--recover"), "{}", listed.err);
        let path = journal(&registry);
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
    }
}

#[test]
fn h40_a_registry_larger_than_the_limit_is_not_read_and_the_others_are() {
    let world = world();
    let registry = exposed(&world);
    let large = world.path().join("large.json");
    fs::copy(&registry, &large).unwrap();
    let findings = found(&world, &[&large, &registry]);
    let sparse = fs::File::options().write(true).open(&large).unwrap();
    sparse.set_len(4 << 40).or_else(|_| sparse.set_len(8 << 30)).unwrap();
    let size = sparse.metadata().unwrap().len();

    let began = Instant::now();
    let mut lsagents = world.tool("lsagents");
    let listed = run(lsagents.arg("--registry").arg(&large).arg("--registry").arg(&registry), "");
    let listed = listed.expect(&[2]);
    assert!(listed.err.contains(&format!("{size} bytes, more than --max-size allows")));
    assert_eq!(listed.out.matches("\"type\":\"agent\"").count(), 7, "{}", listed.out);
    let pruned = world.prune(&findings, &["--yes"]).expect(&[1]);
    let done = pruned.records().iter().filter(|r| r["result"] == "done").count();
    assert_eq!((done, pruned.records().len()), (5, 10), "{}", pruned.out);
    assert!(pruned.out.contains("more than --max-size allows"), "{}", pruned.out);
    assert_eq!(sparse.metadata().unwrap().len(), size);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    // The limit can be chosen.
    let length = fs::metadata(&registry).unwrap().len();
    for (limit, code) in [(length - 1, 2), (length, 0)] {
        let mut lsagents = world.tool("lsagents");
        lsagents.arg("--registry").arg(&registry).args(["--max-size", &limit.to_string()]);
        run(&mut lsagents, "").expect(&[code]);
    }
}
