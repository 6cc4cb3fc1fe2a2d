//! Names: what tmux makes of them, and that only the very one is meant.

use model::parse::tmux::{name_key, wanted_key};
use serde_json::Value;

use crate::world::{Entry, Registry, World, alive, living, of_kind, run, wait_until};

/// Names that somebody, or something, once gave a session.
const ODD: [&str; 44] = [
    "agent_x y",
    "agent_x-10",
    "agent_xy",
    "agent_x_",
    " agent_x",
    "agent_x ",
    "agent_X",
    "=agent_x",
    "agent_=x",
    "agent_a:b",
    "agent_v1.2.3",
    "agent_:",
    ".",
    "-x",
    "--",
    "-agent_x",
    "$0",
    "$agent",
    "agent_$x",
    "agent_$1",
    "agent_${x}",
    "agent_$",
    "agent_$$a",
    "@1",
    "%1",
    "+",
    "{last}",
    "agent_*",
    "agent_[x]",
    "agent_?",
    r"agent_\x",
    r"agent_\\",
    r"agent_\$x",
    r"agent_\033",
    "agent_a\tb",
    "agent_a\nb",
    "agent_\u{1b}[31m",
    "agent_\u{7f}\u{85}",
    "agent_é",
    "agent_e\u{301}",
    "agent_日本",
    "agent_\u{1f469}\u{200d}\u{1f680}\u{1fae9}",
    "agent_\u{202e}x\u{feff}",
    "agent_100% %H:%M '\"`!~|&;x",
];

/// Characters to make names of, those that mean something to somebody among them.
const ALPHABET: [char; 34] = [
    'a',
    'x',
    'Z',
    '0',
    '7',
    '_',
    '-',
    ' ',
    '.',
    ':',
    '=',
    '$',
    '{',
    '}',
    '\\',
    '/',
    '%',
    '@',
    '*',
    '[',
    '\'',
    '"',
    '`',
    '~',
    '!',
    '\t',
    '\n',
    '\u{1}',
    '\u{7f}',
    '\u{9b}',
    'é',
    '本',
    '\u{1f600}',
    '\u{e000}',
];

/// Any names will do, as long as they are the same every time.
fn random_names(count: usize) -> Vec<String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let mut name = || {
        let length = 1 + next(8);
        (0..length).map(|_| ALPHABET[next(ALPHABET.len())]).collect()
    };
    (0..count).map(|_| name()).collect()
}

/// Starts a session by a name; returns its id. None when there is one of this name.
fn start(world: &World, locale: &str, name: &str, command: &str) -> Option<String> {
    let arguments = ["new-session", "-d", "-P", "-F", "#{session_id}", "-s", name, command];
    let mut tmux = world.tmux_command(&arguments);
    let ran = run(tmux.env_remove("LANG").env("LC_ALL", locale), "");
    if ran.code != 0 {
        assert!(ran.err.starts_with("duplicate session: "), "{name:?}: {}", ran.err);
        return None;
    }
    Some(ran.out.trim().to_owned())
}

/// What lssessions, in the C locale, says that the sessions are called, by their ids.
fn listed(world: &World) -> Vec<Value> {
    let mut lister = world.lssessions();
    lister.env_remove("LANG").env("LC_ALL", "C");
    run(&mut lister, "").ok().records()
}

fn has_name(listed: &[Value], id: &str, wanted: &str) -> bool {
    let session = listed.iter().find(|session| session["id"] == id).expect("the session");
    let name = session["name"].as_str().expect("its name");
    wanted_key(wanted).expect("a name that tmux leaves alone") == name_key(name)
}

/// The scan and the judgement of a cron job: in the C locale.
fn findings(world: &World, min_age: &str) -> String {
    let scan = [world.lsagents(), world.lssessions(), world.lsclaude()].map(|mut lister| {
        lister.env_remove("LANG").env("LC_ALL", "C");
        run(&mut lister, "").ok().out
    });
    world.diff(&scan.concat(), &["--min-age", min_age]).expect(&[0, 1]).out
}

#[test]
fn h10_only_the_exact_name_is_meant() {
    for locale in ["C.UTF-8", "C"] {
        names_are_what_tmux_makes_of_them(locale);
    }
    only_the_exact_session_goes();
    a_session_that_goes_by_itself_takes_nobody_along();
}

/// A session for each odd name, with an agent at work, and none of the agents is a ghost.
fn names_are_what_tmux_makes_of_them(locale: &str) {
    let world = World::new();
    let mut entries = Vec::new();
    let mut started = Vec::new();
    for name in ODD.into_iter().map(str::to_owned).chain(random_names(60)) {
        if let Some(id) = start(&world, locale, &name, world.name()) {
            started.push((id, name.clone()));
        }
        // Of two names for the same session, both are that session's.
        let entry = Entry::new(&format!("n{}", entries.len()));
        entries.push(entry.set("tmux_session", name.as_str()));
    }
    assert!(started.len() > 90, "{}", started.len());
    let listed = listed(&world);
    for (id, name) in &started {
        assert!(has_name(&listed, id, name), "{name:?} in {listed:?}");
    }
    // What tmux expands nobody can tell: not judged, and said so.
    start(&world, locale, "agent_#{pid}", world.name()).expect("a session");
    entries.push(Entry::new("expanded").set("tmux_session", "agent_#{pid}"));
    entries.push(Entry::new("gone").set("tmux_session", "agent_#{version}"));
    world.write_global(&Registry::new(entries));
    let count = started.len() + 1;
    wait_until(
        || "all agents at work",
        || run(&mut world.lsclaude(), "").ok().records().len() == count + 1,
    );
    let findings = findings(&world, "0s");
    for kind in ["ghost_agent", "zombie_session", "busy_session", "leaked_process"] {
        assert_eq!(of_kind(&findings, kind), [] as [Value; 0], "{locale}");
    }
    world.prune(&findings, &["--yes"]).ok();
    assert_eq!(world.session_names().len(), count);
}

/// Zombies among the living, with names that tmux itself would take for others'.
fn only_the_exact_session_goes() {
    let world = World::new();
    let live = ["x y", "x-10", "x_", "X", "xy", "é ", "$x y", "=x"];
    let zombies = ["x", "é", "$x", "日本", "v1.2", "-", "\u{1f600}", r"a\b"];
    let live = live.map(|id| living(world.agent_session(id, &[]).claude.pid).expect("an agent"));
    let panes = zombies.map(|id| {
        let name = format!("agent_{id}");
        world.session(&name, "sleep 3600")
    });
    // `x.` is `x_` to tmux, and that one lives.
    let entries = ["x y", "x-10", "x_", "x.", "X", "xy", "é ", "$x y", "=x"];
    let entries = entries.iter().chain(&zombies).map(|id| Entry::new(id));
    world.write_global(&Registry::new(entries));
    let mut seen = String::new();
    wait_until(
        || "the zombies",
        || {
            seen = findings(&world, "0s");
            of_kind(&seen, "zombie_session").len() == zombies.len()
        },
    );
    assert_eq!(of_kind(&seen, "ghost_agent").len(), zombies.len(), "{seen}");

    // First the one alone that is the beginning of others.
    let is_x = |line: &&str| line.contains("\"target\":\"session agent_x\"");
    let only_x: String = seen.lines().filter(is_x).collect();
    let mut prune = world.tool("agentprune");
    prune.env_remove("LANG").env("LC_ALL", "C").arg("--yes");
    run(&mut prune, &only_x).ok();
    wait_until(|| "the end of agent_x", || !alive(panes[0]));
    assert!(panes[1..].iter().all(|&pid| alive(pid)));
    assert_eq!(world.session_names().len(), live.len() + zombies.len() - 1);

    let pruned = run(&mut prune, &seen).ok();
    assert_eq!(pruned.out.matches("\"result\":\"done\"").count(), 2 * zombies.len() - 1);
    assert_eq!(pruned.out.matches("\"result\":\"gone\"").count(), 1);
    wait_until(|| "the end of the zombies", || !panes.iter().any(|&pid| alive(pid)));
    assert_eq!(world.session_names().len(), live.len());
    assert!(live.iter().all(|agent| living(agent.0) == Some(*agent)));
    let entries = run(&mut world.lsagents(), "").ok().records();
    let ids: Vec<_> = entries.iter().filter_map(|entry| entry["id"].as_str()).collect();
    assert_eq!(ids, ["x y", "x-10", "x_", "x.", "X", "xy", "é ", "$x y", "=x"]);
}

/// For tmux, `-t agent_x` is `agent_x y` once there is no `agent_x` any more.
fn a_session_that_goes_by_itself_takes_nobody_along() {
    let world = World::new();
    world.write_global(&Registry::new([Entry::new("x")]));
    // Of two, tmux would rather take none.
    let live = living(world.agent_session("x y", &[]).claude.pid).expect("an agent");
    let pane = world.session("agent_x", "sleep 3600");
    let mut seen = String::new();
    wait_until(
        || "the zombie",
        || {
            seen = findings(&world, "0s");
            of_kind(&seen, "zombie_session").len() == 1
        },
    );
    let ran = world.prune_while(&seen, "kill-session -t =agent_x").ok();
    assert!(ran.out.contains("\"target\":\"session agent_x\""), "{}", ran.out);
    wait_until(|| "its end", || !alive(pane));
    assert_eq!(world.session_names(), ["agent_x y"]);
    assert_eq!(living(live.0), Some(live));
}
