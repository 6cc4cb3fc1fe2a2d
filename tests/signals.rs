//! Hazards of ending processes: those that ignore signals, those that cannot be ended, those
//! that somebody else is ending, and very many of them.

mod descendants;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;

use crate::world::{Ran, Registry, Standin, World, alive, records, run, skip, stat, wait_until};

/// Result and reason for each process, by its pid.
fn results(ran: &Ran) -> BTreeMap<i32, (String, String)> {
    let of = |action: Value| {
        let pid = action["finding"]["process"]["pid"].as_i64()?;
        let text = |field: &str| action[field].as_str().unwrap().to_owned();
        Some((pid as i32, (text("result"), text("reason"))))
    };
    ran.records().into_iter().filter_map(of).collect()
}

fn assert_result(ran: &Ran, pid: i32, result: &str, reason: &str) {
    let results = results(ran);
    let (is, why) = results.get(&pid).unwrap_or_else(|| panic!("nothing about {pid}: {ran:?}"));
    assert!(is == result && why.contains(reason), "{pid}: {is}: {why}; not {result}: {reason}");
}

fn state(pid: i32) -> Option<char> {
    stat(pid).map(|stat| stat.state)
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("a process of the world");
}

/// An empty registry and a session that has nothing to do with it, so that tmux answers.
fn empty(world: &World) {
    world.write_global(&Registry::default());
    world.session("bystander", "sleep 3600");
}

/// Of a dead process only the short name is left, and the world's own name is too long to be
/// one.
fn short_name(world: &World) -> String {
    world.name().replace("claude", "dead")
}

/// A reaper by name that never reaps, and the stand-in that it has taken in.
fn unreaped(world: &World) -> Standin {
    const REAPER: &str = "
import ctypes, subprocess, sys, time
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
open('/proc/self/comm', 'w').write('tini')
subprocess.check_call(['setsid', '--fork', sys.argv[1], '--print'])
time.sleep(3600)
";
    let ready = world.ready();
    let mut command = world.command("python3");
    command.args(["-c", REAPER, world.name()]).env("STANDIN_READY", ready.directory());
    command.env("STANDIN_COMM", short_name(world));
    let reaper = world.spawn(command);
    let standin = ready.wait();
    wait_until(
        || "the reaper to take it in",
        || stat(standin.pid).is_some_and(|stat| stat.ppid == reaper),
    );
    standin
}

/// A script that is Claude by its name.
fn script(world: &World, text: &str) -> PathBuf {
    let path = world.path().join("logs").join(world.name());
    fs::write(&path, text).expect("a script of the world");
    path
}

/// A process that waits in the kernel (state D) because the child that it shares its
/// memory with until that runs another program, as vfork(2) has it, waits for the writer
/// of a FIFO. Both are scripts by the stand-in's name.
fn uninterruptible(world: &World) -> Standin {
    const SPAWN: &str = "
import os, sys
fifo = sys.argv[1]
os.mkfifo(fifo)
open(os.path.join(os.environ['STANDIN_READY'], str(os.getpid())), 'w').close()
os.posix_spawn('/bin/true', ['true'], os.environ,
               file_actions=[(os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0)])
";
    let mut command = world.command("python3");
    command.arg(script(world, SPAWN)).arg(world.path().join("fifo"));
    let standin = world.orphan(&command);
    wait_until(|| "a process in state D", || state(standin.pid) == Some('D'));
    standin
}

#[test]
fn h19_what_cannot_simply_be_ended_gets_an_honest_result() {
    honest_results(World::new);
}

#[test]
fn h19_what_cannot_simply_be_ended_gets_an_honest_result_by_ps() {
    honest_results(World::by_ps);
}

fn honest_results(new: fn() -> World) {
    escalation(new());
    another_users(new);
    held_by_the_kernel(new());
}

fn escalation(world: World) {
    empty(&world);
    let polite = world.leaked(&[]).pid;
    let stubborn = world.leaked(&[("STANDIN_IGNORE", "TERM")]).pid;
    let stopped = world.leaked(&[]).pid;
    send(stopped, Signal::SIGSTOP);
    let brief = world.leaked(&[]).pid;
    let defunct = unreaped(&world).pid;
    let unreaped = unreaped(&world).pid;
    let waiting = uninterruptible(&world).pid;
    wait_until(|| "a process to stop", || state(stopped) == Some('T'));
    let findings = || {
        let mut lsclaude = world.lsclaude();
        lsclaude.args(["--name", &short_name(&world)]);
        let listers = [world.lsagents(), world.lssessions(), lsclaude];
        let scan = listers.map(|mut lister| run(&mut lister, "").ok().out).concat();
        // The one in state D counts as the parent of a Claude, which is its vfork child.
        world.diff(&scan, &["--outside-tmux"]).expect(&[0, 1]).out
    };
    let before = findings();
    for pid in [brief, defunct] {
        send(pid, Signal::SIGKILL);
        wait_until(|| "one to end by itself", || !alive(pid));
    }
    assert_eq!(state(defunct), Some('Z'));

    let begun = Instant::now();
    let ran = world.prune(&before, &["--yes", "--grace", "1s"]).ok();
    let took = begun.elapsed();
    assert_result(&ran, polite, "done", "ended after SIGTERM");
    assert_result(&ran, unreaped, "done", "ended after SIGTERM");
    for pid in [stubborn, stopped, waiting] {
        assert_result(&ran, pid, "done", "ended by SIGKILL");
    }
    assert_result(&ran, brief, "gone", "");
    assert_result(&ran, defunct, "gone", "already dead");
    for pid in results(&ran).into_keys() {
        assert!(!alive(pid), "{pid}");
    }
    assert!(results(&ran).len() >= 7, "{}", ran.out);
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
    assert!(world.session_names().contains(&"bystander".to_owned()));

    // A dead process that nobody reaps is reported, without an action.
    assert_eq!(state(unreaped), Some('Z'));
    let after = findings();
    assert_eq!(after.matches("\"kind\":\"defunct_process\",\"action\":null").count(), 2);
    let ran = world.prune(&after, &["--yes"]).ok();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "agentprune: nothing to do\n"));
}

/// Whether commands may be run as somebody else, or with less than all permissions.
fn may_set_privileges(name: &str) -> bool {
    let tried = Command::new("setpriv").args(["--reuid", "12345", "true"]).output();
    let may = geteuid().is_root() && tried.is_ok_and(|tried| tried.status.success());
    if !may {
        skip(name, "setpriv is not permitted");
    }
    may
}

/// A copy of `agentprune` that everybody can reach, and the world's directory open to them.
fn open_to_others(world: &World) -> PathBuf {
    let copy = world.path().join("bin/agentprune");
    let original = PathBuf::from(world.tool("agentprune").get_program());
    run(Command::new("cp").arg(original).arg(&copy), "").ok();
    for path in [world.path(), &world.path().join("bin")] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

fn another_users(new: fn() -> World) {
    if !may_set_privileges("h19: another user's process") {
        return;
    }
    let world = new();
    empty(&world);
    let standin = world.leaked(&[]);
    let findings = world.findings(&[]);
    let mut stranger = world.command("setpriv");
    stranger.args(["--reuid", "12345", "--regid", "12345", "--clear-groups"]);
    stranger.arg(open_to_others(&world)).arg("--yes");
    let ran = run(&mut stranger, &findings).expect(&[1]);
    assert_result(&ran, standin.pid, "refused", "found for uid 0, this run is for uid 12345");
    assert!(alive(standin.pid));
}

/// The kernel's own EPERM: a process of this user by its effective uid alone. Its files in
/// /proc are closed to that user, so it is found by ps only.
fn without_the_permission(world: World) {
    const OF_TWO_USERS: &str = "
import os, time
open(os.path.join(os.environ['STANDIN_READY'], str(os.getpid())), 'w').close()
os.setresuid(0, 12345, 0)
time.sleep(3600)
";
    if !may_set_privileges("h19: EPERM") {
        return;
    }
    empty(&world);
    for tool in ["lssessions", "lsclaude", "agentdiff"] {
        let original = PathBuf::from(world.tool(tool).get_program());
        run(Command::new("cp").arg(original).arg(world.path().join("bin")), "").ok();
    }
    open_to_others(&world);
    let directory = world.path().join("12345");
    fs::create_dir(&directory).unwrap();
    std::os::unix::fs::chown(&directory, Some(12345), Some(12345)).unwrap();
    let as_them = |program: &str, arguments: &[&str]| {
        let mut command = world.command("setpriv");
        command.args(["--reuid", "12345", "--regid", "12345", "--clear-groups"]);
        let bin = world.path().join("bin");
        let own = bin.join(program);
        command.arg(if own.exists() { own } else { program.into() }).args(arguments);
        command.current_dir(&directory);
        command
    };
    let server = ["-f", "/dev/null", "-S", "socket", "new-session", "-d", "sleep 3600"];
    run(&mut as_them("tmux", &server), "").ok();
    let ready = world.ready();
    fs::set_permissions(ready.directory(), Permissions::from_mode(0o777)).unwrap();
    let mut command = as_them("setsid", &["--fork", world.name(), "--print"]);
    command.env("STANDIN_READY", ready.directory());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let obeys = ready.wait().pid;
    let mut command = world.command("python3");
    command.arg(script(&world, OF_TWO_USERS)).arg("--print");
    let of_two = world.orphan(&command).pid;
    wait_until(|| "the other effective uid", || euid(of_two) == 12345);

    let ps = "--proc-source=ps";
    let listers = [
        as_them("lssessions", &["-S", "socket", ps]),
        as_them("lsclaude", &["--name", world.name(), ps]),
    ];
    let scan = listers.map(|mut lister| run(&mut lister, "").ok().out).concat();
    let findings = run(&mut as_them("agentdiff", &["--min-age", "0s"]), &scan).expect(&[1]).out;
    let mut prune = as_them("agentprune", &["--yes", "--grace", "1s"]);
    let ran = run(&mut prune, &findings).expect(&[1]);
    assert_result(&ran, of_two, "failed", "Operation not permitted");
    assert_result(&ran, obeys, "done", "ended after SIGTERM");
    assert!(alive(of_two) && !alive(obeys));
}

/// The effective uid of a process.
fn euid(pid: i32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    uids.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A process that not even SIGKILL ends: it asks a file system, and whoever serves that
/// has read the question and does not answer.
fn held_by_the_kernel(world: World) {
    const SERVE: &str = "
import ctypes, os, struct, sys
script, directory, what = sys.argv[1:]
fuse = os.open('/dev/fuse', os.O_RDWR)
options = 'fd=%d,rootmode=40000,user_id=0,group_id=0' % fuse
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b'hang', directory.encode(), b'fuse.hang', 0, options.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
if what == 'try':
    sys.exit(0)
INIT, LOOKUP = 26, 1
while True:
    question = os.read(fuse, 1 << 20)
    _, opcode, unique = struct.unpack_from('=IIQ', question)
    if opcode == INIT:
        minor = struct.unpack_from('=I', question, 44)[0]
        init = struct.pack('=IIIIHHI', 7, minor, 0, 0, 0, 0, 4096) + bytes(40)
        os.write(fuse, struct.pack('=IiQ', 16 + len(init), 0, unique) + init)
        if os.fork() == 0:
            os.close(fuse)
            os.setsid()
            if os.fork() == 0:
                asked = os.path.join(directory, 'file')
                os.execv(sys.executable, ['python3', script, asked, '--print'])
            os._exit(0)
        os.wait()
    elif opcode == LOOKUP:
        asks = str(struct.unpack_from('=I', question, 32)[0])
        open(os.path.join(os.environ['STANDIN_READY'], asks), 'w').close()
";
    empty(&world);
    let directory = world.path().join("hang");
    fs::create_dir(&directory).unwrap();
    let asking = script(&world, "import os, sys\nos.stat(sys.argv[1])\n");
    let serve = |what: &str| {
        let mut command = world.command("unshare");
        command.args(["--mount", "python3", "-c", SERVE]).arg(&asking).arg(&directory).arg(what);
        command
    };
    let tried = run(&mut serve("try"), "");
    if tried.code != 0 {
        let reason = tried.err.lines().last().unwrap_or("no FUSE").to_owned();
        return skip("h19: a process that the kernel holds", &reason);
    }
    let ready = world.ready();
    let mut command = serve("serve");
    command.env("STANDIN_READY", ready.directory());
    let server = world.spawn(command);
    let waiting = ready.wait().pid;
    wait_until(|| "its parent to end", || stat(waiting).is_some_and(|stat| stat.ppid != server));

    let findings = world.findings(&[]);
    let begun = Instant::now();
    let ran = world.prune(&findings, &["--yes", "--grace", "1s"]).expect(&[1]);
    assert_result(&ran, waiting, "failed", "still there after SIGKILL (state D): the kernel");
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert!(ran.err.contains("failed 1"), "{}", ran.err);
    send(server, Signal::SIGKILL);
    wait_until(|| "the kernel to let go", || !alive(waiting));
    let ran = world.prune(&findings, &["--yes"]).ok();
    assert_result(&ran, waiting, "gone", "");
}

#[test]
fn h19_a_process_that_may_not_be_signalled_is_reported_and_the_others_are_ended() {
    without_the_permission(World::by_ps());
}

#[test]
fn h30_four_hundred_that_ignore_sigterm_are_dead_within_grace_and_a_second() {
    four_hundred(World::new());
}

#[test]
fn h30_four_hundred_that_ignore_sigterm_are_dead_within_grace_and_a_second_by_ps() {
    four_hundred(World::by_ps());
}

fn four_hundred(world: World) {
    const GRACE: Duration = Duration::from_secs(2);
    empty(&world);
    let pids = world.crowd(400, &[("STANDIN_IGNORE", "TERM")]);
    let findings = world.findings(&[]);
    assert_eq!(findings.matches("\"kind\":\"leaked_process\"").count(), 400);

    let watched = pids.clone();
    let watcher = thread::spawn(move || {
        let mut left = watched;
        let patience = Instant::now() + Duration::from_secs(30);
        while !left.is_empty() && Instant::now() < patience {
            left.retain(|&pid| alive(pid));
            thread::sleep(Duration::from_millis(10));
        }
        (left, SystemTime::now())
    });
    let ran = world.prune(&findings, &["--yes", "--grace", "2s", "--log", "log"]).ok();
    let (left, dead_at) = watcher.join().unwrap();
    assert_eq!(left, Vec::<i32>::new());
    let results = results(&ran);
    assert_eq!(results.len(), 400);
    for pid in pids {
        assert_eq!(results[&pid], ("done".to_owned(), "ended by SIGKILL".to_owned()));
    }
    // SIGTERM comes right after the last plan is on disk.
    let log = records(&fs::read_to_string(world.path().join("log")).unwrap());
    let planned = log.iter().filter(|action| action["result"] == "planned");
    let asked: Vec<SystemTime> = planned
        .map(|action| action["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().into())
        .collect();
    assert_eq!(asked.len(), 400);
    let took = dead_at.duration_since(asked.into_iter().max().unwrap()).unwrap();
    eprintln!("400 processes: all dead {took:?} after SIGTERM, with a grace of {GRACE:?}");
    assert!(took >= GRACE && took <= GRACE + Duration::from_secs(1), "{took:?}");
}

#[test]
fn more_processes_than_descriptors_are_ended_in_lots() {
    let world = World::new();
    empty(&world);
    let pids = world.crowd(50, &[]);
    fs::write(world.path().join("findings"), world.findings(&[])).unwrap();
    let program = world.tool("agentprune").get_program().to_string_lossy().into_owned();
    let mut command = world.command("sh");
    command.args(["-c", "ulimit -n \"$2\" && exec \"$1\" --yes findings", "sh", &program]);
    let ran = run(command.arg("84"), "").ok();
    assert_eq!(results(&ran).len(), 50);
    assert!(ran.records().iter().all(|action| action["result"] == "done"), "{}", ran.out);
    assert!(!pids.iter().any(|&pid| alive(pid)));

    let mut command = world.command("sh");
    command.args(["-c", "ulimit -n \"$2\" && exec \"$1\" --yes findings", "sh", &program]);
    let ran = run(command.arg("40"), "").expect(&[2]);
    assert!(ran.err.contains("the limit of 40 open files is too low"), "{}", ran.err);
}
