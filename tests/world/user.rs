//! Other users, for tests of what one user may see and do of another's.
//!
//! They exist in the namespaces of [`privately_with_users`] only: with names, uids and groups
//! in an `/etc/passwd` and `/etc/group` of its own, so that initgroups(3) and `--user NAME`
//! find them. Only root can become them, so such a test is skipped for anybody else.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::namespaces::{enter, is_inside, test_of};
use super::{Ran, run, skip, through};

/// The users that have an entry in `/etc/passwd`, with their uids; each has a group of the
/// same name and number.
const NAMED: [(&str, u32); 3] = [("alice", 12345), ("bob", 12346), ("carol", 12347)];

/// The uid of [`User::without_entry`].
const WITHOUT_ENTRY: u32 = 12348;

/// The group that alice and bob belong to besides their own.
pub const TEAM: u32 = 12399;

/// A user of the private machine. Homes are below `/tmp/home`, and others may enter them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name in `/etc/passwd`, unless there is no entry.
    pub name: Option<&'static str>,
    /// The uid; the gid is the same number.
    pub uid: u32,
    /// The home directory.
    pub home: PathBuf,
}

impl User {
    fn named((name, uid): (&'static str, u32)) -> User {
        User { name: Some(name), uid, home: Path::new("/tmp/home").join(name) }
    }

    /// A user whom `/etc/passwd` does not know, as in many containers.
    pub fn without_entry() -> User {
        let home = Path::new("/tmp/home").join(WITHOUT_ENTRY.to_string());
        let user = User { name: None, uid: WITHOUT_ENTRY, home };
        user.create_home();
        user
    }

    /// The same command, run by this user with all the groups that are the user's. Directory
    /// and environment stay as they are, except that `HOME` is the user's.
    pub fn command(&self, command: &Command) -> Command {
        let id = self.uid.to_string();
        let groups = if self.name.is_some() { "--init-groups" } else { "--clear-groups" };
        let mut command = through(&["setpriv", "--reuid", &id, "--regid", &id, groups], command);
        command.env("HOME", &self.home);
        command
    }

    /// Runs a command as this user, with this standard input.
    pub fn run(&self, command: &Command, input: &str) -> Ran {
        run(&mut self.command(command), input)
    }

    /// Gives a file, or a directory and all that is below it, to this user. Links are left.
    pub fn own(&self, path: &Path) {
        let metadata = fs::symlink_metadata(path).expect("a path to give away");
        if metadata.is_symlink() {
            return;
        }
        chown(path, Some(self.uid), Some(self.uid)).expect("root may give away files");
        if metadata.is_dir() {
            for entry in fs::read_dir(path).expect("a directory to give away") {
                self.own(&entry.expect("an entry of the directory").path());
            }
        }
    }

    fn create_home(&self) {
        fs::create_dir_all(&self.home).expect("a home");
        self.own(&self.home);
    }
}

/// As [`privately`](super::privately), with users. Their homes are empty; a
/// [`World::of`](super::World::of) furnishes one.
///
/// # Panics
/// When the body does, or more users are wanted than there are.
pub fn privately_with_users<const N: usize, F: FnOnce([User; N])>(body: F) {
    if !is_inside() {
        let test = test_of::<F>();
        // In a user namespace of our own there is nobody but its root.
        let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        if !nix::unistd::geteuid().is_root() || users.split_whitespace().last() == Some("1") {
            return skip(test, "only root can become other users");
        }
        if run(Command::new("setpriv").args(["--reuid", "12345", "true"]), "").code != 0 {
            return skip(test, "setpriv is not permitted");
        }
        return enter(test, &[]);
    }
    let users = NAMED.map(User::named);
    let team = format!("team:x:{TEAM}:alice,bob\n");
    let entries = |line: fn(&User, &str) -> String| -> String {
        users.iter().map(|user| line(user, user.name.expect("a named user"))).collect()
    };
    let passwd = |user: &User, name: &str| {
        format!("{name}:x:{0}:{0}::{1}:/bin/sh\n", user.uid, user.home.display())
    };
    let group = |user: &User, name: &str| format!("{name}:x:{}:\n", user.uid);
    replace("/etc/passwd", &entries(passwd));
    replace("/etc/group", &(entries(group) + &team));
    for user in &users {
        user.create_home();
    }
    body(users[..N].to_vec().try_into().expect("as many users as wanted"));
}

/// Mounts a copy of a table of users over it: what it says of root, and these lines.
fn replace(table: &str, lines: &str) {
    let old = fs::read_to_string(table).unwrap_or_default();
    let root: String = old
        .lines()
        .filter(|line| line.starts_with("root:"))
        .map(|line| format!("{line}\n"))
        .collect();
    let new = Path::new("/tmp").join(Path::new(table).file_name().expect("a name"));
    fs::write(&new, root + lines).expect("a table of users");
    run(Command::new("mount").arg("--bind").args([new.as_path(), Path::new(table)]), "").ok();
}
