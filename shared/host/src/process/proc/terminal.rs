//! Whether a shell waits for a command at its prompt.
//!
//! A shell that executes something (a loop with `read`, a script, a foreground job) leaves its
//! terminal in the mode that programs expect: the kernel gathers lines (`ICANON`). While its
//! line editor waits for a command, it gets each key, shows what it wants to show (`ECHO` off),
//! and treats some keys by itself which otherwise the terminal would: readline and zle take ^V
//! (`VLNEXT` disabled), fish and busybox too (`IEXTEN` or `ISIG` off). So bash, zsh and fish
//! differ from `read -n 1`, `read -s` or `select`, which change only `ICANON` and `ECHO`.
//!
//! The editor is also used by bash's `read -e`, zsh's `vared` and fish's `read`. With a time
//! limit, or in zsh in a loop, SIGCHLD is blocked then, and it is not at a prompt. Without one,
//! they wait for a person like the prompt, and cannot be told from it.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use model::parse;
use model::parse::proc::Stat;
use nix::fcntl::OFlag;
use nix::libc::dev_t;
use nix::sys::signal::Signal;
use nix::sys::stat::{major, minor};
use nix::sys::termios::{LocalFlags, SpecialCharacterIndices, Termios, tcgetattr};

use super::file::{path, read};

/// The major numbers of pseudo-terminals (`devices.txt` of Linux).
const PSEUDO_TERMINALS: std::ops::RangeInclusive<u64> = 136..=143;

/// Whether the shell `pid`, which started at `start`, waits for a command at a prompt on `tty`.
/// `None` where that cannot be found out.
pub fn is_at_prompt(pid: i32, start: u64, tty: &str) -> Option<bool> {
    let mut buffer = Vec::new();
    let mut stat = || {
        let stat = parse::proc::stat(read(pid, "stat", &mut buffer).ok()?);
        stat.filter(|stat| stat.start_ticks == start)
    };
    let before = stat()?;
    let has_terminal = |stat: &Stat| {
        parse::proc::tty_name(stat.tty_nr).as_deref() == Some(tty) && stat.pgid == stat.tpgid
    };
    if before.is_dead() || !has_terminal(&before) {
        return Some(false);
    }
    let Input::Terminal(terminal) = input(pid, before.tty_nr)? else { return Some(false) };
    let mode = tcgetattr(&terminal).ok()?;
    let mut status = Vec::new();
    let status = String::from_utf8_lossy(read(pid, "status", &mut status).ok()?).into_owned();
    let is_waiting = !parse::proc::blocks(&status, Signal::SIGCHLD as i32)?;
    // If the process still has this terminal, it was its terminal that was asked, and not
    // another one with the same number.
    Some(is_waiting && is_line_editors(&mode) && has_terminal(&stat()?))
}

/// What a process reads.
enum Input {
    /// Its terminal.
    Terminal(File),
    /// Anything else.
    Other,
}

/// Opens standard input of a process, if that is the pseudo-terminal with this number. What
/// it is is found out first, without opening it: opening a device may have an effect. It is
/// opened through the process, because another terminal may have that name where this program
/// runs.
fn input(pid: i32, tty_nr: u64) -> Option<Input> {
    let open = |path: &Path, flags: OFlag| {
        OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()
    };
    let found = open(&path(pid, "fd/0"), OFlag::O_PATH)?;
    let metadata = found.metadata().ok()?;
    let device: dev_t = metadata.rdev();
    let number = (major(device), minor(device));
    let is_terminal = metadata.file_type().is_char_device()
        && number == parse::proc::device(tty_nr)
        && PSEUDO_TERMINALS.contains(&number.0);
    if !is_terminal {
        return Some(Input::Other);
    }
    let found = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    Some(Input::Terminal(open(Path::new(&found), flags)?))
}

/// Whether this mode of a terminal is that of a line editor.
fn is_line_editors(mode: &Termios) -> bool {
    let is_on = |flag| mode.local_flags.contains(flag);
    let takes_keys = mode.control_chars[SpecialCharacterIndices::VLNEXT as usize] == 0
        || !is_on(LocalFlags::IEXTEN)
        || !is_on(LocalFlags::ISIG);
    !is_on(LocalFlags::ICANON) && !is_on(LocalFlags::ECHO) && takes_keys
}
