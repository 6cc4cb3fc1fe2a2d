//! Servers of the same user in another pid namespace, as in a container.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::{World, privately, run, wait_until};

/// Starts a server in a pid namespace of its own that, asked for its panes, writes a file with
/// the rights of the client. `more`: further namespaces.
fn container(world: &World, socket: &Path, more: &[&str]) -> PathBuf {
    let written = socket.with_extension("written");
    let mut inside = world.command("unshare");
    inside.args(["--pid", "--fork", "--kill-child"]).args(more).args(["sh", "-c"]);
    let alias = format!("list-panes=save-buffer {} ; list-panes", written.display());
    inside.arg(format!(
        "tmux -f /dev/null -S '{0}' new-session -d 'sleep 3600' &&
         tmux -S '{0}' set-buffer evil ';' set -s 'command-alias[50]' '{alias}' &&
         : >'{0}.ready'; exec sleep 3600",
        socket.display()
    ));
    world.spawn(inside);
    let ready = format!("{}.ready", socket.display());
    wait_until(|| "the server in its container", || Path::new(&ready).exists());
    written
}

fn unasked(world: &World) -> (Value, Vec<Value>) {
    let mut end = run(&mut world.tool("lssessions"), "").ok().records().pop().unwrap();
    let mut unasked = match end["unasked"].take() {
        Value::Array(unasked) => unasked,
        other => panic!("{other}"),
    };
    unasked.sort_by_key(|server| server["pid"].as_i64());
    (end, unasked)
}

#[test]
fn a_server_in_a_container_is_named_and_not_asked() {
    privately(|| {
        let world = World::with_default_names();
        let shared = world.path().join("shared dir");
        fs::create_dir(&shared).unwrap();
        let elsewhere = world.path().join("elsewhere");
        // In the directory where sockets of this user are, and where they are not.
        let first = container(&world, &world.socket().with_file_name("inner"), &[]);
        let (end, servers) = unasked(&world);
        assert_eq!((&end["complete"], &end["sockets"]), (&json!(true), &json!([])));
        let [server] = &servers[..] else { panic!("{servers:?}") };
        let own = nix::unistd::getuid().as_raw();
        assert_eq!(server["uid"], own);
        assert_eq!(
            (&server["why"], &server["mounts"]),
            (&json!("other_namespace"), &json!("same"))
        );

        // With mounts of its own: what it sees is listed.
        let second = container(&world, &elsewhere, &["--mount"]);
        let (_, servers) = unasked(&world);
        let [_, server] = &servers[..] else { panic!("{servers:?}") };
        let pid = server["pid"].as_i64().unwrap();
        let mountinfo = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        let mounts = server["mounts"].as_array().unwrap();
        assert_eq!(mounts.len(), mountinfo.lines().count());
        let line = mountinfo.lines().find(|line| line.contains(" /tmp ")).expect("/tmp");
        let device = line.split(' ').nth(2).unwrap();
        assert!(mounts.contains(&json!({"device": device, "root": "/"})), "{mounts:?}");

        // Named, it is trouble, and still not asked.
        let mut named = world.tool("lssessions");
        let ran = run(named.arg("-S").arg(&elsewhere), "").expect(&[2]);
        assert!(ran.err.contains("in another pid namespace"), "{}", ran.err);
        assert!(!first.exists() && !second.exists(), "it was asked");
        // Asked, it would have done it.
        run(world.command("tmux").arg("-S").arg(&elsewhere).args(["list-panes", "-a"]), "").ok();
        assert!(second.exists());
    });
}
