//! Root's terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{CANARY, executable};
use crate::world::{User, World, alive, built, privately_with_users, run, wait_until};

/// What a process of the user does with a terminal that it gets hold of.
const TYPIST: &str = r#"#!/usr/bin/env python3
import fcntl, os, sys, termios
report = open("/tmp/report", "a")
fields = open("/proc/self/stat").read().rsplit(") ", 1)[1].split()
print("tty_nr", fields[4], "leads", os.getsid(0) == os.getpid(), file=report)
for name in ["/dev/tty", 0, 1, 2]:
    try:
        fd = os.open(name, os.O_RDWR) if isinstance(name, str) else name
        for byte in b"echo typed-by-the-user\n":
            fcntl.ioctl(fd, termios.TIOCSTI, bytes([byte]))
        print("typed into", name, file=report)
    except OSError as error:
        print("no terminal", error.errno, file=report)
report.close()
os.environ["PATH"] = os.environ["PATH"].split(":", 1)[1]
os.execvp("tmux", sys.argv)
"#;

#[test]
fn h76_no_child_of_a_run_for_a_user_has_roots_terminal() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.session("work", "sleep 3600");
        let of_root = World::new();
        executable(std::path::Path::new("/tmp/typist/tmux"), TYPIST);
        fs::write("/tmp/report", "").unwrap();
        fs::set_permissions("/tmp/report", fs::Permissions::from_mode(0o666)).unwrap();
        let line = |options: &str| {
            format!(
                "PATH=/tmp/typist:$PATH SECRET={CANARY} '{}' {options} -T",
                built().join("lssessions").display()
            )
        };
        // The typist works: root's own tmux, in the terminal, may type there.
        let own = run(&mut of_root.command("true"), "").ok();
        assert_eq!(own.out, "");
        let screen = of_root.screen(80, 24, &line("--user alice"));
        assert_eq!(screen.status(), 0, "{}", screen.text());
        let text = screen.text();
        assert!(text.contains("work") && !text.contains("typed-by"), "{text}");
        let report = fs::read_to_string("/tmp/report").unwrap();
        assert!(report.starts_with("tty_nr 0 leads True\n"), "{report}");
        assert_eq!(report.matches("no terminal").count(), 4, "{report}");
        assert!(!report.contains("typed into"), "{report}");
    });
}

#[test]
fn nobody_reads_or_traces_a_program_that_was_root() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.session("work", "sleep 3600");
        // It waits for this tmux, as alice.
        let slow = "#!/bin/sh\necho $PPID >/tmp/slow/pid\nexec sleep 20\n";
        executable(std::path::Path::new("/tmp/slow/tmux"), slow);
        fs::set_permissions("/tmp/slow", fs::Permissions::from_mode(0o777)).unwrap();
        let mut lister = super::tool_for(&alice, &world, "lssessions");
        let path = lister.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
        let path = format!("/tmp/slow:{}", path.to_str().unwrap());
        let mut child =
            lister.env("PATH", path).stdout(std::process::Stdio::null()).spawn().unwrap();
        wait_until(|| "its child", || fs::metadata("/tmp/slow/pid").is_ok_and(|m| m.len() > 1));
        let pid = child.id() as i32;
        assert!(alive(pid));
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("Uid:\t12345\t12345\t12345\t12345\n"), "{status}");
        assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
        for file in ["environ", "fd", "exe", "cwd", "mem"] {
            let mut read = alice.command(&std::process::Command::new("ls"));
            read.args(["-L"]).arg(format!("/proc/{pid}/{file}/."));
            assert_ne!(run(&mut read, "").code, 0, "{file}");
            let mut read = alice.command(&std::process::Command::new("head"));
            let ran = run(read.args(["-c1"]).arg(format!("/proc/{pid}/{file}")), "");
            assert_ne!(ran.code, 0, "{file}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Its child does not outlive it.
        let sleeping = || {
            let named = fs::read_dir("/proc").unwrap().flatten().filter(|process| {
                let args = fs::read(process.path().join("cmdline")).unwrap_or_default();
                args == b"sleep\x0020\0"
            });
            named.count()
        };
        wait_until(|| "the end of its child", || sleeping() == 0);
    });
}
