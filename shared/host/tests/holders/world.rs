//! A pid namespace of its own for each test, in which nothing outlives the test.

use std::any::type_name;
use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use host::process::Table;
use host::process::holders::{Asked, Survey, holdings, of_claude};
use model::record::{Holding, How, ProcSource};
use tempfile::TempDir;

const INSIDE: &str = "HOLDERS_PRIVATE";
const PATIENCE: Duration = Duration::from_secs(20);

/// Who is pid 1, above the test.
pub enum Pid1 {
    /// The real tini; the test is its first-born.
    Tini,
    /// A shell that runs the test and goes on.
    Shell,
    /// A Python program that runs the test.
    Python,
}

/// Runs the body of a test in a new pid namespace. The body must be a closure that stands in
/// the test itself: from its type comes the name of the test, which is run anew there.
pub fn privately<F: FnOnce(&World)>(pid1: Pid1, body: F) {
    if env::var_os(INSIDE).is_some() {
        return body(&World::new());
    }
    let closure = type_name::<F>();
    let path = closure.strip_suffix("::{{closure}}").unwrap_or(closure);
    let test = path.split_once("::").map_or(path, |(_, test)| test);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]);
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    match pid1 {
        Pid1::Tini => command.args(["tini", "--"]),
        Pid1::Shell => command.args(["sh", "-c", "\"$@\"; exit $?", "sh"]),
        Pid1::Python => command.args([
            "python3",
            "-c",
            "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))",
        ]),
    };
    command.arg(env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]);
    let ran = command.env(INSIDE, "1").stdin(Stdio::null()).output().unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    // A wrong name would run no test, and succeed.
    let passed = ran.status.success() && out.contains("1 passed");
    assert!(passed, "{}: {out}\n{}", ran.status, String::from_utf8_lossy(&ran.stderr));
}

/// A directory for what a test starts.
pub struct World {
    directory: TempDir,
}

impl World {
    fn new() -> World {
        // The first-born of pid 1 is told from others by its start, in ticks of 10 ms.
        thread::sleep(Duration::from_millis(30));
        World { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A shell in the directory, with empty standard streams, that knows nothing of the tester.
    pub fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-c", script]).current_dir(self.path()).env_clear();
        shell.env("PATH", env::var_os("PATH").unwrap()).env("HOME", self.path());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        shell
    }

    /// Starts a child of the test, which is reaped when it ends.
    pub fn spawn(&self, mut command: Command) {
        let mut child = command.spawn().unwrap();
        thread::spawn(move || child.wait());
    }

    /// Runs a script to its end.
    pub fn run(&self, script: &str) {
        let status = self.shell(script).status().unwrap();
        assert!(status.success(), "{script}: {status}");
    }

    /// Starts a script, which is a child of the test. It writes its pid, or that of what it
    /// starts, to the file `name`.
    pub fn start(&self, name: &str, script: &str) -> i32 {
        self.spawn(self.shell(script));
        self.pid(name)
    }

    /// An orphan: what `script` has become when it has written its pid to the file `claude`,
    /// in a session of its own below pid 1.
    pub fn orphan(&self, script: &str) -> i32 {
        let _ = fs::remove_file(self.file("claude"));
        fs::write(
            self.file("script"),
            format!("echo $$ >claude.new; mv claude.new claude\n{script}\n"),
        )
        .unwrap();
        self.run("setsid --fork bash -c '. ./script'");
        let pid = self.pid("claude");
        wait_until("a new parent", || stat(pid).is_some_and(|stat| stat.ppid == 1));
        wait_until("it to become what it is to be", || stat(pid).is_some_and(|s| s.name != "bash"));
        pid
    }

    /// The pid in a file, when it stands there.
    pub fn pid(&self, name: &str) -> i32 {
        let mut pid = None;
        wait_until(name, || {
            pid =
                fs::read_to_string(self.file(name)).ok().and_then(|text| text.trim().parse().ok());
            pid.is_some()
        });
        pid.unwrap()
    }

    /// What holds a process that is Claude.
    pub fn holding(&self, pid: i32) -> Holding {
        self.holding_among(pid, &[pid])
    }

    /// What holds a process, given which are Claude.
    pub fn holding_among(&self, pid: i32, claude: &[i32]) -> Holding {
        let table = Table::read(ProcSource::Proc).unwrap();
        let own = std::process::id() as i32;
        let claude: HashSet<i32> = claude.iter().copied().collect();
        let survey =
            Survey::new(table.processes(), claude.clone(), table.tmux_servers().clone(), own);
        let uid = nix::unistd::geteuid().as_raw();
        let of: Vec<_> = claude
            .iter()
            .map(|pid| {
                let environ = fs::read(format!("/proc/{pid}/environ")).ok();
                (*pid, of_claude(*pid, &table.processes()[pid], uid, environ.as_deref()))
            })
            .collect();
        let asked: Vec<Asked<'_>> = of
            .iter()
            .map(|(pid, of_claude)| Asked { pid: *pid, uid, of_claude, tmux_server: None })
            .collect();
        let (holdings, _) = holdings(&asked, &[], &survey);
        let at = asked.iter().position(|asked| asked.pid == pid).unwrap();
        holdings[at].clone()
    }

    /// Checks that nothing holds a process and nothing of it is unread.
    pub fn assert_loose(&self, pid: i32, what: &str) {
        let holding = self.holding(pid);
        let is_loose = holding.holders.is_empty() && holding.unread.is_empty() && holding.examined;
        assert!(is_loose, "{what}: {holding:?}");
    }

    /// Checks that one thing holds it, and by which process.
    pub fn assert_held(&self, pid: i32, how: How, by: Option<i32>, what: &str) {
        let holding = self.holding(pid);
        let held: Vec<_> = holding.holders.iter().map(|holder| (holder.how, holder.pid)).collect();
        assert_eq!(held, [(how, by)], "{what}: {holding:?}");
        assert_eq!(holding.unread, [], "{what}: {holding:?}");
    }
}

pub struct Stat {
    pub name: String,
    pub state: String,
    pub ppid: i32,
}

pub fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = text.rsplit_once(") ")?;
    let mut fields = tail.split(' ');
    Some(Stat {
        name: head.split_once('(')?.1.to_owned(),
        state: fields.next()?.to_owned(),
        ppid: fields.next()?.parse().ok()?,
    })
}

/// Ends a process of this namespace, and waits until it is gone or a zombie.
pub fn end(pid: i32) {
    let pid_of = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid_of, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until("it to end", || stat(pid).is_none_or(|stat| stat.state == "Z"));
}

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
