//! `make install` and `make uninstall`, of what cargo has built for the tests.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{COMMANDS, Registry, World, built, run, skip};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `make` without cargo. Test builds are large, mostly of symbols.
fn make(world: &World, arguments: &[&str]) -> Command {
    let mut make = world.command("make");
    make.arg("-C").arg(project()).args(["-o", "all", "INSTALL_PROGRAM=install -s"]);
    make.arg(format!("built={}", built().display()));
    make.arg(format!("completions={}", world.path().join("completions").display()));
    make.args(arguments);
    make
}

/// The files below a directory, by their paths from there, with their modes.
fn files(directory: &Path) -> BTreeSet<(String, u32)> {
    let mut found = BTreeSet::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                let path = path.strip_prefix(directory).unwrap();
                found.insert((path.to_str().unwrap().to_owned(), mode));
            }
        }
    }
    found
}

/// What is to be installed below the prefix.
fn expected() -> BTreeSet<(String, u32)> {
    let pages = fs::read_dir(project().join("man")).unwrap().map(|page| {
        let name = page.unwrap().file_name().into_string().unwrap();
        let section = name.rsplit('.').next().unwrap();
        (format!("share/man/man{section}/{name}"), 0o644)
    });
    let pages: Vec<_> = pages.collect();
    assert_eq!(pages.len(), 9);
    let of_command = COMMANDS.iter().flat_map(|name| {
        [
            (format!("bin/{name}"), 0o755),
            (format!("share/bash-completion/completions/{name}"), 0o644),
            (format!("share/zsh/site-functions/_{name}"), 0o644),
            (format!("share/fish/vendor_completions.d/{name}.fish"), 0o644),
        ]
    });
    // Each script's page under its whole name, too.
    let scripts = COMMANDS.iter().filter(|name| name.ends_with(".sh"));
    let aliases = scripts.map(|name| (format!("share/man/man1/{name}.1"), 0o644));
    of_command.chain(pages).chain(aliases).collect()
}

#[test]
fn what_is_installed_works_and_can_be_removed() {
    let world = World::new();
    world.write_global(&Registry::default());
    let prefix = world.path().join("my tools");
    let option = format!("PREFIX={}", prefix.display());
    // Others can read the installed files, whatever the umask is.
    let mut strict = world.command("sh");
    strict.args(["-c", "umask 077; exec \"$@\"", "sh"]);
    let install = make(&world, &["install", &option]);
    run(strict.arg(install.get_program()).args(install.get_args()), "").ok();
    assert_eq!(files(&prefix), expected());

    let bin = prefix.join("bin");
    for name in COMMANDS {
        let help = run(world.command(bin.join(name)).arg("--help"), "").ok().out;
        assert!(help.contains(&format!("Usage: {name}")), "{help}");
    }
    // The scripts find the programs beside them.
    let mut verify = world.command("env");
    verify.args(["-i", "PATH=/usr/bin:/bin"]).arg(bin.join("verify_cleanup.sh"));
    verify.arg("--workspace").arg(world.path()).args(["--name", world.name()]);
    world.session("some", "sleep 3600");
    verify.arg("-S").arg(world.socket());
    assert!(run(&mut verify, "").ok().out.contains("PASS: No ghost agents"));
    manual(&world, &prefix.join("share/man"));

    run(&mut make(&world, &["uninstall", &option]), "").ok();
    assert_eq!(files(&prefix), BTreeSet::new());
}

/// `man` finds and shows every page there.
fn manual(world: &World, directory: &Path) {
    let man = |arguments: &[&str]| {
        let mut man = world.command("man");
        run(man.arg("-M").arg(directory).args(arguments), "")
    };
    if run(world.command("sh").args(["-c", "command -v man"]), "").code != 0 {
        return skip("install", "man is not there");
    }
    for (page, _) in expected().iter().filter(|(path, _)| path.starts_with("share/man")) {
        let name = Path::new(page).file_stem().unwrap().to_str().unwrap();
        let found = man(&["-w", name]).ok().out;
        assert!(found.trim_end().ends_with(&page.replace(".sh.", ".")), "{name}: {found}");
        assert!(man(&[name]).ok().out.contains("SEE ALSO"), "{name}");
    }
}

#[test]
fn a_package_is_made_below_destdir() {
    let world = World::new();
    let stage = world.path().join("stage");
    let destdir = format!("DESTDIR={}", stage.display());
    // As zsh and dash give it to make.
    let home = ["install", &destdir, "PREFIX=~/.local", "zsh_completions=/usr/share/zsh/vendor"];
    run(&mut make(&world, &home), "").ok();
    let home = world.path().join(".local");
    let home = home.strip_prefix("/").unwrap().to_str().unwrap();
    let expected: BTreeSet<(String, u32)> = expected()
        .into_iter()
        .map(|(path, mode)| match path.strip_prefix("share/zsh/site-functions/") {
            Some(name) => (format!("usr/share/zsh/vendor/{name}"), mode),
            None => (format!("{home}/{path}"), mode),
        })
        .collect();
    assert_eq!(files(&stage), expected);
}
