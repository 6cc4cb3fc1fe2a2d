//! "It could not be asked" never reads as "there is none".

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use crate::world::{Ran, Sample, World, privately, records, run, skip, stat, through, wait_until};

/// Puts a device, which is no program, over every tmux there is, then runs the rest.
const WITHOUT_TMUX: &str = r#"
PATH=$PATH:/usr/local/bin:/opt/homebrew/bin:/usr/bin:/bin
while tmux=$(command -v tmux); do
    mount --bind /dev/null "$tmux" || exit 99
    IFS=:
    for directory in $PATH; do
        [ -f "$directory/tmux" ] && mount --bind /dev/null "$directory/tmux"
    done
    unset IFS
done
exec "$@"
"#;

const STRANGER: [&str; 6] = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"];

/// A world whose tmux cannot be asked, in several ways.
struct Trouble<'w> {
    world: &'w World,
    sample: Sample,
    /// What agentdiff said while tmux could still be asked: with `-S`, and without.
    findings: [String; 2],
    /// What those listers said that do not ask tmux.
    others: String,
    runs: Vec<Run>,
}

/// A tool to be run in trouble, and what it is fed.
struct Run {
    name: &'static str,
    command: Command,
    input: String,
}

impl<'w> Trouble<'w> {
    fn new(world: &'w World, sample: Sample) -> Trouble<'w> {
        let others = [world.lsagents(), world.lsclaude()];
        let others = others.map(|mut lister| run(&mut lister, "").ok().out).concat();
        let sessions = run(&mut world.tool("lssessions"), "").ok().out;
        let all = world.diff(&(others.clone() + &sessions), &[]).expect(&[1]).out;
        assert_eq!(records(&all).len(), 5, "{all}");
        let findings = [sample.findings.clone(), all];
        Trouble { world, findings, sample, others, runs: Vec::new() }
    }

    /// Plans to run every tool that asks tmux in the trouble of this name.
    fn plan(&mut self, name: &'static str, with: impl Fn(Command) -> Command) {
        let registry = self.world.global_path();
        let mut add = |command, input: String| {
            // Each has a registry of its own: they would wait for each other's lock.
            let own = self.world.path().join(format!("registry-{}", self.runs.len()));
            fs::copy(&registry, &own).unwrap();
            fs::set_permissions(&own, fs::Permissions::from_mode(0o666)).unwrap();
            let input = input.replace(registry.to_str().unwrap(), own.to_str().unwrap());
            self.runs.push(Run { name, command: with(command), input });
        };
        let prune = || {
            let mut prune = self.world.tool("agentprune");
            prune.arg("--yes");
            prune
        };
        let [named, all] = &self.findings;
        add(self.world.lssessions(), String::new());
        for kind in ["zombie_session", "ghost_agent", "leaked_process"] {
            add(prune(), only(named, kind));
        }
        add(self.world.tool("lssessions"), String::new());
        add(prune(), all.clone());
    }

    /// Runs what was planned, all at the same time: a tmux that hangs takes its time.
    fn stops_everything(&mut self) {
        let planned = std::mem::take(&mut self.runs);
        let ran: Vec<(&str, bool, Ran)> = thread::scope(|scope| {
            let start = |Run { name, mut command, input }: Run| {
                scope.spawn(move || (name, input.is_empty(), run(&mut command, &input)))
            };
            let started: Vec<_> = planned.into_iter().map(start).collect();
            started.into_iter().map(|ran| ran.join().unwrap()).collect()
        });
        for (name, is_lister, ran) in ran {
            if is_lister {
                self.is_trouble(name, &ran);
            } else {
                assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{name}: {}", ran.err);
                assert!(ran.err.starts_with("agentprune: "), "{name}: {}", ran.err);
            }
        }
        self.world.assert_untouched(&self.sample, "nothing was done");
        let registry = fs::read(self.world.global_path()).unwrap();
        let copies = fs::read_dir(self.world.path()).unwrap().flatten();
        for copy in copies.filter(|file| file.file_name().to_string_lossy().contains("registry-")) {
            assert!(fs::read(copy.path()).unwrap() == registry, "{copy:?}");
        }
    }

    /// What lssessions said, and what the others make of it.
    fn is_trouble(&self, name: &str, listed: &Ran) {
        assert_eq!(listed.code, 2, "{name}: {listed:?}");
        let end = listed.records().pop().expect("an end");
        assert_eq!((&end["type"], &end["complete"]), (&"end".into(), &false.into()), "{name}");
        assert!(!end["error"].as_str().unwrap().is_empty(), "{name}");
        assert!(listed.err.starts_with("lssessions: "), "{name}: {}", listed.err);
        let judged = self.world.diff(&(self.others.clone() + &listed.out), &[]).expect(&[2]);
        let [end] = &judged.records()[..] else { panic!("{name}: {}", judged.out) };
        assert_eq!((&end["of"], &end["complete"]), (&"findings".into(), &false.into()), "{name}");
        let pruned = self.world.prune(&judged.out, &["--yes"]).expect(&[2]);
        assert!(pruned.err.contains("nothing was done"), "{name}: {}", pruned.err);
    }
}

/// The findings of one kind, or all.
fn only(findings: &str, kind: &str) -> String {
    let is_wanted = |line: &&str| kind.is_empty() || line.contains(&format!("\"kind\":\"{kind}\""));
    findings.lines().filter(is_wanted).map(|line| format!("{line}\n")).collect()
}

#[test]
fn h05_a_server_that_cannot_be_asked_stops_everything() {
    privately(|| {
        let world = World::new();
        let sample = world.sample();
        let mut trouble = Trouble::new(&world, sample);
        trouble.plan("no tmux", |command| {
            through(&["unshare", "--mount", "sh", "-c", WITHOUT_TMUX, "sh"], &command)
        });
        for (name, script) in [
            ("tmux hangs", "exec sleep 60"),
            ("tmux hangs and leaves a child with the pipe", "sleep 60"),
            ("unknown text", "echo 'kein Server'; echo 'kein Server' >&2; exit 1"),
            ("no text", "exit 1"),
            ("unknown success", "echo hello"),
            ("other version", "echo 'protocol version mismatch (client 8, server 7)' >&2; exit 1"),
            ("dying server", "echo 'server exited unexpectedly' >&2; exit 1"),
            ("killed", "kill -9 $$"),
        ] {
            let directory = world.path().join("bin").join(name);
            fs::create_dir(&directory).unwrap();
            let fake = directory.join("tmux");
            fs::write(&fake, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
            trouble.plan(name, |mut command| {
                let path = command.get_envs().find(|(name, _)| *name == "PATH");
                let path = path.and_then(|(_, path)| path?.to_str()).unwrap();
                let path = format!("{}:{path}", directory.display());
                command.env("PATH", path);
                command
            });
        }
        trouble.stops_everything();
        if run(through(&STRANGER, &Command::new("true")).env("PATH", "/usr/bin:/bin"), "").code != 0
        {
            return skip("h05, the part of another user", "setpriv is not permitted");
        }
        // The named server is root's, so the other user may not ask it.
        for path in [world.path(), world.socket()] {
            let mode = if path.is_dir() { 0o755 } else { 0o700 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let listed = run(&mut through(&STRANGER, &world.lssessions()), "");
        trouble.is_trouble("another user's socket", &listed);
        world.assert_untouched(&trouble.sample, "nothing was done");
    });
}

#[test]
fn h07_a_server_without_its_socket_is_trouble_and_not_zero() {
    privately(|| {
        let world = World::new();
        let sample = world.sample();
        let mut trouble = Trouble::new(&world, sample);
        let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
        let server: i32 = server.trim().parse().unwrap();
        fs::remove_file(world.socket()).unwrap();
        trouble.plan("no socket", |command| command);
        trouble.stops_everything();

        let listed = run(&mut world.tool("lssessions"), "").expect(&[2]);
        let advice = format!(
            "tmux server {server} runs, but its socket {} was removed; `kill -USR1 {server}`",
            world.socket().display()
        );
        assert!(listed.err.contains(&advice), "{}", listed.err);
        assert!(!world.socket().exists(), "a lister changes nothing");
        run(world.command("kill").args(["-USR1", &server.to_string()]), "").ok();
        wait_until(|| "the socket", || run(&mut world.tool("lssessions"), "").code == 0);
        assert_eq!(run(&mut world.tool("lssessions"), "").ok().records().len(), 3);
        assert_eq!(stat(server).unwrap().name, "tmux: server");
    });
}
