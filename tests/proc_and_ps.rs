//! `/proc` and `ps` on one world: what both show must be the same.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::world::{Registry, World, records, run, wait_until};

/// The least number of processes to compare.
const LEAST: usize = 200;

/// The fields of a process record that ps shows too, and how far apart they may be.
/// `lstart` has whole seconds and counts from a boot time that has, too; the memory and the
/// time that a process uses may grow from one scan to the next.
const SHARED: [(&str, Tolerance); 20] = [
    ("pid", Tolerance::None),
    ("ppid", Tolerance::None),
    ("parent_name", Tolerance::None),
    ("ancestors", Tolerance::None),
    ("pgid", Tolerance::None),
    ("sid", Tolerance::None),
    ("uid", Tolerance::None),
    ("user", Tolerance::None),
    ("tty", Tolerance::None),
    ("name", Tolerance::None),
    ("args", Tolerance::Joined),
    ("started", Tolerance::Seconds),
    ("rss_bytes", Tolerance::Bytes),
    ("cpu_seconds", Tolerance::Of(1.0)),
    ("state", Tolerance::State),
    ("orphaned", Tolerance::None),
    ("self", Tolerance::None),
    ("daemon", Tolerance::None),
    ("claude_children", Tolerance::None),
    ("service", Tolerance::None),
];

/// How far apart two values of a field may be.
#[derive(Clone, Copy)]
enum Tolerance {
    None,
    /// Arguments, which ps does not tell apart.
    Joined,
    /// States that change from one moment to the next are alike.
    State,
    /// Times, by two seconds.
    Seconds,
    /// Memory, by a mebibyte.
    Bytes,
    /// Numbers, by this.
    Of(f64),
}

impl Tolerance {
    fn agree(self, one: &Value, other: &Value) -> bool {
        let near = |by: f64| {
            let number = |value: &Value| value.as_f64().expect("a number");
            (number(one) - number(other)).abs() <= by
        };
        match self {
            Tolerance::None => one == other,
            Tolerance::State => {
                let moving = |state: &Value| matches!(state.as_str(), Some("R" | "S" | "D"));
                one == other || moving(one) && moving(other)
            }
            Tolerance::Joined => joined(one) == joined(other),
            Tolerance::Seconds => (second(one) - second(other)).abs() <= 2.0,
            Tolerance::Bytes => near(1024.0 * 1024.0),
            Tolerance::Of(by) => near(by),
        }
    }
}

fn joined(args: &Value) -> String {
    let args = args.as_array().expect("a list").iter().map(|arg| arg.as_str().expect("text"));
    args.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn second(time: &Value) -> f64 {
    let time: jiff::Timestamp = time.as_str().expect("a time").parse().expect("a time");
    time.as_millisecond() as f64 / 1000.0
}

/// Every kind of process that a world knows, and enough of them.
fn inhabit(world: &World) {
    world.write_global(&Registry::default());
    world.agent_session("in-a-pane-1-2", &[]);
    world.live_session("work", world.name(), &[]);
    world.held_by_script();
    world.nohup_to_file();
    world.leaked(&[("STANDIN_CHILDREN", "3")]);
    world.crowd(LEAST, &[]);
}

#[test]
fn both_sources_agree_on_what_both_show() {
    if !cfg!(feature = "proc") {
        return;
    }
    let world = World::new();
    inhabit(&world);
    let scan = |source: &str| {
        let mut lsclaude = world.lsclaude();
        lsclaude.args(["--full", "--proc-source", source]);
        let listed = run(&mut lsclaude, "").ok().records();
        let processes = listed.into_iter().filter(|record| record["type"] == "process");
        processes.map(|p| (p["pid"].as_i64().expect("a pid"), p)).collect::<BTreeMap<_, _>>()
    };
    let (proc, ps) = (scan("proc"), scan("ps"));
    assert!(proc.len() >= LEAST, "{}", proc.len());
    assert_eq!(proc.keys().collect::<Vec<_>>(), ps.keys().collect::<Vec<_>>());
    let mut apart: Vec<String> = Vec::new();
    for (field, tolerance) in SHARED {
        let mut agreeing = 0;
        for (pid, one) in &proc {
            let (one, other) = (&one[field], &ps[pid][field]);
            if tolerance.agree(one, other) {
                agreeing += 1;
            } else {
                apart.push(format!("{pid} {field}: {one} in /proc, {other} by ps"));
            }
        }
        eprintln!("{field:16} {agreeing} of {}", proc.len());
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
    for (pid, process) in &ps {
        for field in ["exe", "namespace", "stdout", "stdout_reader"] {
            assert_eq!(process[field], Value::Null, "{pid} {field}");
        }
    }
}

/// Each name that ps shows in a pane is one of those in `/proc`.
#[test]
fn both_sources_see_the_same_panes() {
    if !cfg!(feature = "proc") {
        return;
    }
    let world = World::new();
    world.agent_session("in-a-pane-1-2", &[]);
    world.session("work", "sleep 3600");
    let seen = |source: &str| {
        let mut lssessions = world.lssessions();
        let ran = run(lssessions.args(["--proc-source", source]), "").ok();
        let sessions = records(&ran.out).into_iter().filter(|record| record["type"] == "session");
        let running = |session: &Value| session["panes"][0]["running"].clone();
        sessions.map(|s| (s["name"].to_string(), running(&s))).collect::<HashMap<_, _>>()
    };
    wait_until(
        || "the panes to be what they will be",
        || !format!("{:?}", seen("proc")).contains("tmux"),
    );
    let (proc, ps) = (seen("proc"), seen("ps"));
    assert_eq!(proc.len(), 2);
    for (name, running) in &proc {
        // An executable may go by another name than the program: `sh` is dash.
        let names = |value: &Value| value.as_array().expect("a list").clone();
        let missing: Vec<Value> =
            names(&ps[name]).into_iter().filter(|n| !names(running).contains(n)).collect();
        assert!(missing.is_empty() && !names(&ps[name]).is_empty(), "{name}: {missing:?}");
    }
}
