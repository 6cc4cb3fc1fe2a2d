//! Old contents that are kept beside a registry, and files of people whose names begin alike.

use std::fs;
use std::os::unix::fs::symlink;

use super::{found, mixed, world};
use crate::world::World;

const KEEP: usize = 2;

/// Prunes, finds a ghost again and prunes, so often.
fn prune(world: &World, times: usize) {
    let registry = world.global_path();
    for _ in 0..times {
        let text = mixed(1, 1).global();
        fs::write(&registry, text).unwrap();
        let findings = found(world, &[&registry]);
        let ran = world.prune(&findings, &["--yes", "--keep-backups", &KEEP.to_string()]).ok();
        assert_eq!(ran.records()[0]["result"], "done");
    }
}

#[test]
fn h41_only_files_whose_names_have_exactly_our_form_are_removed() {
    let world = world();
    let registry = world.global_path();
    let directory = registry.parent().unwrap();
    let path = |ending: &str| directory.join(format!("GLOBAL_REGISTRY.json.{ending}"));
    let of_people = [
        "bak-2025-12-24-before-migration",
        "bak-20251224T000000.000000Z.orig",
        "bak-20251224T000000Z",
        "bak-",
        "bak-20251224t000000.000000Z",
        "prune-tmp-notes.txt",
        "prune-tmp-",
        "prune-journal.old",
    ];
    for ending in of_people {
        fs::write(path(ending), "keep me").unwrap();
    }
    // Of our form, but no regular file.
    fs::create_dir(path("bak-20250101T000000.000000Z")).unwrap();
    symlink("nowhere", path("bak-20250102T000000.000000Z")).unwrap();
    // What a prune that was killed has left.
    fs::write(path("prune-tmp-a1B2c3"), "").unwrap();

    prune(&world, 7);
    for ending in of_people {
        assert_eq!(fs::read_to_string(path(ending)).unwrap(), "keep me", "{ending}");
    }
    assert!(path("bak-20250101T000000.000000Z").is_dir());
    assert!(path("bak-20250102T000000.000000Z").is_symlink());
    assert!(!path("prune-tmp-a1B2c3").exists());
    // The registry, ours that were kept, the directory and the link.
    let names = fs::read_dir(directory).unwrap().count();
    assert_eq!(names, 1 + KEEP + of_people.len() + 2);
}
