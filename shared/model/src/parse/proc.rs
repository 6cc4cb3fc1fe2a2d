//! The texts of `/proc/PID/…`, as proc(5) describes them.
//!
//! Parsing is separate from reading, so that it can be tested without a machine.

use crate::record::Mount;

/// What `/proc/PID/stat` says of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The kernel's short name, invalid UTF-8 replaced.
    pub comm: String,
    /// One letter.
    pub state: char,
    /// Parent.
    pub ppid: i32,
    /// It is a thread of the kernel itself (`PF_KTHREAD`).
    pub kernel_thread: bool,
    /// Process group.
    pub pgid: i32,
    /// Session.
    pub sid: i32,
    /// Device number of the controlling terminal; 0 is none.
    pub tty_nr: u64,
    /// The foreground process group of that terminal; -1 without one.
    pub tpgid: i32,
    /// Processor time in user and in system mode, in clock ticks.
    pub cpu_ticks: u64,
    /// Start, in clock ticks since the boot.
    pub start_ticks: u64,
    /// Resident set, in pages.
    pub rss_pages: u64,
}

impl Stat {
    /// Dead, reaped or not.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// The flag of kernel threads in field 9 (`linux/sched.h`).
const PF_KTHREAD: u64 = 0x0020_0000;

/// Reads `/proc/PID/stat`. The name in parentheses may itself hold parentheses,
/// spaces and newlines: the last `)` closes it.
pub fn stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|&b| b == b'(')?;
    let close = text.iter().rposition(|&b| b == b')')?;
    let comm = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
    let rest = std::str::from_utf8(&text[close + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // The fields of the manual page from 4 on, each taken once, in their order.
    let mut at = 3;
    let mut number = |manual: usize| {
        let skipped = manual - at - 1;
        at = manual;
        fields.nth(skipped)?.parse::<i64>().ok()
    };
    Some(Stat {
        comm,
        state,
        ppid: number(4)? as i32,
        pgid: number(5)? as i32,
        sid: number(6)? as i32,
        tty_nr: number(7)? as u64,
        tpgid: number(8)? as i32,
        kernel_thread: number(9)? as u64 & PF_KTHREAD != 0,
        cpu_ticks: number(14)? as u64 + number(15)? as u64,
        start_ticks: number(22)? as u64,
        rss_pages: number(24)?.max(0) as u64,
    })
}

/// The arguments in `/proc/PID/cmdline`: separated by NUL bytes, the last usually
/// ended by one. A program that rewrote its title may have left no NUL at all.
pub fn cmdline(text: &[u8]) -> Vec<&[u8]> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|&b| b == 0).collect()
}

/// The effective uid and the number of pid namespaces in which a process has an id,
/// from `/proc/PID/status`: the lines `Uid:` (real, effective, saved, file system)
/// and `NSpid:` (outermost first, from the namespace of this `/proc` on).
pub fn status(text: &str) -> (Option<u32>, Option<usize>) {
    let values = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)).map(str::split_ascii_whitespace)
    };
    let uid = values("Uid:").and_then(|mut v| v.nth(1)?.parse().ok());
    let depth = values("NSpid:").map(Iterator::count).filter(|&n| n > 0);
    (uid, depth)
}

/// The effective and supplementary group ids of a process, from the lines `Gid:` (real,
/// effective, saved, file system) and `Groups:` of `/proc/PID/status`.
pub fn groups(text: &str) -> Option<Vec<u32>> {
    let values = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)).map(str::split_ascii_whitespace)
    };
    let effective = values("Gid:")?.nth(1)?.parse().ok()?;
    let mut groups = vec![effective];
    for group in values("Groups:")? {
        groups.push(group.parse().ok()?);
    }
    groups.sort_unstable();
    groups.dedup();
    Some(groups)
}

/// Whether a process has a capability, from the lines `CapPrm:`, `CapEff:` and `CapAmb:` of
/// `/proc/PID/status`. None where one of them is missing.
pub fn has_capabilities(text: &str) -> Option<bool> {
    let mut any = false;
    for key in ["CapPrm:", "CapEff:", "CapAmb:"] {
        let value = text.lines().find_map(|line| line.strip_prefix(key))?;
        any |= u64::from_str_radix(value.trim(), 16).ok()? != 0;
    }
    Some(any)
}

/// Whether a process blocks a signal, from the line `SigBlk:` of `/proc/PID/status`: the lowest
/// bit of the mask is signal 1. None where the line is missing.
pub fn blocks(text: &str, signal: i32) -> Option<bool> {
    let mask = text.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

/// The mounts in `/proc/PID/mountinfo`.
pub fn mounts(text: &str) -> Option<Vec<Mount>> {
    text.lines().map(|line| mount(line).map(|(_, mount, _)| mount)).collect()
}

/// Whose processes `/proc` hides, by the text of `/proc/self/mountinfo`: the group that sees all
/// processes although others do not (`hidepid` and `gid` of proc(5)). `None`: nobody's.
pub fn hidden_from_all_but(text: &str) -> Option<u32> {
    let proc = text.lines().rfind(|line| line.split(' ').nth(4) == Some("/proc"))?;
    let options = proc.rsplit(' ').next()?;
    let value = |name| options.split(',').find_map(|option| option.strip_prefix(name));
    let hides = value("hidepid=").is_some_and(|how| !matches!(how, "0" | "off"));
    hides.then(|| value("gid=").and_then(|gid| gid.parse().ok()).unwrap_or_default())
}

/// The device, `major:minor`, and the path on its file system of a file that was opened
/// through the mount with this id, by the text of `/proc/self/mountinfo` and its absolute
/// path.
pub fn place(text: &str, mount_id: &str, path: &str) -> Option<(String, String)> {
    let mounts = text.lines().filter_map(mount);
    let (_, mount, point) = mounts.into_iter().find(|(id, ..)| *id == mount_id)?;
    let below = path.strip_prefix(point.trim_end_matches('/'))?;
    if !below.is_empty() && !below.starts_with('/') {
        return None;
    }
    Some((mount.device, mount.root.trim_end_matches('/').to_owned() + below))
}

/// The id, the mount and the mount point of a line of mountinfo. Its columns are `ID PARENT
/// MAJOR:MINOR ROOT MOUNT_POINT OPTIONS …`; in a path, space, tab, newline and backslash stand as
/// octal numbers.
fn mount(line: &str) -> Option<(&str, Mount, String)> {
    let mut columns = line.split(' ');
    let (id, _parent, device) = (columns.next()?, columns.next()?, columns.next()?);
    let (root, point) = (unescaped(columns.next()?), unescaped(columns.next()?));
    let idmapped =
        columns.next().is_some_and(|options| options.split(',').any(|option| option == "idmapped"));
    let is_device = device
        .split_once(':')
        .is_some_and(|(major, minor)| major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok());
    is_device.then(|| (id, Mount { device: device.to_owned(), root, idmapped }, point))
}

fn unescaped(path: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    let mut rest = path;
    let mut text = String::with_capacity(path.len());
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = escapes.iter().find(|(escape, _)| rest[at..].starts_with(escape));
        let (escape, meaning) = escape.copied().unwrap_or(("\\", "\\"));
        text.push_str(meaning);
        rest = &rest[at + escape.len()..];
    }
    text + rest
}

/// The process that traces one, from the line `TracerPid:` of `/proc/PID/status`; 0 is none.
pub fn tracer(status: &str) -> Option<i32> {
    status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?.trim().parse().ok()
}

/// The process that a thread belongs to, from the line `Tgid:` of its status.
pub fn thread_group(status: &str) -> Option<i32> {
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// The value of a variable in `/proc/PID/environ`, which holds the environment the
/// process was started with.
pub fn environ<'t>(text: &'t [u8], name: &str) -> Option<&'t [u8]> {
    text.split(|&b| b == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// The major and minor number of a terminal device in `/proc/PID/stat`: the minor in bits 31–20
/// and 7–0, the major in bits 15–8 (proc(5)).
pub fn device(tty_nr: u64) -> (u64, u64) {
    ((tty_nr >> 8) & 0xff, (tty_nr & 0xff) | ((tty_nr >> 12) & 0xf_ff00))
}

/// The name of a terminal device, as ps(1) writes it. Majors 136 to 143 are the
/// pseudo-terminals, 4 the consoles and serial lines.
pub fn tty_name(tty_nr: u64) -> Option<String> {
    if tty_nr == 0 {
        return None;
    }
    let (major, minor) = device(tty_nr);
    Some(match (major, minor) {
        (136..=143, _) => format!("pts/{}", (major - 136) * 256 + minor),
        (4, 0..=63) => format!("tty{minor}"),
        (4, _) => format!("ttyS{}", minor - 64),
        (5, 1) => "console".to_owned(),
        _ => format!("{major}:{minor}"),
    })
}

/// The inode in a link such as `pipe:[4711]` or `socket:[4711]` of `/proc/PID/fd`.
pub fn link_inode(link: &str, kind: &str) -> Option<u64> {
    link.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

/// A line of `/proc/net/tcp`, `tcp6`, `udp` or `udp6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InternetSocket {
    /// `0A`: it listens; `01`: it is connected; `07`: a datagram socket without a peer.
    pub state: u8,
    /// The port here.
    pub port: u16,
    /// The port of the other end.
    pub peer_port: u16,
    /// The inode, 0 where no process has it any more.
    pub inode: u64,
}

/// The sockets in `/proc/net/tcp` and its like. The columns are `sl local_address rem_address st
/// …`, the tenth is the inode; numbers but that are hexadecimal.
pub fn internet_sockets(text: &str) -> impl Iterator<Item = InternetSocket> {
    let port = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
    text.lines().skip(1).filter_map(move |line| {
        let mut columns = line.split_ascii_whitespace();
        Some(InternetSocket {
            port: port(columns.nth(1)?)?,
            peer_port: port(columns.next()?)?,
            state: u8::from_str_radix(columns.next()?, 16).ok()?,
            inode: columns.nth(5)?.parse().ok()?,
        })
    })
}

/// Listening stream sockets in `/proc/net/unix`, as (inode, path). The columns are
/// `Num RefCount Protocol Flags Type St Inode Path`; a listening socket has the flag
/// `00010000`, type `0001` is a stream. The path may hold anything.
pub fn listening_sockets(text: &str) -> Vec<(u64, &str)> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut rest = line;
            let mut column = || {
                let trimmed = rest.trim_start_matches(' ');
                let end = trimmed.find(' ').unwrap_or(trimmed.len());
                let (word, tail) = trimmed.split_at(end);
                rest = tail;
                word
            };
            let words: [&str; 7] = std::array::from_fn(|_| column());
            let path = rest.strip_prefix(' ')?;
            (words[3] == "00010000" && words[4] == "0001")
                .then(|| Some((words[6].parse().ok()?, path)))
                .flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_a_name_that_imitates_fields() {
        let text = b"42 (a) R 1 (b\n)) S 7 42 43 34823 -1 4194304 1 2 3 4 11 22 5 6 20 0 1 0 \
            9876 1000 250 18446744073709551615 1 1";
        let stat = stat(text).unwrap();
        assert_eq!(stat.comm, "a) R 1 (b\n)");
        assert_eq!((stat.ppid, stat.pgid, stat.sid), (7, 42, 43));
        assert_eq!((stat.cpu_ticks, stat.start_ticks), (33, 9876));
        assert_eq!(stat.rss_pages, 250);
        assert_eq!(tty_name(stat.tty_nr).unwrap(), "pts/7");
    }

    #[test]
    fn stat_refuses_what_is_cut_off() {
        assert_eq!(stat(b"42 (sh) S 7 42"), None);
        assert_eq!(stat(b""), None);
    }

    #[test]
    fn cmdline_keeps_empty_arguments() {
        assert_eq!(cmdline(b"a\0\0b\0"), [&b"a"[..], b"", b"b"]);
        assert_eq!(cmdline(b"title only"), [&b"title only"[..]]);
        assert!(cmdline(b"").is_empty());
    }

    #[test]
    fn whose_processes_are_hidden() {
        let other = "25 1 0:9 / /mnt rw - proc proc rw,hidepid=invisible\n";
        for (options, group) in [
            ("rw", None),
            ("rw,hidepid=0", None),
            ("rw,hidepid=off", None),
            ("rw,hidepid=2", Some(0)),
            ("rw,gid=7,hidepid=invisible", Some(7)),
            ("rw,hidepid=ptraceable,subset=pid", Some(0)),
        ] {
            let text = format!("24 1 0:5 / /proc rw,relatime - proc proc {options}\n{other}");
            assert_eq!(hidden_from_all_but(&text), group, "{options}");
        }
        // The mount on top counts.
        let text =
            "24 1 0:5 / /proc rw - proc proc rw,hidepid=2\n26 1 0:6 / /proc rw - proc proc rw\n";
        assert_eq!(hidden_from_all_but(text), None);
    }

    #[test]
    fn status_gives_effective_uid_and_namespace_depth() {
        let text = "Name:\tx\nUid:\t1\t2\t3\t4\nNSpid:\t812\t1\n";
        assert_eq!(status(text), (Some(2), Some(2)));
        assert_eq!(status("Name:\tx\n"), (None, None));
    }

    #[test]
    fn groups_are_the_effective_and_the_supplementary_ones() {
        let text = "Gid:\t7\t1000\t8\t9\nFDSize:\t64\nGroups:\t27 1000 4 \n";
        assert_eq!(groups(text), Some(vec![4, 27, 1000]));
        assert_eq!(groups("Gid:\t7\t5\t8\t9\nGroups:\t \n"), Some(vec![5]));
        assert_eq!(groups("Groups:\t1\n"), None);
        assert_eq!(groups("Gid:\t7\t5\t8\t9\n"), None);
    }

    #[test]
    fn blocked_signals_are_bits_of_a_mask() {
        let text = "SigPnd:\t0000000000010000\nSigBlk:\t0000000000010000\n";
        assert_eq!(
            (blocks(text, 17), blocks(text, 16), blocks(text, 64)),
            (Some(true), Some(false), Some(false))
        );
        assert_eq!(blocks("SigPnd:\t0000000000010000\n", 17), None);
    }

    #[test]
    fn one_capability_is_enough() {
        let text =
            |prm, amb| format!("CapPrm:\t{prm}\nCapEff:\t0000000000000000\nCapAmb:\t{amb}\n");
        let (none, one) = ("0000000000000000", "0000000000000080");
        assert_eq!(has_capabilities(&text(none, none)), Some(false));
        assert_eq!(has_capabilities(&text(one, none)), Some(true));
        assert_eq!(has_capabilities(&text(none, one)), Some(true));
        assert_eq!(has_capabilities("CapPrm:\t0\n"), None);
    }

    #[test]
    fn mounts_by_device_and_directory() {
        let text = "36 35 98:0 /mnt\\0401\\134\\012x\\ /mnt rw shared:1 - ext3 /dev/root rw\n\
            37 35 0:32 / /proc rw,idmapped - proc proc rw\n";
        let [one, other] = &mounts(text).unwrap()[..] else { panic!() };
        assert_eq!((one.device.as_str(), one.root.as_str()), ("98:0", "/mnt 1\\\nx\\"));
        assert_eq!((other.device.as_str(), other.root.as_str()), ("0:32", "/"));
        assert_eq!((one.idmapped, other.idmapped), (false, true));
        assert_eq!(mounts("36 35 x /a /b\n"), None);
        assert_eq!(mounts(""), Some(vec![]));
    }

    #[test]
    fn the_place_of_a_file_on_its_file_system() {
        let text = "21 1 8:1 / / rw - ext4 /dev/sda rw\n\
            22 21 0:31 /@home/u /home/u rw - btrfs /dev/sdb rw\n\
            23 21 8:1 /srv/a\\040b /mnt rw - ext4 /dev/sda rw\n";
        let place = |id, path| place(text, id, path);
        let found = |device: &str, path: &str| Some((device.to_owned(), path.to_owned()));
        assert_eq!(place("21", "/srv/r.json"), found("8:1", "/srv/r.json"));
        assert_eq!(place("22", "/home/u/w/r.json"), found("0:31", "/@home/u/w/r.json"));
        assert_eq!(place("23", "/mnt/r.json"), found("8:1", "/srv/a b/r.json"));
        assert_eq!(place("23", "/mnt"), found("8:1", "/srv/a b"));
        assert_eq!(place("23", "/mnt2/r.json"), None);
        assert_eq!(place("24", "/mnt/r.json"), None);
    }

    #[test]
    fn sockets_of_the_internet() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
            1: 0100007F:1F90 0100007F:8A52 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1\n";
        let socket =
            |state, port, peer_port, inode| InternetSocket { state, port, peer_port, inode };
        let expected = [socket(10, 8080, 0, 4711), socket(1, 8080, 35410, 4712)];
        assert_eq!(internet_sockets(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn listening_sockets_with_odd_paths() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 16163 /tmp/tmux-0/de fault\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 16164 /tmp/connected\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 16165\n";
        assert_eq!(listening_sockets(text), [(16163, "/tmp/tmux-0/de fault")]);
    }
}
