//! What ps prints, on Linux (procps-ng) and on macOS, from samples of both.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use jiff::SignedDuration;
use model::parse::ps::{Line, boot_second, launchd_jobs, lines};

const LINUX: &str = include_str!("fixtures/ps/linux.txt");
const MACOS: &str = include_str!("fixtures/ps/macos.txt");

fn find(text: &str, pid: i32) -> Line {
    lines(text).unwrap().into_iter().find(|line| line.pid == pid).unwrap()
}

#[test]
fn every_line_is_a_process() {
    assert_eq!(lines(LINUX).unwrap().len(), LINUX.lines().count());
    assert_eq!(lines(MACOS).unwrap().len(), MACOS.lines().count());
    assert_eq!(lines("\n").unwrap(), []);
}

#[test]
fn names_and_commands() {
    for (text, pid, name, command) in [
        (LINUX, 3, "pool_workqueue_", "[pool_workqueue_release]"),
        (LINUX, 801, "tmux: server", "tmux -S /tmp/s new-session -d claude -p x"),
        (LINUX, 810, "bash", "-bash"),
        (LINUX, 4711, "claude", "claude -p --output-format stream-json naïve 日本 4711 prompt"),
        (LINUX, 4712, "claude", ""),
        (LINUX, 4713, "ägent läuft ü", "ägent läuft ü"),
        (LINUX, 4714, "a 17 b", "/x/a 17 b"),
        (MACOS, 1, "launchd", "/sbin/launchd"),
        (
            MACOS,
            600,
            "Google Chrome He",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome Helper --type=gpu",
        ),
        (MACOS, 601, "claude", ""),
        (MACOS, 602, "claude", ""),
        (MACOS, 603, "Übersicht", "/Applications/Übersicht.app/Contents/MacOS/Übersicht"),
        (MACOS, 604, "2.1.30", "claude --resume"),
    ] {
        let line = find(text, pid);
        assert_eq!((line.name.as_str(), line.command.as_str()), (name, command), "{pid}");
    }
}

#[test]
fn terminals_and_states() {
    for (text, pid, tty, state) in [
        (LINUX, 1, None, 'S'),
        (LINUX, 810, Some("pts/3"), 'S'),
        (LINUX, 4712, None, 'Z'),
        (LINUX, 4713, Some("tty1"), 'D'),
        (MACOS, 501, None, 'S'),
        (MACOS, 511, Some("ttys003"), 'S'),
        (MACOS, 601, None, 'Z'),
        (MACOS, 603, Some("console"), 'R'),
    ] {
        let line = find(text, pid);
        assert_eq!((line.tty.as_deref(), line.state), (tty, state), "{pid}");
    }
}

#[test]
fn numbers_and_times() {
    let line = find(LINUX, 4711);
    assert_eq!((line.ppid, line.pgid, line.uid), (1, 4711, 1000));
    assert_eq!(line.rss_bytes, 352_104 * 1024);
    assert_eq!(line.started.to_string(), "2025-11-01T00:00:59Z");
    for (text, pid, milliseconds) in [
        (LINUX, 4711, ((24 + 2) * 3600 + 3 * 60 + 4) * 1000),
        (LINUX, 4713, 62_000),
        (MACOS, 1, 154_560),
        (MACOS, 510, 10),
        (MACOS, 600, 754 * 60_000 + 90),
    ] {
        assert_eq!(find(text, pid).cpu, SignedDuration::from_millis(milliseconds), "{pid}");
    }
    assert_eq!(find(MACOS, 1).started.to_string(), "2025-10-25T08:01:02Z");
}

/// As procps shows a process between its end and its disappearance.
#[test]
fn a_process_that_is_just_being_reaped_is_one() {
    let row = "15927     0 4294967295 0 ?       X     0 00:00:00 Thu Nov 26 02:39:24 2026 \
               claude 15927 [claude]";
    let line = find(row, 15927);
    assert_eq!((line.pgid, line.state, line.name.as_str()), (-1, 'X', "claude"));
}

#[test]
fn what_is_no_process_is_an_error() {
    let whole = LINUX.lines().next_back().unwrap();
    for (broken, why) in [
        ("  PID  PPID  PGID", "a heading"),
        (&whole[..60], "cut off"),
        (&whole.replace("Nov 22", "22 Nov"), "another locale"),
        (&whole.replace("00:00:00", "a while"), "no time"),
        (&whole.replace(" 4714 /x", " 4715 /x"), "the pid does not come again"),
        (&whole.replace("1000", "-1"), "no uid"),
    ] {
        assert!(lines(&format!("{LINUX}{broken}\n")).is_err(), "{why}: {broken}");
    }
}

#[test]
fn what_macos_says_in_place_of_proc() {
    let text = "{ sec = 1761780300, usec = 4711 } Wed Oct 29 23:25:00 2025\n";
    assert_eq!(boot_second(text), Some(1_761_780_300));
    assert_eq!(boot_second("1761780300"), None);
    let text = "PID\tStatus\tLabel\n-\t0\tcom.example.idle\n812\t0\tcom.example.agent\n";
    assert_eq!(launchd_jobs(text), [(812, "com.example.agent")]);
}
