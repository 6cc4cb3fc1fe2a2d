//! Registries that cannot be written for lack of room.

use std::fs;

use serde_json::Value;

use super::{found, litter, live, mixed, world};
use crate::world::{Entry, Ran, Registry, World, run, skip, through};

#[test]
fn h24_a_full_disk_leaves_the_old_content() {
    let world = world();
    let disk = world.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let registry = disk.join("R.json");
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
fn h52_a_limit_of_file_sizes_leaves_the_old_content() {
    let world = world();
    let registry = world.global_path();
    let before = world.write_global(&mixed(40, 5));
    let findings = world.path().join("findings");
    fs::write(&findings, found(&world, &[&registry])).unwrap();
    let mut prune = world.tool("agentprune");
    prune.arg("--yes").arg(&findings);
    let (mut too_small, mut enough) = (0, 0);
    for limit in (0..).step_by(before.len() / 7) {
        let limit = format!("--fsize={limit}");
        let limited = ["prlimit", &limit];
        let ran = run(&mut through(&limited, &prune), "");
        if ran.code == 127 || ran.err.starts_with("prlimit: ") {
            return skip("h52, a limit of file sizes", ran.err.trim());
        }
        let end = fs::read_to_string(&registry).unwrap();
        assert_eq!(litter(&registry), Vec::<String>::new());
        if ran.code == 0 {
            assert!(!end.contains("ghost"), "{limit}");
            enough += 1;
            break;
        }
        assert_eq!(ran.code, 1, "{limit}: {}", ran.err);
        let reasons = "File too large (os error 27); nothing was changed";
        assert!(ran.records().iter().all(|r| r["reason"].as_str().unwrap().contains(reasons)));
        assert_eq!(end, before, "{limit}");
        assert_eq!(fs::read_dir(registry.parent().unwrap()).unwrap().count(), 1, "{limit}");
        too_small += 1;
    }
    println!("{} bytes: {too_small} limits too small, nothing lost", before.len());
    assert!(too_small > 7 && enough == 1, "{too_small}");
}
