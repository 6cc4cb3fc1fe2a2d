//! What `/proc/PID/fd` and `/proc/PID/fdinfo` say of an open file, as proc(5) describes it.

/// Where a link in `/proc/PID/fd` leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'t> {
    /// A pipe without a name, by its inode.
    Pipe(u64),
    /// A socket, by its inode.
    Socket(u64),
    /// A handle on a process.
    Pidfd,
    /// A path, of a file, FIFO, device or directory; it may end in ` (deleted)`.
    Path(&'t str),
    /// Anything else that has no name, such as an epoll instance.
    Other,
}

/// Reads a link.
pub fn target(link: &str) -> Target<'_> {
    let inode = |kind: &str| {
        link.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse::<u64>().ok()
    };
    if link.starts_with('/') {
        return Target::Path(link);
    }
    if let Some(inode) = inode("pipe") {
        return Target::Pipe(inode);
    }
    if let Some(inode) = inode("socket") {
        return Target::Socket(inode);
    }
    // A link of the file system that pidfds have since Linux 6.9 is `pidfd:[4711]`.
    match link == "anon_inode:[pidfd]" || inode("pidfd").is_some() {
        true => Target::Pidfd,
        false => Target::Other,
    }
}

/// The directions in which a file is open, from the line `flags:` of its fdinfo: in octal, the
/// access mode in the lowest two bits (open(2)).
pub fn access(fdinfo: &str) -> Option<(bool, bool)> {
    let flags = value(fdinfo, "flags:")?;
    let mode = u64::from_str_radix(flags, 8).ok()? & 0o3;
    Some((mode == 0 || mode == 2, mode == 1 || mode == 2))
}

/// The process of a pidfd, from the line `Pid:` of its fdinfo. None also where that has ended
/// (-1) or is in no namespace below that of this `/proc` (0).
pub fn pidfd(fdinfo: &str) -> Option<i32> {
    value(fdinfo, "Pid:")?.parse().ok().filter(|pid| *pid > 0)
}

fn value<'t>(fdinfo: &'t str, key: &str) -> Option<&'t str> {
    fdinfo.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_by_what_they_lead_to() {
        for (link, expected) in [
            ("pipe:[4711]", Target::Pipe(4711)),
            ("socket:[4711]", Target::Socket(4711)),
            ("anon_inode:[pidfd]", Target::Pidfd),
            ("pidfd:[12]", Target::Pidfd),
            ("anon_inode:[eventpoll]", Target::Other),
            ("mnt:[4026531840]", Target::Other),
            ("pipe:[x]", Target::Other),
            ("/pipe:[4711]", Target::Path("/pipe:[4711]")),
            ("/dev/pts/5 (deleted)", Target::Path("/dev/pts/5 (deleted)")),
            ("/memfd:x (deleted)", Target::Path("/memfd:x (deleted)")),
        ] {
            assert_eq!(target(link), expected, "{link}");
        }
    }

    #[test]
    fn directions_in_octal() {
        let fdinfo = |flags: &str| format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t13\n");
        assert_eq!(access(&fdinfo("0100000")), Some((true, false)));
        assert_eq!(access(&fdinfo("0100001")), Some((false, true)));
        assert_eq!(access(&fdinfo("02004002")), Some((true, true)));
        assert_eq!(access(&fdinfo("9")), None);
        assert_eq!(access("pos:\t0\n"), None);
    }

    #[test]
    fn the_process_of_a_pidfd() {
        let fdinfo = |pid: &str| format!("flags:\t02000002\nPid:\t{pid}\nNSpid:\t{pid}\n");
        assert_eq!(pidfd(&fdinfo("812")), Some(812));
        assert_eq!(pidfd(&fdinfo("-1")), None);
        assert_eq!(pidfd(&fdinfo("0")), None);
        assert_eq!(pidfd("NSpid:\t812\n"), None);
    }
}
