//! The user for whom this process runs, and becoming another one.
//!
//! A run scans and acts for one user. Root becomes another with `--user`: wholly, before
//! anything of that user is opened, and without a way back. So neither root's rights nor root's
//! environment are ever used on that user's files, sockets and processes.

use std::io;
use std::path::PathBuf;

use nix::unistd::{User, getegid, geteuid, getgid, getuid};

use crate::descriptors;
use crate::environment::var;

#[cfg(target_os = "linux")]
use self::change::become_user;

/// The uid of the user for whom this process scans and acts.
pub fn uid() -> u32 {
    geteuid().as_raw()
}

/// The directory for configuration files of the user of this run: `XDG_CONFIG_HOME`, else
/// `.config` in the home directory. `None`: neither the environment nor passwd(5) names one.
pub fn config_directory() -> Option<PathBuf> {
    directory("XDG_CONFIG_HOME", ".config")
}

/// The directory for what programs of the user of this run keep from run to run:
/// `XDG_STATE_HOME`, else `.local/state` in the home directory. `None` as above.
pub fn state_directory() -> Option<PathBuf> {
    directory("XDG_STATE_HOME", ".local/state")
}

fn directory(variable: &str, in_home: &str) -> Option<PathBuf> {
    // The XDG specification has relative paths ignored.
    let absolute = |name| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let by_passwd = || Some(User::from_uid(geteuid()).ok().flatten()?.dir);
    let by_home = || absolute("HOME").or_else(by_passwd).map(|home| home.join(in_home));
    absolute(variable).or_else(by_home)
}

/// Makes this a run for one user: for `wanted`, a name or a uid, or without it for the one
/// who runs it. To be called first, while nothing is open but what was inherited.
///
/// # Errors
/// When the program runs setuid or setgid; when it may not or cannot become that user; when the
/// descriptors that it inherited cannot be listed.
pub fn run_for(wanted: Option<&str>) -> io::Result<()> {
    if getuid() != geteuid() || getgid() != getegid() {
        return Err(io::Error::other("this program must not be installed setuid or setgid"));
    }
    let inherited = descriptors::note_inherited();
    let Some(wanted) = wanted else { return Ok(()) };
    inherited?;
    become_user(wanted)
}

#[cfg(not(target_os = "linux"))]
fn become_user(wanted: &str) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!("not supported on this system; run the program with `sudo -u '{wanted}'`"),
    ))
}

#[cfg(target_os = "linux")]
mod change {
    use std::collections::BTreeSet;
    use std::ffi::CString;
    use std::fs;
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    use model::parse;
    use nix::sys::prctl::{set_dumpable, set_no_new_privs};
    use nix::unistd::{
        Gid, Group, Uid, User, geteuid, getresgid, getresuid, initgroups, setegid, seteuid,
        setgroups, setresgid, setresuid,
    };

    use crate::environment::{Account, reduce};

    const ROOT: Uid = Uid::from_raw(0);
    const ROOTS_GROUP: Gid = Gid::from_raw(0);

    /// Whom to become.
    struct Wanted {
        uid: Uid,
        gid: Gid,
        /// None for a uid without a passwd entry.
        entry: Option<User>,
    }

    pub fn become_user(wanted: &str) -> io::Result<()> {
        let Wanted { uid, gid, entry } = Wanted::find(wanted)?;
        if uid == geteuid() {
            // It is for this user already.
        } else if !geteuid().is_root() {
            return Err(io::Error::other("only root can become another user"));
        } else {
            match &entry {
                Some(user) => initgroups(&CString::new(user.name.as_bytes())?, gid)?,
                None => setgroups(&[gid])?,
            }
            setresgid(gid, gid, gid)?;
            setresuid(uid, uid, uid)?;
            // No process, not even of this user, may read or trace a process that was root a
            // moment ago.
            set_dumpable(false)?;
            set_no_new_privs()?;
            has_become(uid, gid)?;
        }
        let (name, home, shell) = match entry {
            Some(user) => (user.name, user.dir, user.shell),
            None => (uid.to_string(), home_of(uid)?, PathBuf::from("/bin/sh")),
        };
        reduce(Account { name, home, shell });
        Ok(())
    }

    impl Wanted {
        fn find(wanted: &str) -> io::Result<Wanted> {
            let mut entry = User::from_name(wanted)?;
            let is_number = wanted.bytes().all(|byte| byte.is_ascii_digit());
            let number = wanted.parse::<u32>().ok().filter(|_| is_number);
            let uid = match (&entry, number) {
                (Some(user), _) => user.uid,
                // (uid_t)-1 means "leave it as it is" to the kernel.
                (None, Some(uid)) if uid != u32::MAX => Uid::from_raw(uid),
                (None, _) => return Err(io::Error::other("there is no such user")),
            };
            if entry.is_none() {
                entry = User::from_uid(uid)?;
            }
            let gid = match &entry {
                Some(user) => user.gid,
                None => group_of_number(uid)?,
            };
            Ok(Wanted { uid, gid, entry })
        }
    }

    /// Without a passwd entry, the groups of a user are unknown. A group of the same number
    /// gives no rights, unless it exists: as a member of `docker`, say, the user would be root.
    fn group_of_number(uid: Uid) -> io::Result<Gid> {
        let gid = Gid::from_raw(uid.as_raw());
        match Group::from_gid(gid)? {
            None => Ok(gid),
            Some(group) => Err(io::Error::other(format!(
                "uid {uid} has no passwd entry, and the group of that number is {}; \
                 add an entry for it",
                group.name
            ))),
        }
    }

    /// Checks that this process is that user and can never become another.
    fn has_become(uid: Uid, gid: Gid) -> io::Result<()> {
        let (uids, gids) = (getresuid()?, getresgid()?);
        let is_user = [uids.real, uids.effective, uids.saved] == [uid; 3]
            && [gids.real, gids.effective, gids.saved] == [gid; 3];
        // Each of these must fail; where one does not, the process ends at once.
        let goes_back = seteuid(ROOT).is_ok()
            || setresuid(ROOT, ROOT, ROOT).is_ok()
            || setgroups(&[ROOTS_GROUP]).is_ok()
            || gid != ROOTS_GROUP
                && (setegid(ROOTS_GROUP).is_ok()
                    || setresgid(ROOTS_GROUP, ROOTS_GROUP, ROOTS_GROUP).is_ok());
        let status = fs::read_to_string("/proc/self/status")?;
        if !is_user || goes_back || parse::proc::has_capabilities(&status) != Some(false) {
            return Err(io::Error::other("root's rights could not be given up for good"));
        }
        Ok(())
    }

    /// The home of a uid that has no passwd entry, from the environment of its processes,
    /// read with its own rights.
    fn home_of(uid: Uid) -> io::Result<PathBuf> {
        let is_its = |metadata: io::Result<fs::Metadata>| {
            metadata.is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == uid.as_raw())
        };
        let processes = fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
        let homes: BTreeSet<PathBuf> = processes
            .filter(|process| is_its(fs::metadata(process)))
            .filter_map(|process| {
                let environ = fs::read(process.join("environ")).ok()?;
                let home = parse::proc::environ(&environ, "HOME")?;
                Some(PathBuf::from(String::from_utf8(home.to_vec()).ok()?))
            })
            .filter(|home| home.is_absolute() && is_its(fs::metadata(home)))
            .collect();
        let mut homes = homes.into_iter();
        match (homes.next(), homes.next()) {
            (Some(home), None) => Ok(home),
            (None, _) => Err(io::Error::other(format!(
                "uid {uid} has no passwd entry, and none of its processes names its home; \
                 add an entry for it"
            ))),
            (Some(one), Some(other)) => Err(io::Error::other(format!(
                "uid {uid} has no passwd entry, and its processes name several homes, {} and \
                 {}; add an entry for it",
                one.display(),
                other.display()
            ))),
        }
    }
}
