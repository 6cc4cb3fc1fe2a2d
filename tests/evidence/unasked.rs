//! tmux servers that a run does not ask: those of other users and in other pid namespaces.
//! The session of an entry may be there, or surely is not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{
    Entry, Live, Registry, TEAM, User, World, alive, of_kind, privately, privately_with_users,
    records, run, wait_until,
};

const IDS: [&str; 2] = ["here-101010-aaaaaa", "gone-101010-bbbbbb"];

/// What all three listers see, and what is judged of it.
struct Judged {
    ghosts: usize,
    findings: String,
    notes: String,
    code: i32,
}

fn judged(world: &World, options: &[&str]) -> Judged {
    let listers = [world.lsagents(), world.tool("lssessions"), world.lsclaude()];
    let scan = listers.map(|mut lister| run(&mut lister, "").ok().out).concat();
    let ran = world.diff(&scan, options);
    let ghosts = of_kind(&ran.out, "ghost_agent").len();
    Judged { ghosts, findings: ran.out, notes: ran.err, code: ran.code }
}

/// That nothing is concluded about the ghosts, neither by a new scan nor at the moment of
/// acting on `earlier` findings, and that the user's word is enough for the first.
fn assert_withheld(world: &World, earlier: &str, server: &str) {
    let registry = fs::read(world.global_path()).unwrap();
    let found = judged(world, &[]);
    assert_eq!(found.ghosts, 0, "{}", found.findings);
    // "Could not ask" is never "nothing to do": 0 only if something else was judged.
    let judges_others = found.findings.contains(r#""type":"finding""#);
    assert_eq!(found.code, if judges_others { 0 } else { 2 }, "{}{}", found.findings, found.notes);
    let note = format!("{} agents not judged: tmux server {server} was not asked", IDS.len());
    assert!(found.notes.contains(&note), "{}", found.notes);
    assert!(found.notes.contains("--ignore-unasked"), "{}", found.notes);

    let ran = world.prune(earlier, &["--yes"]).expect(&[1]);
    let actions = ran.records();
    let of_agents = actions.iter().filter(|a| a["target"].as_str().unwrap().starts_with("agent "));
    let of_agents: Vec<_> = of_agents.collect();
    assert_eq!(of_agents.len(), IDS.len(), "{}", ran.out);
    for action in of_agents {
        assert_eq!(action["result"], "skipped", "{action}");
        assert!(action["reason"].as_str().unwrap().contains("was not asked"), "{action}");
    }
    assert_eq!(fs::read(world.global_path()).unwrap(), registry);

    assert_eq!(judged(world, &["--ignore-unasked"]).ghosts, IDS.len());
}

/// That the ghosts are found and cleaned up.
fn assert_cleaned(world: &World, options: &[&str]) {
    let found = judged(world, options);
    assert_eq!(found.ghosts, IDS.len(), "{}{}", found.findings, found.notes);
    let ran = world.prune(&found.findings, &["--yes"]).ok();
    let done = ran.records().iter().filter(|action| action["result"] == "done").count();
    assert_eq!(done, IDS.len(), "{}", ran.out);
    let left = run(&mut world.lsagents(), "").ok().records();
    assert!(left.iter().all(|record| record["type"] != "agent"), "{left:?}");
}

/// A registry of two agents, neither of which has a session on a server of this user.
fn write_ghosts(world: &World) {
    world.write_global(&Registry::new(IDS.map(Entry::new)));
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A container with a tmux server and a Claude below it.
struct Container {
    init: i32,
    /// The server, as numbered outside.
    server: i64,
}

impl Container {
    /// In pid and mount namespaces of its own. `prepare`: what its shell does first.
    fn start(world: &World, prepare: &str) -> Container {
        let mut inside = world.command("unshare");
        inside.args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "sh", "-ec"]);
        inside.arg(format!(
            "{prepare}\n\
             tmux -f /dev/null -S \"$PWD/inner\" new-session -d -s agent_{} \
             'exec claude --print --output-format stream-json x'\n\
             exec sleep 3600",
            IDS[0],
        ));
        let init = world.spawn(inside);
        let mut server = None;
        wait_until(
            || "Claude in its container",
            || {
                let claude = run(&mut world.lsclaude(), "").ok().records();
                let claude = claude.iter().find(|process| process["namespace"] == "foreign");
                let ends = run(&mut world.tool("lssessions"), "").ok().records();
                let unasked = ends[ends.len() - 1]["unasked"].clone();
                server = claude.and_then(|claude| {
                    let unasked = unasked.as_array()?.iter().map(|server| &server["pid"]);
                    let ancestors = claude["ancestors"].as_array()?;
                    unasked.filter(|pid| ancestors.contains(pid)).find_map(|pid| pid.as_i64())
                });
                server.is_some()
            },
        );
        Container { init, server: server.expect("it was waited for") }
    }

    /// Ends it with everything in it.
    fn end(self) {
        // Only what this test has started: unshare's child is the init of the namespace.
        let unshare = nix::unistd::Pid::from_raw(self.init);
        nix::sys::signal::kill(unshare, nix::sys::signal::Signal::SIGKILL).unwrap();
        wait_until(|| "the container's end", || !alive(self.server as i32));
    }
}

#[test]
fn h42_no_ghosts_while_a_container_works_on_the_same_project() {
    privately(|| {
        let world = World::with_default_names();
        write_ghosts(&world);
        let earlier = judged(&world, &[]);
        assert_eq!(earlier.ghosts, IDS.len());
        for prepare in ["", "mount --bind \"$PWD/.agent-workspace\" /mnt"] {
            let container = Container::start(&world, prepare);
            let server = format!("{} of uid {}", container.server, nix::unistd::getuid());
            assert_withheld(&world, &earlier.findings, &server);
            container.end();
        }
        assert_cleaned(&world, &[]);
    });
}

/// A root file system without the workspace, and the stand-in in it. The old one is unmounted.
const OTHER_ROOT: &str = r#"
mount -t tmpfs tmpfs /mnt
for name in bin sbin lib lib32 lib64 libx32 usr etc dev; do
    if [ -L "/$name" ]; then cp -P "/$name" /mnt/
    elif [ -d "/$name" ]; then mkdir "/mnt/$name" && mount --rbind "/$name" "/mnt/$name"
    fi
done
mkdir /mnt/proc /mnt/tmp /mnt/opt /mnt/old
mount -t proc proc /mnt/proc
cp "$(command -v claude)" /mnt/opt/claude
# A directory of the same name: without it the stand-in ends.
mkdir -p "/mnt$STANDIN_WORLD"
cd /mnt
pivot_root . old
cd /
umount -l /old
PATH=/opt:/usr/bin:/bin
"#;

#[test]
fn h75_a_container_that_does_not_see_the_workspace_keeps_no_ghost() {
    privately(|| {
        let world = World::with_default_names();
        write_ghosts(&world);
        let container = Container::start(&world, OTHER_ROOT);
        let seen = fs::read_to_string(format!("/proc/{}/mountinfo", container.server)).unwrap();
        assert!(!seen.contains(" /tmp "), "it was to see another /tmp: {seen}");
        assert_cleaned(&world, &[]);
        assert!(alive(container.server as i32));
    });
}

/// Claude in a session of a user, with all groups of that user.
fn works(world: &World, user: &User) -> PathBuf {
    let ready = world.ready();
    let socket = PathBuf::from(format!("/tmp/tmux-{}/team", user.uid));
    let mut tmux = Command::new("tmux");
    let environment = world.command("true");
    for (name, value) in environment.get_envs() {
        tmux.env(name, value.unwrap_or_default());
    }
    tmux.args(["-f", "/dev/null", "-S"]).arg(&socket).args(["new-session", "-d", "-s", "team"]);
    tmux.arg("-e").arg(format!("STANDIN_READY={}", ready.directory().display()));
    user.run(tmux.args(["exec claude --print"]), "").ok();
    ready.wait();
    socket
}

/// The server of another user as a note names it.
fn server_of(world: &World, uid: u32) -> String {
    let ends = run(&mut world.tool("lssessions"), "").ok().records();
    let unasked = ends[ends.len() - 1]["unasked"].as_array().unwrap().clone();
    let server = unasked.iter().find(|server| server["uid"] == uid).expect("a server");
    format!("{} of uid {uid}", server["pid"])
}

#[test]
fn h44_no_ghosts_while_another_user_who_can_write_the_registry_works() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        let world = World::of(&alice);
        write_ghosts(&world);
        let earlier = judged(&world, &[]);
        assert_eq!(earlier.ghosts, IDS.len());
        let bobs = World::of(&bob);
        let socket = works(&bobs, &bob);
        let file = world.global_path();
        for (mode, gid) in [(0o666, alice.uid), (0o660, TEAM)] {
            set_mode(&file, mode);
            chown(&file, None, Some(gid)).unwrap();
            assert_withheld(&world, &earlier.findings, &server_of(&world, bob.uid));
        }
        bob.run(Command::new("tmux").arg("-S").arg(&socket).arg("kill-server"), "").ok();
        // Root can write everything.
        set_mode(&file, 0o600);
        let roots = World::with_default_names();
        let live: Live = roots.agent_session(IDS[0], &[]);
        assert_withheld(&world, &earlier.findings, &server_of(&world, 0));
        // Claude has ended, the server has not.
        roots.session("other", "sleep 3600");
        roots.tmux(&["kill-session", "-t", &format!("={}", live.session)]).ok();
        wait_until(|| "the end of Claude", || !alive(live.claude.pid));
        assert_cleaned(&world, &[]);
    });
}

#[test]
fn h44_nothing_is_concluded_about_another_users_registry() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.write_global(&Registry::new(IDS.map(Entry::new)).counters(9, 9));
        let file = world.global_path();
        set_mode(&file, 0o666);
        // Alice's agents live in her own tmux, but the registry is root's.
        let live = world.agent_session(IDS[0], &[]);
        let own = judged(&world, &[]);
        assert_eq!(own.ghosts, 1);
        chown(&file, Some(0), Some(0)).unwrap();
        let listers = [world.lsagents(), world.tool("lssessions"), world.lsclaude()];
        let scan = listers.map(|mut lister| run(&mut lister, "").ok().out).concat();
        let before = fs::read(&file).unwrap();
        let ran = world.diff(&scan, &[]).expect(&[2]);
        let found = records(&ran.out);
        assert!(found.iter().all(|record| record["action"].is_null()), "{}", ran.out);
        assert!(ran.err.contains("1 agent not judged: owned by uid 0"), "{}", ran.err);
        assert!(ran.err.contains("counters of 1 registry not judged"), "{}", ran.err);
        assert!(ran.err.contains("--user 0; lssessions --user 0;"), "{}", ran.err);
        world.prune(&ran.out, &["--yes"]).expect(&[2]);
        // Found while it was hers.
        let ran = world.prune(&own.findings, &["--yes"]).expect(&[1]);
        for action in ran.records() {
            assert_eq!(action["result"], "refused", "{action}");
            let reason = action["reason"].as_str().unwrap();
            assert!(reason.contains("it belongs to uid 0"), "{action}");
        }
        assert_eq!(fs::read(&file).unwrap(), before);
        assert!(alive(live.claude.pid));
    });
}

#[test]
fn h75_a_colleague_who_cannot_write_the_registry_keeps_no_ghost() {
    privately_with_users(|[alice, bob]: [User; 2]| {
        let world = World::of(&alice);
        write_ghosts(&world);
        let bobs = World::of(&bob);
        works(&bobs, &bob);
        let live = bobs.agent_session(IDS[0], &[]);
        server_of(&world, bob.uid);
        let file = world.global_path();
        set_mode(&file, 0o664);
        let found = judged(&world, &[]);
        assert!(
            found.notes.contains("2 processes not judged: owned by uid 12346"),
            "{}",
            found.notes
        );
        assert_cleaned(&world, &[]);
        // Others may write, but he only belongs to the group that may not.
        write_ghosts(&world);
        chown(&file, None, Some(TEAM)).unwrap();
        set_mode(&file, 0o640);
        assert_cleaned(&world, &[]);
        assert!(alive(live.claude.pid));
    });
}
