//! Files torn by hand, with the journal of the write that tore them.

use std::fs;
use std::path::PathBuf;

use super::{found, journal, litter, mixed, world};
use crate::world::{Ran, World, run, skip, through};

const BLOCK: usize = 512;

/// Old and new content of a registry, and the journal of a prune that was killed before
/// it wrote.
struct Begun {
    old: Vec<u8>,
    new: Vec<u8>,
    journal: Vec<u8>,
}

fn begun(world: &World) -> Option<Begun> {
    let registry = world.global_path();
    let old = world.write_global(&mixed(70, 9)).into_bytes();
    let findings = world.path().join("findings");
    fs::write(&findings, found(world, &[&registry])).unwrap();
    let mut prune = world.tool("agentprune");
    prune.arg("--yes").arg(&findings);
    let kill = ["-e", "trace=pwrite64", "-e", "inject=pwrite64:signal=KILL:when=1"];
    let strace = [&["strace", "-qq", "-o", "/dev/null"][..], &kill].concat();
    let killed = run(&mut through(&strace, &prune), "");
    if killed.code != 128 + 9 {
        skip("h23, torn files", &format!("strace cannot trace here: {}", killed.err.trim()));
        return None;
    }
    let journal = fs::read(journal(&registry)).unwrap();
    run(&mut prune, "").ok();
    Some(Begun { old, new: fs::read(&registry).unwrap(), journal })
}

impl Begun {
    fn padded(&self) -> Vec<u8> {
        let mut padded = self.new.clone();
        padded.resize(self.old.len().max(self.new.len()), b' ');
        padded
    }

    fn blocks(&self) -> usize {
        self.old.len().div_ceil(BLOCK)
    }

    /// The file in which these blocks are written already.
    fn mixture(&self, written: impl Fn(usize) -> bool) -> Vec<u8> {
        let padded = self.padded();
        let block = |number: usize| {
            let content = if written(number) { &padded } else { &self.old };
            &content[number * BLOCK..self.old.len().min((number + 1) * BLOCK)]
        };
        (0..self.blocks()).flat_map(block).copied().collect()
    }

    /// Puts files with this journal under recovery; returns what became of them.
    fn recover(&self, world: &World, files: &[Vec<u8>]) -> (Vec<PathBuf>, Ran) {
        let mut command = world.tool("agentprune");
        let directory = world.path().join("torn");
        let _ = fs::remove_dir_all(&directory);
        let mut paths = Vec::new();
        for (number, bytes) in files.iter().enumerate() {
            let path = directory.join(number.to_string()).join("R.json");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            fs::write(journal(&path), &self.journal).unwrap();
            command.arg("--recover").arg(&path);
            paths.push(path);
        }
        (paths, run(&mut command, "").ok())
    }
}

#[test]
fn h23_every_mixture_of_blocks_becomes_old_or_new() {
    let world = world();
    let Some(begun) = begun(&world) else { return };
    let blocks = begun.blocks();
    let mut files = Vec::new();
    for cut in 0..=blocks {
        files.push(begun.mixture(|block| block < cut));
        files.push(begun.mixture(|block| block >= cut));
    }
    // Any sequence will do that is the same every time.
    let mut random = 1_u64;
    for _ in 0..300 {
        let mut bits = Vec::new();
        for _ in 0..blocks {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bits.push(random >> 63 == 1);
        }
        files.push(begun.mixture(|block| bits[block]));
    }
    // The padding may be cut off already.
    files.push(begun.new.clone());
    let (mut of_old, mut of_new, mut parse) = (0, 0, 0);
    for chunk in files.chunks(100) {
        let (paths, _) = begun.recover(&world, chunk);
        for (path, torn) in paths.iter().zip(chunk) {
            let now = fs::read(path).unwrap();
            assert!(now == begun.new || now == begun.old && *torn == begun.old);
            assert_eq!(litter(path), Vec::<String>::new());
            of_old += usize::from(now == begun.old);
            of_new += usize::from(now == begun.new);
            parse += usize::from(serde_json::from_slice::<serde_json::Value>(torn).is_ok());
        }
    }
    println!(
        "{} torn files of {blocks} blocks ({parse} parse): {of_old} old, {of_new} new, 0 entries lost",
        files.len()
    );
}

#[test]
fn h23_what_is_neither_is_a_later_writers_or_torn() {
    let world = world();
    let Some(begun) = begun(&world) else { return };
    let mut zeros = begun.old.clone();
    zeros[3 * BLOCK..4 * BLOCK].fill(0);
    let half = begun.old[..begun.old.len() / 2].to_vec();
    let torn = [zeros, half, Vec::new()];
    let (paths, ran) = begun.recover(&world, &torn);
    for (path, torn) in paths.iter().zip(&torn) {
        assert_eq!(fs::read(path).unwrap(), begun.old);
        let kept = litter(path);
        assert!(kept.len() == 1 && kept[0].starts_with("R.json.torn-"), "{kept:?}");
        assert_eq!(fs::read(path.with_file_name(&kept[0])).unwrap(), *torn);
        assert!(ran.err.contains(&kept[0]), "{}", ran.err);
    }
    let later = br#"{"agents": {"late": {}}}"#.to_vec();
    let (paths, ran) = begun.recover(&world, std::slice::from_ref(&later));
    assert_eq!(fs::read(&paths[0]).unwrap(), later);
    assert_eq!(litter(&paths[0]), Vec::<String>::new());
    assert!(ran.err.contains("another program has written since"), "{}", ran.err);

    // A journal that cannot be read is not thrown away, nor is the registry touched.
    let path = &paths[0];
    fs::write(journal(path), "{}").unwrap();
    let refused = run(world.tool("agentprune").arg("--recover").arg(path), "").expect(&[2]);
    assert!(refused.err.contains("R.json.prune-journal"), "{}", refused.err);
    assert_eq!(fs::read(path).unwrap(), later);
    assert!(journal(path).exists());
}
