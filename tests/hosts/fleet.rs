//! Two hosts and a controller that reaches them by ssh. To the programs they are machines:
//! namespaces with a name, boot id, process table, `/tmp` and home of their own, and a real
//! sshd on a loopback address. Only for root: sshd needs real users.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, geteuid};

use crate::unattended::installed;
use crate::world::{Ran, Registry, World, run, wait_until};

/// The names in the manual.
pub const HOSTS: [&str; 2] = ["web1", "web2"];

/// Becomes the sshd `$4` of the host `$1`; its files are in `$2`, root's home is `$3`.
/// The host's own /tmp hides ours, so it comes last.
const BOOT: &str = r#"
set -eu
echo "$1" >/proc/sys/kernel/hostname
cd "$2"
mount --bind boot_id /proc/sys/kernel/random/boot_id
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd
cp sshd_config host_key authorized_keys /run
mount --bind home "$3"
mount --bind tmp /tmp
cd /
exec "$4" -D -e -f /run/sshd_config
"#;

/// See the [module](self). Everything ends with the namespaces of the test.
pub struct Fleet {
    world: World,
    hosts: [i32; 2],
}

impl Fleet {
    /// Two hosts that answer ssh, each with an empty project.
    ///
    /// # Errors
    /// Says what is missing on this machine.
    pub fn start() -> Result<Fleet, String> {
        // Root of a user namespace without other users is not enough.
        let users = fs::read_to_string("/proc/self/uid_map").map_err(|error| error.to_string())?;
        if !geteuid().is_root() || users.split_whitespace().last() == Some("1") {
            return Err("not root".to_owned());
        }
        let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
        let sshd = sshd.into_iter().find(|path| Path::new(path).exists());
        let sshd = sshd.ok_or("no sshd: install openssh-server")?;
        for (program, said) in [("parallel", "GNU parallel"), ("ssh", "OpenSSH")] {
            let option = if program == "ssh" { "-V" } else { "--version" };
            let ran = Command::new(program).arg(option).output();
            let ran = ran.map_err(|error| format!("{program}: {error}"))?;
            let version = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
            if !version.contains(said) {
                return Err(format!("{program} is not {said}: {version}"));
            }
        }
        let world = installed();
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap().dir;
        // ssh takes the home of the password database, whatever HOME says.
        let own_home = world.path().join("controller");
        fs::create_dir_all(own_home.join(".ssh")).unwrap();
        key(&own_home.join(".ssh/id_ed25519"));
        let pids = [0, 1].map(|at| boot(&world, at, &root, sshd));
        run(Command::new("mount").arg("--bind").arg(&own_home).arg(&root), "").ok();
        let fleet = Fleet { world, hosts: pids };
        for host in HOSTS {
            let log = fleet.directory(host).join("sshd.log");
            let said = || fs::read_to_string(&log).unwrap_or_default();
            wait_until(
                || format!("{host} to answer: {}", said()),
                || fleet.ssh(host, "true").code == 0,
            );
        }
        Ok(fleet)
    }

    /// The directory that a host has been made from.
    fn directory(&self, host: &str) -> PathBuf {
        self.world.path().join(host)
    }

    /// The global registry of a host's project.
    pub fn registry(&self, host: &str) -> PathBuf {
        self.directory(host).join("home/project/.agent-workspace/registry/GLOBAL_REGISTRY.json")
    }

    /// Writes that registry.
    pub fn write_registry(&self, host: &str, registry: &Registry) {
        fs::write(self.registry(host), registry.global()).unwrap();
    }

    /// The home directory on the controller.
    pub fn home(&self) -> PathBuf {
        self.world.path().join("controller")
    }

    /// Runs a recipe on the controller.
    pub fn recipe(&self, recipe: &str) -> Ran {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", recipe]).current_dir(self.home());
        shell.env_clear().env("HOME", self.home());
        run(shell.env("PATH", "/usr/local/bin:/usr/bin:/bin"), "")
    }

    /// Runs a command on a host.
    pub fn ssh(&self, host: &str, command: &str) -> Ran {
        run(self.world.command("ssh").args(["-n", host, command]), "")
    }

    /// The pids, as the host sees them, of the processes of Claude there.
    pub fn claudes(&self, host: &str) -> Vec<i64> {
        let listed = self.ssh(host, "lsclaude").ok().records();
        listed.iter().filter_map(|record| record["pid"].as_i64()).collect()
    }

    /// Starts an agent on a host.
    pub fn agent(&self, host: &str, id: &str) {
        let command = format!("tmux new-session -d -s agent_{id} 'claude --print work; exit'");
        self.grows(host, &command);
    }

    /// Starts a Claude on a host that nothing holds.
    pub fn leak(&self, host: &str) -> i64 {
        self.grows(host, "setsid -f claude --print work >/dev/null 2>&1 </dev/null")
    }

    /// Runs a command on a host, and waits for one more Claude there.
    fn grows(&self, host: &str, command: &str) -> i64 {
        let before = self.claudes(host);
        self.ssh(host, command).ok();
        let mut new = None;
        let what = || format!("a Claude on {host}");
        wait_until(what, || {
            new = self.claudes(host).into_iter().find(|pid| !before.contains(pid));
            new.is_some()
        });
        new.unwrap()
    }

    /// Switches a host off.
    pub fn switch_off(&self, host: &str) {
        let at = HOSTS.iter().position(|&name| name == host).unwrap();
        kill(Pid::from_raw(self.hosts[at]), Signal::SIGKILL).unwrap();
        wait_until(|| format!("{host} to be off"), || self.ssh(host, "true").code != 0);
    }
}

/// Makes a pair of keys without a password.
fn key(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path);
    run(&mut command, "").ok();
}

/// Starts a host, and tells ssh how to reach it. Returns the process whose end switches it off.
fn boot(world: &World, at: usize, root: &Path, sshd: &str) -> i32 {
    let name = HOSTS[at];
    let directory = world.path().join(name);
    for subdirectory in ["home/project/.agent-workspace/registry", "tmp"] {
        fs::create_dir_all(directory.join(subdirectory)).unwrap();
    }
    fs::set_permissions(directory.join("tmp"), Permissions::from_mode(0o1777)).unwrap();
    fs::copy("/proc/sys/kernel/random/uuid", directory.join("boot_id")).unwrap();
    key(&directory.join("host_key"));
    let ssh = world.path().join("controller/.ssh");
    fs::copy(ssh.join("id_ed25519.pub"), directory.join("authorized_keys")).unwrap();
    let address = format!("127.0.0.{}", at + 2);
    let port = TcpListener::bind((address.as_str(), 0)).unwrap().local_addr().unwrap().port();
    let config = format!(
        "ListenAddress {address}:{port}\nHostKey /run/host_key\nPidFile none\n\
         AuthorizedKeysFile /run/authorized_keys\nPermitRootLogin prohibit-password\n\
         PasswordAuthentication no\nUsePAM no\nSetEnv STANDIN_WORLD={}\n",
        root.display()
    );
    fs::write(directory.join("sshd_config"), config).unwrap();
    let append = |file: &str, text: String| {
        let file = ssh.join(file);
        let old = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, old + &text).unwrap();
    };
    let host_key = fs::read_to_string(directory.join("host_key.pub")).unwrap();
    append("known_hosts", format!("{name} {host_key}"));
    append(
        "config",
        format!(
            "Host {name}\nHostName {address}\nPort {port}\nHostKeyAlias {name}\nBatchMode yes\n"
        ),
    );
    let mut command = world.command("sh");
    command.arg("-c").arg(format!("exec \"$@\" 2>'{}/sshd.log'", directory.display())).arg("sh");
    command.args(["unshare", "--uts", "--pid", "--mount", "--fork", "--kill-child"]);
    command.args(["--mount-proc", "sh", "-c", BOOT, "sh", name]);
    command.arg(directory).arg(root).arg(sshd);
    world.spawn(command)
}
