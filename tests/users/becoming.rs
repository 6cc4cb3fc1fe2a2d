//! `--user`: whom a program becomes, and when it refuses.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{tool, tool_for, with_tmux};
use crate::world::{
    COMMANDS, TEAM, TOOLS, User, World, built, privately_with_users, run, through, wait_until,
};

/// What the children of a program see of themselves.
fn seen_by_child(command: &mut Command) -> String {
    let seen = Path::new("/tmp/seen");
    fs::write(seen, "").unwrap();
    fs::set_permissions(seen, fs::Permissions::from_mode(0o666)).unwrap();
    with_tmux(
        command,
        "{ id -u; id -ru; id -G; pwd; ls /proc/self/fd | tr '\\n' ' '; echo; \
           grep -E 'Cap(Prm|Eff|Amb)' /proc/self/status | tr -d '[:space:]'; echo; \
           env | sort; } >/tmp/seen",
    );
    run(command, "").ok();
    fs::read_to_string(seen).unwrap()
}

#[test]
fn a_program_becomes_the_user_with_all_groups_and_nothing_of_root() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.session("work", "sleep 3600");
        for spelled in ["alice", "12345"] {
            let mut lister = tool(&world, "lssessions");
            lister.args(["--user", spelled]);
            // A descriptor that root's shell has open.
            let mut shell = Command::new("sh");
            shell.args(["-c", "exec 7</etc/shadow; exec \"$@\"", "sh"]);
            shell.arg(lister.get_program()).args(lister.get_args());
            shell.current_dir("/tmp").env_clear();
            for (name, value) in lister.get_envs() {
                shell.env(name, value.unwrap());
            }
            let seen = seen_by_child(&mut shell);
            let lines: Vec<&str> = seen.lines().collect();
            let groups = format!("12345 {TEAM}");
            assert_eq!(lines[..4], ["12345", "12345", &groups, "/"], "{seen}");
            // One names the socket's file; the last is that of the directory that ls lists.
            assert_eq!(lines[4].trim(), "0 1 2 3 4", "{seen}");
            let none = "0".repeat(16);
            assert_eq!(lines[5], format!("CapPrm:{none}CapEff:{none}CapAmb:{none}"), "{seen}");
            let expected = ["HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TZ", "USER", "_"];
            let names = lines[6..].iter().map(|line| line.split_once('=').unwrap().0);
            let names: Vec<&str> = names.filter(|name| *name != "OLDPWD").collect();
            assert!(names.iter().all(|name| expected.contains(name)), "{seen}");
            for own in ["HOME=/tmp/home/alice", "USER=alice", "LOGNAME=alice", "SHELL=/bin/sh"] {
                assert!(lines.contains(&own), "{own}: {seen}");
            }
        }
        let end = run(&mut tool_for(&alice, &world, "lssessions"), "").ok().records().pop();
        let end = end.unwrap();
        assert_eq!((&end["uid"], &end["count"]), (&json!(12345), &json!(1)));
    });
}

#[test]
fn only_root_becomes_another_user_and_only_one_that_there_is() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        let world = World::of(&alice);
        for name in TOOLS {
            let mut command = world.command(built().join(name));
            let refused = run(command.args(["--user", "bob"]), "").expect(&[2]);
            let why = format!("{name}: --user bob: only root can become another user\n");
            assert_eq!((refused.out.as_str(), refused.err), ("", why));
            let mut command = tool(&world, name);
            let refused = run(command.args(["--user", "mallory"]), "").expect(&[2]);
            assert_eq!(refused.err, format!("{name}: --user mallory: there is no such user\n"));
            for wrong in ["4294967295", "-1", "+0", "1:1", "", "0x10", "alice "] {
                let mut command = tool(&world, name);
                run(command.arg(format!("--user={wrong}")), "").expect(&[2]);
            }
        }
        // Root's workspace is not looked for on behalf of alice: `by_root` names one.
        let lister = &mut tool_for(&alice, &world, "lsagents");
        run(lister.current_dir("/").env("CLAUDE_ORCHESTRATOR_WORKSPACE", world.path()), "")
            .expect(&[2]);
        // Whoever names himself changes nothing.
        let mut lister = world.command(built().join("lssessions"));
        run(lister.args(["--user", "alice"]), "").ok();
        let mut lister = bob.command(&tool(&world, "lssessions"));
        run(lister.args(["--user", "alice"]), "").expect(&[2]);
    });
}

#[test]
fn root_whose_rights_would_survive_the_change_is_refused() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        // The kernel then leaves all capabilities to the user that root becomes.
        let wrapper = ["setpriv", "--securebits", "+no_setuid_fixup"];
        let lister = tool_for(&alice, &world, "lssessions");
        let refused = run(&mut through(&wrapper, &lister), "").expect(&[2]);
        assert_eq!(
            refused.err,
            "lssessions: --user alice: root's rights could not be given up for good\n"
        );
    });
}

#[test]
fn a_program_that_is_installed_setuid_refuses_to_run() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        for (name, mode) in TOOLS.iter().flat_map(|name| [(name, 0o4755), (name, 0o2755)]) {
            let copy = Path::new("/tmp").join(name);
            fs::copy(built().join(name), &copy).unwrap();
            chown(&copy, Some(0), Some(0)).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(mode)).unwrap();
            let refused = alice.run(&world.command(&copy), "").expect(&[2]);
            let why = format!("{name}: this program must not be installed setuid or setgid\n");
            assert_eq!((refused.out.as_str(), refused.err), ("", why));
        }
    });
}

#[test]
fn a_uid_without_an_entry_has_the_home_of_its_processes_or_is_refused() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        let nobody = User::without_entry();
        let lister = || tool_for(&nobody, &world, "lssessions");
        let refused = run(&mut lister(), "").expect(&[2]);
        assert!(refused.err.contains("none of its processes names its home"), "{}", refused.err);
        let sleep = |home: &Path| {
            let mut sleep = nobody.command(Command::new("sleep").arg("3600"));
            let pid = sleep.env("HOME", home).spawn().unwrap().id();
            let is_its = || fs::metadata(format!("/proc/{pid}")).unwrap().uid() == nobody.uid;
            let named = format!("HOME={}\0", home.display());
            let environ = || fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let has = || String::from_utf8_lossy(&environ()).contains(&named);
            wait_until(|| "the process of the user", || is_its() && has());
        };
        // Not a home of theirs.
        sleep(&alice.home);
        run(&mut lister(), "").expect(&[2]);
        sleep(&nobody.home);
        // A session of theirs, so that a child is started.
        let mut tmux = Command::new("tmux");
        tmux.args(["-f", "/dev/null", "new-session", "-d", "sleep 3600"]).env("LANG", "C.UTF-8");
        nobody.run(tmux.env("PATH", "/usr/bin:/bin"), "").ok();
        // Of root's groups none is left.
        let seen = seen_by_child(&mut through(&["setpriv", "--groups", "4242"], &lister()));
        let lines: Vec<&str> = seen.lines().collect();
        assert_eq!(lines[..3], ["12348", "12348", "12348"], "{seen}");
        let home = format!("HOME={}", nobody.home.display());
        assert!(lines.contains(&home.as_str()) && lines.contains(&"USER=12348"), "{seen}");
        // Two homes: which one?
        let other = nobody.home.join("other");
        fs::create_dir(&other).unwrap();
        nobody.own(&other);
        sleep(&other);
        let refused = run(&mut lister(), "").expect(&[2]);
        assert!(refused.err.contains("several homes"), "{}", refused.err);
        // A group of that number is somebody's, perhaps docker's.
        let mut groups = fs::read_to_string("/etc/group").unwrap();
        groups.push_str("docker:x:12348:\n");
        fs::write("/etc/group", groups).unwrap();
        let refused = run(&mut lister(), "").expect(&[2]);
        assert!(refused.err.contains("the group of that number is docker"), "{}", refused.err);
    });
}

#[test]
fn every_program_and_script_takes_the_option() {
    let world = World::new();
    for name in COMMANDS {
        let mut command = match name.ends_with(".sh") {
            true => world.script(name),
            false => world.tool(name),
        };
        let help = run(command.arg("--help"), "").ok().out;
        assert!(help.contains("--user"), "{name}: {help}");
    }
}
