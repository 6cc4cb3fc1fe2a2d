//! Sockets, directories and servers of somebody else.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::{by_root, tool, tool_for};
use crate::world::{User, World, built, privately_with_users, run, wait_until};

/// A command of a user in the user's home, with an environment as after a login.
fn as_user(user: &User, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").env_clear();
    command.envs([("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("SHELL", "/bin/sh")]);
    user.command(&command)
}

/// Makes every client of a server that asks for panes write the server's buffer to one file
/// and read another into it, with the rights of the client.
fn booby_trap(user: &User, socket: &str, written: &Path, read: &Path) {
    let alias = format!(
        "list-panes=save-buffer {} ; load-buffer {} ; list-panes",
        written.display(),
        read.display()
    );
    for command in [&["set-buffer", "evil"][..], &["set", "-s", "command-alias[50]", &alias]] {
        run(as_user(user, "tmux", &["-S", socket]).args(command), "").ok();
    }
}

#[test]
fn h37_roots_files_are_neither_written_nor_read_by_a_users_tmux_server() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.session("work", "sleep 3600");
        let socket = world.socket().to_str().unwrap();
        let private = Path::new("/tmp/root");
        DirBuilder::new().mode(0o700).create(private).unwrap();
        let (written, secret) = (private.join("written"), private.join("secret"));
        fs::write(&secret, "secret of root").unwrap();
        booby_trap(&alice, socket, &written, &secret);
        let buffers = || {
            let mut show = as_user(&alice, "tmux", &["-S", socket, "list-buffers"]);
            run(&mut show, "").ok().out
        };
        assert!(!buffers().contains("secret of root"));

        // The attack is real: so it goes for who asks as root.
        let mut careless = by_root(&world, "tmux");
        run(careless.args(["-u", "-S", socket, "list-panes", "-a"]), "").ok();
        assert_eq!(fs::read_to_string(&written).unwrap(), "evil");
        assert!(buffers().contains("secret of root"), "{}", buffers());
        fs::remove_file(&written).unwrap();
        for buffer in buffers().lines().filter_map(|line| line.split(':').next()) {
            let mut delete = as_user(&alice, "tmux", &["-S", socket, "delete-buffer", "-b"]);
            run(delete.arg(buffer), "").ok();
        }
        run(&mut as_user(&alice, "tmux", &["-S", socket, "set-buffer", "evil"]), "").ok();

        let untouched = |what: &str| {
            assert!(!written.exists(), "{what}");
            assert!(!buffers().contains("secret"), "{what}: {}", buffers());
        };
        let listed = run(&mut tool(&world, "lssessions"), "").ok();
        let [end] = &listed.records()[..] else { panic!("{}", listed.out) };
        assert_eq!(
            (&end["uid"], &end["complete"], &end["sockets"]),
            (&json!(0), &json!(true), &json!([]))
        );
        let server =
            run(&mut as_user(&alice, "tmux", &["-S", socket, "display", "-p", "#{pid}"]), "");
        let server: i32 = server.ok().out.trim().parse().unwrap();
        assert_eq!(
            end["unasked"],
            json!([{"pid": server, "uid": 12345, "groups": [12345], "why": "other_user",
                "mounts": "same"}])
        );
        untouched("all servers");
        // Named, it is trouble, and still not asked.
        let named = run(tool(&world, "lssessions").args(["-S", socket]), "").expect(&[2]);
        assert!(named.err.contains("--user 12345"), "{}", named.err);
        // Through TMUX, as where root has become root in this user's terminal.
        let inside = format!("{socket},{server},0");
        run(tool(&world, "lssessions").env("TMUX", inside), "").ok();
        untouched("by TMUX");
        // As the user it fails at root's file, with the user's rights.
        let failed = run(&mut tool_for(&alice, &world, "lssessions"), "").expect(&[2]);
        assert!(failed.err.contains("Permission denied"), "{}", failed.err);
        untouched("as the user");
        // What can be written is the user's own.
        let own = world.path().join("written");
        booby_trap(&alice, socket, &own, Path::new("/etc/hostname"));
        run(&mut tool_for(&alice, &world, "lssessions"), "").ok();
        assert_eq!(fs::metadata(own).unwrap().uid(), alice.uid);
    });
}

#[test]
fn h38_a_socket_directory_that_another_user_has_made_is_trouble() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        let world = World::of(&alice);
        let directory = Path::new("/tmp/tmux-12345");
        fs::remove_dir(directory).unwrap();
        let socket = directory.join("default");
        let written = world.path().join("written");
        let listed = |what: &str, expected: &str| {
            let lister = || world.command(built().join("lssessions"));
            for mut lister in [lister(), tool_for(&alice, &world, "lssessions")] {
                let listed = run(&mut lister, "").expect(&[2]);
                let end = listed.records().pop().unwrap();
                assert_eq!((&end["count"], &end["complete"]), (&json!(0), &json!(false)), "{what}");
                assert!(listed.err.contains(expected), "{what}: {}", listed.err);
            }
            let mut named = lister();
            let named = run(named.arg("-S").arg(&socket), "").expect(&[2]);
            assert!(named.out.lines().count() == 1, "{what}: {}", named.out);
            assert!(!written.exists(), "{what}");
        };

        // Bob is first.
        run(&mut as_user(&bob, "mkdir", &["-m", "777", directory.to_str().unwrap()]), "").ok();
        let start = ["-f", "/dev/null", "-S", socket.to_str().unwrap(), "new-session", "-d", "cat"];
        run(&mut as_user(&bob, "tmux", &start), "").ok();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
        booby_trap(&bob, socket.to_str().unwrap(), &written, Path::new("/etc/hostname"));
        // The attack is real; since tmux 3.3 only if bob lets alice in.
        let allow = ["-S", socket.to_str().unwrap(), "server-access", "-a", "alice"];
        run(&mut as_user(&bob, "tmux", &allow), "").ok();
        let ask = ["-S", socket.to_str().unwrap(), "list-panes", "-a"];
        run(&mut as_user(&alice, "tmux", &ask), "").ok();
        assert_eq!(fs::metadata(&written).unwrap().uid(), alice.uid);
        fs::remove_file(&written).unwrap();
        listed("a directory of bob's", "it belongs to uid 12346");

        // A link of hers to it is no better.
        let moved = Path::new("/tmp/elsewhere");
        fs::rename(directory, moved).unwrap();
        run(&mut as_user(&alice, "ln", &["-s", "/tmp/elsewhere", "/tmp/tmux-12345"]), "").ok();
        listed("a link", "it is not a directory");
        fs::remove_file(directory).unwrap();

        // Her own directory, but open, and his server has come into it.
        DirBuilder::new().mode(0o700).create(directory).unwrap();
        alice.own(directory);
        fs::rename(moved.join("default"), &socket).unwrap();
        listed("his socket in her directory", "the socket belongs to uid 12346");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o707)).unwrap();
        listed("an open directory", "it is open to other users");
    });
}

/// Listens as one user on a socket that is another's, and notes what it is told.
const LISTENER: &str = r#"
import os, socket, sys
path, log, owner, user = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.chown(path, owner, owner)
os.chmod(path, 0o777)
os.setgid(user)
os.setuid(user)
listener.listen()
os.replace(log + ".new", log)
while True:
    told = listener.accept()[0].recv(1 << 16)
    os.write(int(sys.argv[5]), told)
"#;

#[test]
fn h38_a_process_of_another_user_behind_a_users_socket_is_not_talked_to() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        let world = World::of(&alice);
        let (log, ready) = (Path::new("/tmp/told"), Path::new("/tmp/ready"));
        fs::write("/tmp/ready.new", "").unwrap();
        fs::set_permissions("/tmp", fs::Permissions::from_mode(0o777)).unwrap();
        let mut listener = Command::new("sh");
        listener.args(["-c", "exec \"$@\" 3>/tmp/told", "sh", "python3", "-c", LISTENER]);
        listener.arg(world.socket()).args(["/tmp/ready", "12345"]);
        listener.arg(bob.uid.to_string()).arg("3").stdin(Stdio::null());
        let mut listener = listener.spawn().unwrap();
        wait_until(|| "the listener", || ready.exists() && log.exists());
        let own = fs::metadata(world.socket()).unwrap();
        assert_eq!(own.uid(), alice.uid);
        let listed = run(&mut world.command(built().join("lssessions")), "").expect(&[2]);
        let why = "the process that listens belongs to uid 12346, this run is for uid 12345";
        assert!(listed.err.contains(why), "{}", listed.err);
        let told = fs::read(log).unwrap();
        listener.kill().unwrap();
        listener.wait().unwrap();
        assert_eq!(told, b"", "it was talked to");
    });
}

#[test]
fn h38_a_forged_line_in_the_kernels_list_of_sockets_leads_nowhere() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        let world = World::of(&alice);
        fs::set_permissions(&alice.home, fs::Permissions::from_mode(0o711)).unwrap();
        let own = alice.home.join("own");
        let (own, secret) = (own.to_str().unwrap(), alice.home.join("secret"));
        fs::write(&secret, "secret of alice").unwrap();
        alice.own(&secret);
        let start =
            |socket: &'static str| ["-f", "/dev/null", "-S", socket, "new-session", "-d", "cat"];
        let hers: &'static str = String::leak(own.to_owned());
        run(&mut as_user(&alice, "tmux", &start(hers)), "").ok();
        run(&mut as_user(&bob, "tmux", &start("/tmp/home/bob/evil")), "").ok();
        let written = alice.home.join("written");
        booby_trap(&bob, "/tmp/home/bob/evil", &written, &secret);
        for allow in [
            &["tmux", "-S", "/tmp/home/bob/evil", "server-access", "-a", "alice"][..],
            &["chmod", "666", "/tmp/home/bob/evil"],
        ] {
            run(&mut as_user(&bob, allow[0], &allow[1..]), "").ok();
        }
        // The name of bob's socket has a second line: that alice's server listens on his link,
        // which leads to her socket and to his by turns.
        let forge = "
import os, socket, sys, time
os.chdir('/tmp/home/bob')
lines = open('/proc/net/unix', errors='replace').read().splitlines()
inode = [l.split()[6] for l in lines if l.endswith(' ' + sys.argv[1])][0]
name = 'x\\n0: 2 0 00010000 0001 01 %s /tmp/home/bob/link' % inode
os.makedirs(os.path.dirname(name))
s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen()
print('ready', flush=True)
while True:
    for target in (sys.argv[1], '/tmp/home/bob/evil'):
        os.symlink(target, 'new'); os.replace('new', 'link'); time.sleep(0.0003)
";
        let mut forger = as_user(&bob, "python3", &["-c", forge, own]);
        let mut forger = forger.stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 5];
        std::io::Read::read_exact(forger.stdout.as_mut().unwrap(), &mut ready).unwrap();
        for _ in 0..40 {
            let listed = run(&mut tool_for(&alice, &world, "lssessions"), "").ok();
            let end = listed.records().pop().unwrap();
            assert_eq!((&end["count"], &end["sockets"]), (&json!(1), &json!([own])));
            assert!(!written.exists());
        }
        forger.kill().unwrap();
        forger.wait().unwrap();
        let buffers = ["-S", "/tmp/home/bob/evil", "list-buffers"];
        let buffers = run(&mut as_user(&bob, "tmux", &buffers), "").ok().out;
        assert!(!buffers.contains("secret"), "{buffers}");
    });
}
