//! Servers that say they are others.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::with_tmux;
use crate::world::{
    AGENTS, Entry, Registry, User, World, alive, privately_with_users, records, run,
};

/// A tmux of the same user, under a name that is not tmux's.
struct Liar<'w> {
    world: &'w World,
    socket: PathBuf,
    /// Its process.
    own: String,
}

impl<'w> Liar<'w> {
    fn start(world: &'w World, socket: impl Into<PathBuf>) -> Liar<'w> {
        let tmux = run(world.command("sh").args(["-c", "command -v tmux"]), "").ok().out;
        fs::copy(tmux.trim(), world.path().join("bin/mux")).unwrap();
        let mut liar = Liar { world, socket: socket.into(), own: String::new() };
        liar.tmux(&["new-session", "-d", "sleep 3600"]);
        liar.own = liar.tmux(&["display-message", "-p", "#{pid}"]).trim().to_owned();
        liar
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = self.world.command(self.world.path().join("bin/mux"));
        tmux.args(["-f", "/dev/null", "-S"]).arg(&self.socket);
        run(tmux.args(arguments), "").ok().out
    }

    /// From now on it lists one quiet session, as the server of this process.
    fn says(&self, server: &str) {
        let own = &self.own;
        let line = format!(
            "{server}\t$0\t1700000000\t1700000000\t0\t\t1\t1700000000\t%0\t{own}\t0\t/dev/pts/99\tquiet\tsh"
        );
        let alias = format!("list-panes=display-message -p \"{line}\" ; list-panes -f 0");
        self.tmux(&["set", "-s", "command-alias[50]", &alias]);
        let said = self.tmux(&["list-panes", "-a"]);
        assert!(said.starts_with(&format!("{server}\t$0\t")), "{said}");
    }
}

#[test]
fn h39_a_server_that_says_the_pid_of_another_is_trouble() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.write_global(&Registry::new([Entry::new(AGENTS[0])]));
        let live = world.agent_session(AGENTS[0], &[]);
        let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
        let server: i64 = server.trim().parse().unwrap();
        let listed = || run(&mut world.tool("lssessions"), "");
        assert_eq!(listed().ok().records()[0]["server_pid"], json!(server));

        // A tmux of the same user, by another name and first in the order of sockets, answers
        // for the other one: it has a session without an agent.
        let liar = Liar::start(&world, world.socket().with_file_name("a"));
        let own = liar.own.clone();
        liar.says(&server.to_string());

        let ran = listed().expect(&[2]);
        let why = format!("it says that it is process {server}, but it is {own}");
        assert!(ran.err.contains(&why), "{}", ran.err);
        // The other one's sessions are there all the same, and nothing is concluded.
        assert_eq!(ran.records()[0]["name"], json!(live.session));
        let others =
            [world.lsagents(), world.lsclaude()].map(|mut lister| run(&mut lister, "").out);
        let judged = world.diff(&(ran.out + &others.concat()), &[]).expect(&[2]);
        assert_eq!(records(&judged.out).len(), 1, "{}", judged.out);

        assert!(alive(live.claude.pid));
    });
}

#[test]
fn a_server_that_is_put_in_the_place_of_another_while_that_is_asked_is_trouble() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.session("work", "sleep 3600");
        let server = world.tmux(&["display-message", "-p", "#{pid}"]).ok().out;
        let server = server.trim();
        let liar = Liar::start(&world, "/tmp/home/alice/liar");
        liar.says(server);
        // Between the look at who listens and tmux's own connection.
        let mut lister = world.tool("lssessions");
        let swap = format!(
            "[ -e '{socket}.old' ] || {{ mv '{socket}' '{socket}.old'; ln -s '{liar}' '{socket}'; }}",
            socket = world.socket().display(),
            liar = liar.socket.display()
        );
        with_tmux(&mut lister, &swap);
        // Only this socket: in its directory the liar would be found by itself.
        let ran = run(lister.arg("-S").arg(world.socket()), "").expect(&[2]);
        assert!(ran.err.contains("it says that it is process"), "{}", ran.err);
        assert_eq!(ran.records().len(), 1, "{}", ran.out);
    });
}

#[test]
fn two_paths_to_one_socket_are_one_server() {
    privately_with_users(|[alice]: [User; 1]| {
        let world = World::of(&alice);
        world.session("work", "sleep 3600");
        let directory = world.socket().parent().unwrap().to_owned();
        let link = directory.join("hard");
        run(world.command("ln").arg(world.socket()).arg(&link), "").ok();
        let soft = world.path().join("soft");
        run(world.command("ln").arg("-s").arg(world.socket()).arg(&soft), "").ok();
        let listed = run(&mut world.tool("lssessions"), "").ok().records();
        assert_eq!(listed.len(), 2, "{listed:?}");
        let mut named = world.tool("lssessions");
        named.arg("-S").arg(&soft).arg("-S").arg(&link).arg("-S").arg(world.socket());
        assert_eq!(run(&mut named, "").ok().records().len(), 2);
    });
}
