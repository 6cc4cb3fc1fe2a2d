//! Links what unwinds the stack into the programs.
//!
//! On Linux with glibc, a Rust program loads `libgcc_s.so` at every start, for panics alone.
//! That takes longer than everything else before `main`, and the programs are so short that
//! it shows. GCC comes with the same code as `libgcc_eh.a`; under the name that the linker
//! looks for, and in a folder where it scans first, that is taken.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name| env::var(name).unwrap_or_default();
    let is_glibc =
        variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    // The compiler of this machine knows the library of this machine only.
    if !is_glibc || variable("HOST") != variable("TARGET") {
        return;
    }
    let folder = PathBuf::from(variable("OUT_DIR"));
    if let Some(library) = library()
        && fs::copy(library, folder.join("libgcc_s.a")).is_ok()
    {
        println!("cargo:rustc-link-search=native={}", folder.display());
    }
}

/// Where GCC keeps it. Without GCC, programs are linked as always.
fn library() -> Option<PathBuf> {
    let said = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    path.is_absolute().then_some(path)
}
