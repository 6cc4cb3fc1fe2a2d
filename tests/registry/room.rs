//! Registries that cannot be written, or are no files, or not where they seem to be.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use serde_json::Value;

use super::{SESSION, found, journal, litter, live, mixed, world};
use crate::world::{Entry, Ran, Registry, World, run, skip, through};

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
fn h24_a_full_disk() {
    let world = world();
    let folder = world.path().join("disk");
    fs::create_dir(&folder).unwrap();
    let registry = folder.join("R.json");
    let ghosts = (0..24).map(|n| Entry::new(&format!("ghost-{n}")).set("status", "running"));
    let marked = Registry::new(ghosts.chain([live("live-1")])).task("TASK-1");
    for before in [mixed(40, 5).global(), marked] {
        fs::write(&registry, &before).unwrap();
        fs::write(world.path().join("before"), &before).unwrap();
        let findings = found(&world, &[&registry]);
        fs::write(world.path().join("findings"), &findings).unwrap();
        let (mut full, mut enough) = (0, 0);
        let pages = before.len().div_ceil(4096) + 1;
        for kib in (pages * 4..).step_by(4) {
            let Some(ran) = on_a_small_disk(&world, kib) else { return };
            let end = fs::read_to_string(world.path().join("after")).unwrap();
            let files = fs::read_to_string(world.path().join("files")).unwrap();
            assert!(!files.contains("prune-"), "{kib} KiB: {files}");
            if ran.code == 0 {
                assert_ne!(end, before);
                assert!(serde_json::from_str::<Value>(&end).is_ok());
                enough += 1;
            } else {
                assert_eq!(ran.code, 1, "{}", ran.err);
                assert!(
                    ran.out.contains("No space left") && ran.out.contains("nothing was changed")
                );
                assert_eq!(end, before, "{kib} KiB");
                assert!(!files.contains("bak"), "{kib} KiB: {files}");
                full += 1;
            }
            if enough == 2 {
                break;
            }
        }
        println!("{} bytes: {full} sizes of disk too small, nothing lost", before.len());
        assert!(full > 5);
    }
}

/// Prunes a registry on a disk of that size, in a mount namespace of its own.
fn on_a_small_disk(world: &World, kib: usize) -> Option<Ran> {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o "size=$1k" tmpfs disk || exit 77
        cp before disk/R.json || exit 77
        "$2" --yes findings
        code=$?
        cp disk/R.json after
        ls -A disk >files
        exit $code
    "#;
    let mut command = world.command("unshare");
    command.arg("--mount");
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let agentprune = world.tool("agentprune");
    command.args(["sh", "-c", SCRIPT, "sh", &kib.to_string()]).arg(agentprune.get_program());
    let ran = run(&mut command, "");
    if ran.err.contains("mount: ") || ran.err.starts_with("unshare: ") {
        skip("h24, a full disk", &format!("no file system can be mounted: {}", ran.err.trim()));
        return None;
    }
    assert_ne!(ran.code, 77, "{kib} KiB are too small for the registry itself: {}", ran.err);
    Some(ran)
}

#[test]
fn h24_no_permission() {
    let world = World::new();
    let mut try_it = world.tool("agentprune");
    try_it.arg("--version");
    fs::set_permissions(world.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if run(&mut through(&AS_USER, &try_it), "").code != 0 {
        return skip(
            "h24, no permission",
            "setpriv is not permitted, or that user cannot run the tools",
        );
    }
    // A tmux server and a folder of that user's.
    let folder = world.path().join("theirs");
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(USER), Some(USER)).unwrap();
    let socket = folder.join("socket");
    let as_user = |command: &Command, input: &str| run(&mut through(&AS_USER, command), input);
    let mut tmux = world.command("tmux");
    tmux.args(["-f", "/dev/null", "-S"]).arg(&socket);
    tmux.args(["new-session", "-d", "-s", SESSION, "sleep 3600"]);
    as_user(&tmux, "").ok();

    let registries = folder.join("registries");
    fs::create_dir(&registries).unwrap();
    let registry = registries.join("R.json");
    let before = mixed(5, 2).global();
    fs::write(&registry, &before).unwrap();
    for path in [&registry, &registries] {
        chown(path, Some(USER), Some(USER)).unwrap();
    }
    let scan = || {
        let mut agents = world.tool("lsagents");
        let mut sessions = world.tool("lssessions");
        let agents = as_user(agents.arg("--registry").arg(&registry), "").ok();
        let sessions = as_user(sessions.arg("-S").arg(&socket), "").ok();
        // None of the tmux servers that were not asked has Claude below it.
        agents.out + &sessions.out + &as_user(&world.lsclaude(), "").ok().out
    };
    let findings = world.diff(&scan(), &[]).expect(&[1]).out;
    let mut prune = world.tool("agentprune");
    prune.arg("--yes");
    for (of_file, of_folder, reason) in
        [(0o444, 0o755, "an edit needs write permission"), (0o644, 0o555, "nothing was changed")]
    {
        fs::set_permissions(&registry, fs::Permissions::from_mode(of_file)).unwrap();
        fs::set_permissions(&registries, fs::Permissions::from_mode(of_folder)).unwrap();
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

    // Edited by its owner, it keeps owner, group and permissions.
    chown(&registry, Some(USER), Some(USER)).unwrap();
    fs::set_permissions(&registry, fs::Permissions::from_mode(0o640)).unwrap();
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
}

#[test]
fn h24_a_link_is_followed_once() {
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
    let findings = world.diff(&scan, &[]).expect(&[1]).out;
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
fn h24_what_is_no_file() {
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
