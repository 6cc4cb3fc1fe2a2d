//! The files beside a registry: its journal, backups, and unfinished files.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::sys::stat::{FileStat, Mode, fchmod, fstat};
use nix::unistd::{Gid, fchown};

use crate::directory::is_regular;
use crate::place::Place;

/// The ending of the name of an unfinished file, followed by six characters.
const UNFINISHED: &str = "prune-tmp-";
/// The ending of the name of a backup, followed by the time.
const BACKUP: &str = "bak-";
/// The form of a time in a name; such names sort by time. `#` is a digit.
const STAMP: &str = "########T######.######Z";

/// A point in time as part of a file's name.
pub(super) fn stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%S.%6fZ").to_string()
}

/// The name of a backup.
pub(super) fn backup_name(registry: &Place, now: Timestamp) -> OsString {
    registry.beside(&format!("{BACKUP}{}", stamp(now)))
}

/// Makes a file beside the registry, with the mode and group of `like`, so that it appears
/// whole or not at all and is on disk when this returns.
///
/// # Errors
/// When it cannot be written; then nothing of it is there.
pub(super) fn create(
    registry: &Place,
    like: &File,
    name: &OsStr,
    parts: &[&[u8]],
) -> io::Result<()> {
    let directory = &registry.directory;
    let (unfinished, file) = create_unfinished(registry)?;
    let made = write(file, like, parts).and_then(|()| directory.rename(&unfinished, name));
    if let Err(error) = made {
        let _ = directory.remove(&unfinished);
        return Err(error);
    }
    directory.sync()
}

fn create_unfinished(registry: &Place) -> io::Result<(OsString, File)> {
    loop {
        let random = RandomState::new().hash_one(std::process::id()) % 36_u64.pow(6);
        let digit = |place| char::from_digit((random / 36_u64.pow(place) % 36) as u32, 36);
        let random: String = (0..6).filter_map(digit).collect();
        let name = registry.beside(&format!("{UNFINISHED}{random}"));
        match registry.directory.create(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (name, file)),
        }
    }
}

fn write(mut file: File, like: &File, parts: &[&[u8]]) -> io::Result<()> {
    for part in parts {
        file.write_all(part)?;
    }
    let like = fstat(like)?;
    let mut mode = Mode::from_bits_truncate(like.st_mode);
    match fchown(&file, None, Some(Gid::from_raw(like.st_gid))) {
        Ok(()) => {}
        // Another group must not get the rights of this one.
        Err(Errno::EPERM) => mode.remove(Mode::S_IRWXG),
        Err(errno) => return Err(errno.into()),
    }
    fchmod(&file, mode)?;
    file.sync_all()
}

/// Removes the unfinished files that a killed write has left. Only the holder of the exclusive
/// lock makes such files.
pub(super) fn sweep(registry: &Place, owner: u32) {
    for name in ours(registry, UNFINISHED, "******", owner).unwrap_or_default() {
        let _ = registry.directory.remove(&name);
    }
}

/// Removes the oldest backups.
///
/// # Errors
/// When the directory cannot be listed, or one of them cannot be removed.
pub(super) fn drop_backups(registry: &Place, owner: u32, keep: usize) -> io::Result<()> {
    let mut backups = ours(registry, BACKUP, STAMP, owner)?;
    backups.sort();
    backups.iter().rev().skip(keep).try_for_each(|name| registry.directory.remove(name))
}

/// The files beside a registry that this program has made for its owner: regular files whose
/// names are of exactly this form. Other files with a similar name belong to a person.
fn ours(registry: &Place, ending: &str, form: &str, owner: u32) -> io::Result<Vec<OsString>> {
    let prefix = registry.beside(ending);
    let is_ours = |stat: FileStat| is_regular(&stat) && stat.st_uid == owner;
    let mut names = registry.directory.names()?;
    names.retain(|name| {
        let rest = name.as_bytes().strip_prefix(prefix.as_bytes());
        rest.is_some_and(|rest| has_form(rest, form))
            && registry.directory.stat(name).is_ok_and(|stat| stat.is_some_and(is_ours))
    });
    Ok(names)
}

/// Whether each byte matches the form: `#` is a digit, `*` a digit or a letter.
fn has_form(name: &[u8], form: &str) -> bool {
    let fits = |(byte, form): (&u8, u8)| match form {
        b'#' => byte.is_ascii_digit(),
        b'*' => byte.is_ascii_alphanumeric(),
        _ => *byte == form,
    };
    name.len() == form.len() && name.iter().zip(form.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_form_of_a_time_is_one() {
        assert!(has_form(stamp(Timestamp::UNIX_EPOCH).as_bytes(), STAMP));
        for name in [
            "2025-12-24-before-migration",
            "20251224T000000.000000Z.orig",
            "20251224T000000.000000",
            "20251224t000000.000000Z",
            "x0251224T000000.000000Z",
            "",
        ] {
            assert!(!has_form(name.as_bytes(), STAMP), "{name}");
        }
    }
}
