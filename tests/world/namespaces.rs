//! A machine of its own for a test, as far as the test can see: pid and mount namespaces
//! with an empty `/tmp`.
//!
//! A tool that looks at everything, such as `lssessions` without `-S`, would see what
//! other tests and the developer have running, and its answer would depend on that.

use std::any::type_name;
use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use super::{built, run, skip};

/// Set inside.
const INSIDE: &str = "AGENTUTILS_PRIVATE";

/// Makes a new `/tmp` in `$1`, in which `built` is `$2`, what cargo has built; then runs
/// the rest.
const SETUP: &str = r#"
set -eu
new=$1 built=$2
shift 2
mount -t tmpfs -o mode=1777 tmpfs "$new"
mkdir "$new/built"
mount --bind "$built" "$new/built"
mount --rbind "$new" /tmp
cd /
"$@"
"#;

/// Runs the body of a test in new namespaces, where pid 1 is a shell; skipped where that
/// is not permitted. The body must be a closure that stands in the test itself: from its
/// type comes the name of the test, which is run anew there.
///
/// # Panics
/// When the body does.
pub fn privately<F: FnOnce()>(body: F) {
    if is_inside() { body() } else { enter(test_of::<F>(), &[]) }
}

/// The same, with a network of its own that leads nowhere; its loopback interface is down.
/// `prepare` runs before, outside; the test is skipped for the reason that it returns.
///
/// # Panics
/// When the body does.
pub fn privately_offline<F: FnOnce()>(prepare: impl FnOnce() -> Result<(), String>, body: F) {
    if is_inside() {
        return body();
    }
    match prepare() {
        Ok(()) => enter(test_of::<F>(), &["--net"]),
        Err(reason) => skip(test_of::<F>(), &reason),
    }
}

/// Whether this process is the one that was started in the namespaces.
pub(super) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// The name of the test in which a closure of this type stands.
pub(super) fn test_of<F>() -> &'static str {
    let closure = type_name::<F>();
    let path = closure.strip_suffix("::{{closure}}").unwrap_or(closure);
    path.split_once("::").map_or(path, |(_, test)| test)
}

/// Runs a test once more, in new namespaces, also in those of these options.
pub(super) fn enter(test: &str, options: &[&str]) {
    let permitted = run(unshare().args(options).arg("true"), "");
    if permitted.code != 0 {
        return skip(test, &format!("no namespaces: {}", permitted.err.trim()));
    }
    let mount_point = tempfile::tempdir().expect("a directory to mount on");
    let own = env::current_exe().expect("the path of this program");
    let moved = Path::new("/tmp/built/deps").join(own.file_name().expect("its name"));
    let mut command = unshare();
    command
        .args(options)
        .args(["tini", "--", "sh", "-c", SETUP, "sh"])
        .arg(mount_point.path())
        .arg(built());
    command.arg(moved).args([test, "--exact", "--nocapture"]);
    let ran = run(command.env(INSIDE, "1").env("TMPDIR", "/tmp"), "");
    for skipped in ran.err.lines().filter(|line| line.starts_with("SKIPPED")) {
        // Not captured, unlike what the macros print.
        let _ = writeln!(io::stderr(), "{skipped}");
    }
    // A wrong name would run no test, and succeed.
    let passed = ran.code == 0 && ran.out.contains("1 passed");
    assert!(passed, "in its namespaces: {}\n{}\n{}", ran.code, ran.out, ran.err);
}

/// For who is not root, the namespaces come with one of users in which he is.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]);
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}
