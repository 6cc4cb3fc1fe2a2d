//! Random worlds. Names, ids, pids and terminals come from pools so small that they
//! meet often; what is rare in life (a filtered scan, a second host) is rare here.

use jiff::SignedDuration;
use model::record::{HOWS, How, Row};
use model::rules::Options;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::common::{self, Scan, at, scan};

/// Scans, and how they are judged.
#[derive(Clone, Debug)]
pub struct World {
    /// At most two of each kind, never two of a kind at the same instant.
    pub scans: Vec<Scan>,
    /// The options of the judgement.
    pub options: Options,
}

/// Sessions in the life of their servers: server, id, age. The last was made before the
/// clock was set back.
const SESSIONS: [(i32, &str, i64); 6] = [
    (801, "$1", 600),
    (801, "$2", 600),
    (801, "$3", 1),
    (802, "$1", 600),
    (803, "$1", 60),
    (803, "$2", -100),
];

/// Processes: pid, start time. One pid was given twice.
const PROCESSES: [(i32, &str); 7] =
    [(11, "100"), (12, "100"), (13, "100"), (14, "100"), (15, "100"), (16, "100"), (11, "900")];

/// Processes of a server that is two, and what else was left by a Claude: pid, role.
const LEFT: [(i32, &str); 4] = [(31, "server"), (32, "server"), (33, "child"), (34, "child")];

const REGISTRIES: [(&str, &str); 3] =
    [("/w/g.json", "global"), ("/w/t.json", "task"), ("/v/g.json", "global")];

const IDS: [&str; 6] = ["a", "a.b", "b", "c", "#x", "é"];

/// Any world.
pub fn worlds() -> impl Strategy<Value = World> {
    let scans = (
        both(agents(&[0, -5, 5]), agents(&[1, -4, 20])),
        both(sessions(&[0, 2, 5]), sessions(&[1, -4, 20])),
        both(processes(&[0, -5, 5]), processes(&[1, -4, 20])),
    )
        .prop_map(|(agents, sessions, processes)| [agents, sessions, processes].concat());
    (scans, options()).prop_map(|(scans, options)| World { scans, options })
}

fn options() -> impl Strategy<Value = Options> {
    let prefix = select(vec!["agent_", "agent_", "agent_", "agent_a"]);
    let despite = select(vec![vec![], vec![], vec![], vec![How::Log], vec![How::Reader, How::Log]]);
    (prefix, rarely(), rarely(), rarely(), rarely(), despite).prop_map(
        |(prefix, outside_tmux, busy, unregistered, ignore_unasked, despite)| Options {
            prefix: prefix.to_owned(),
            min_age: SignedDuration::from_secs(2),
            entry_age: SignedDuration::from_mins(1),
            outside_tmux,
            despite: despite.into_iter().collect(),
            busy,
            unregistered,
            ignore_unasked,
            stale_after: None,
        },
    )
}

fn rarely() -> impl Strategy<Value = bool> + Clone {
    proptest::bool::weighted(0.15)
}

fn both(
    first: impl Strategy<Value = Scan>,
    second: impl Strategy<Value = Scan>,
) -> impl Strategy<Value = Vec<Scan>> {
    let first = proptest::option::weighted(0.93, first);
    let second = proptest::option::weighted(0.2, second);
    (first, second).prop_map(|(first, second)| first.into_iter().chain(second).collect())
}

fn closed(
    of: &'static str,
    taken_at: &[i64],
    incomplete: f64,
    records: impl Strategy<Value = Vec<Value>>,
) -> impl Strategy<Value = Scan> {
    let complete = proptest::bool::weighted(1.0 - incomplete);
    let filtered = proptest::bool::weighted(0.07);
    let host = select([vec!["h"; 19], vec!["other"]].concat());
    let uid = select([vec![1000; 19], vec![0]].concat());
    (select(taken_at.to_vec()), complete, filtered, host, uid, records).prop_map(
        move |(taken_at, complete, filtered, host, uid, records)| {
            let mut scan = scan(of, host, taken_at);
            scan.end["uid"] = json!(uid);
            scan.end["complete"] = json!(complete);
            scan.end["filtered"] = json!(filtered);
            scan.records = records;
            scan
        },
    )
}

fn some(values: Vec<Value>) -> impl Strategy<Value = Value> + Clone {
    select(values)
}

fn agents(taken_at: &[i64]) -> impl Strategy<Value = Scan> {
    let registries: Vec<_> = REGISTRIES.iter().map(|(path, scope)| entries(path, scope)).collect();
    closed("agents", taken_at, 0.07, registries.prop_map(|records| records.concat()))
}

fn entries(path: &'static str, scope: &'static str) -> impl Strategy<Value = Vec<Value>> {
    let entries: Vec<_> =
        IDS.iter().map(|id| proptest::option::weighted(0.4, entry(id, path, scope))).collect();
    let owner = select(vec![1000, 1000, 1000, 0]);
    let stored = select(vec![Some(1), Some(1), Some(9), None]);
    let modes = select(vec![(0o600, 1000), (0o644, 50), (0o660, 50), (0o660, 1000), (0o666, 1000)]);
    let registry =
        (owner, stored, modes, rarely()).prop_map(move |(owner, stored, (mode, gid), unknown)| {
            let mut registry = common::registry(path, scope);
            registry["owner_uid"] = json!(owner);
            registry["mode"] = json!(mode);
            registry["gid"] = json!(gid);
            if unknown {
                registry["device"] = json!(null);
            }
            registry["counters"]["active_agents"]["stored"] = json!(stored);
            registry
        });
    let registry = proptest::option::weighted(0.9, registry);
    proptest::option::weighted(0.9, (registry, entries)).prop_map(|found| {
        let (registry, entries) = found.unwrap_or_default();
        registry.into_iter().chain(entries.into_iter().flatten()).collect()
    })
}

fn entry(
    id: &'static str,
    path: &'static str,
    scope: &'static str,
) -> impl Strategy<Value = Value> {
    let statuses = [json!(null), json!("running"), json!("reviewing"), json!("completed")];
    let own = json!(format!("agent_{id}"));
    let names = [
        own.clone(),
        own.clone(),
        own,
        json!(null),
        json!("agent_a"),
        json!("agent_$x"),
        json!(r"a\b:$1"),
        json!("agent_#{pid}"),
    ];
    (some(statuses.into()), some(names.into()), written(), written()).prop_map(
        move |(status, name, started, updated)| {
            let mut agent = common::agent(id);
            agent["started"] = started;
            agent["updated"] = updated;
            agent["status"] = status;
            agent["tmux_session"] = name;
            agent["scope"] = json!(scope);
            agent["registry"] = json!(path);
            agent
        },
    )
}

/// A time of an entry: none, long ago, just now, or after every scan.
pub fn written() -> impl Strategy<Value = Value> + Clone {
    let times = [-6000, -6000, -600, -600, -66, -55, -40, 0, 600].map(|age| json!(at(age)));
    some([vec![json!(null); 3], times.to_vec()].concat())
}

fn sessions(taken_at: &[i64]) -> impl Strategy<Value = Scan> {
    let records: Vec<_> = SESSIONS
        .iter()
        .map(|(server, id, age)| proptest::option::weighted(0.4, session(*server, id, *age)))
        .collect();
    let records = records.prop_map(|records| records.into_iter().flatten().collect());
    let unasked = proptest::collection::vec(unasked(), 0..2);
    let servers = some(vec![json!("all"), json!("all"), json!("named")]);
    let hidden = proptest::bool::weighted(0.05);
    (closed("sessions", taken_at, 0.015, records), unasked, servers, hidden).prop_map(
        |(mut scan, unasked, servers, hidden)| {
            let pids: Vec<Value> = scan.records.iter().map(|s| s["server_pid"].clone()).collect();
            scan.end["unasked"] = json!(unasked);
            scan.end["servers"] = servers;
            scan.end["hides_others"] = json!(hidden);
            scan.end["server_pids"] = json!(pids);
            scan
        },
    )
}

/// A server that was not asked: of a few pids, one of them also above processes.
pub fn unasked() -> impl Strategy<Value = Value> {
    let uids = some(vec![json!(1001), json!(1001), json!(0), json!(1000), json!(null)]);
    let groups = some(vec![json!([1001]), json!([1001, 50]), json!(null)]);
    let mounts = some(vec![
        json!("same"),
        json!("same"),
        json!(null),
        json!([{"device": "8:1", "root": "/"}]),
        json!([{"device": "8:1", "root": "/w"}, {"device": "8:2", "root": "/"}]),
        json!([{"device": "8:1", "root": "/w/g.jso"}]),
        json!([{"device": "8:1", "root": "/w/t.json", "idmapped": true}]),
    ]);
    (select(vec![812, 804, 899]), uids, groups, mounts).prop_map(|(pid, uid, groups, mounts)| {
        let mut server = common::unasked(pid);
        server["uid"] = uid;
        server["groups"] = groups;
        server["mounts"] = mounts;
        server
    })
}

/// A session of this identity.
pub fn session(server: i32, id: &'static str, age: i64) -> impl Strategy<Value = Value> {
    let names = vec![
        "agent_a",
        "agent_a",
        "agent_a_b",
        "agent_b",
        "agent_c",
        "agent_c y",
        "agent_é",
        r"agent_\$x",
        "agent_$x",
        r"a\\b_$1",
        "work",
    ];
    let agents = [json!(null), json!(null), json!("a"), json!("b"), json!("c"), json!("#x")];
    let attached = select(vec![0, 0, 0, 0, 0, 1]);
    let panes = proptest::collection::vec(pane(), 1..3);
    // Ten minutes before the instants at which most scans are taken, and other times.
    let active = select(vec![-1200, -605, -600, -599, -60, -60, 30]);
    (select(names), some(agents.into()), attached, active, panes).prop_map(
        move |(name, agent, attached, active, panes)| {
            let mut session = common::session(id, name, panes);
            session["activity"] = json!(at(active));
            session["agent"] = agent;
            session["attached"] = json!(attached);
            session["server_pid"] = json!(server);
            session["uid"] = json!(if server == 803 { 0 } else { 1000 });
            session["created"] = json!(at(-age));
            session
        },
    )
}

/// A pane of any session.
pub fn pane() -> impl Strategy<Value = Value> {
    let running: [&[&str]; 6] =
        [&["bash"], &["sh", "sleep"], &["tee", "cat"], &["less"], &["bash", "node"], &["ssh"]];
    let running = select(running.map(|names| names.to_vec()).to_vec());
    let ids = select(vec!["%1", "%2", "%3", "%4"]);
    let pids = select(vec![21, 22, 23, 24, 25, 11, 12]);
    let ttys = select(vec!["pts/1", "pts/2", "pts/3", "pts/4"]);
    let shells = proptest::option::weighted(0.2, proptest::collection::vec(shell(), 0..3));
    let adopted = proptest::option::weighted(0.15, adopted());
    (ids, pids, ttys, running, rarely(), shells, adopted).prop_map(
        |(id, pid, tty, running, dead, shells, adopted)| {
            let mut pane = common::pane(id, pid, tty, if dead { &[] } else { &running });
            if let Some(shells) = shells {
                pane["shells"] = json!(shells);
            }
            if let Some(adopted) = adopted.filter(|_| !dead) {
                let names = pane["running"].as_array_mut().unwrap();
                names.extend(adopted["names"].as_array().unwrap().iter().cloned());
                if adopted["names"][0] == "sh" {
                    let mut shell = common::shell(0, "sh", "work", &["node"]);
                    shell["pid"] = adopted["pid"].clone();
                    pane["shells"].as_array_mut().unwrap().push(shell);
                }
                pane["adopted"] = json!([adopted]);
            }
            pane["dead"] = json!(dead);
            pane
        },
    )
}

/// A process on the terminal of a pane that is not below its process: of a server, or another.
fn adopted() -> impl Strategy<Value = Value> {
    let names: [&[&str]; 3] = [&["node"], &["sh"], &["python3", "uvx"]];
    let names = select(names.map(<[&str]>::to_vec).to_vec());
    (select(vec![31, 31, 32, 35]), select(vec!["4711", "4711", "1"]), names).prop_map(
        |(pid, start_time, names)| json!({"pid": pid, "start_time": start_time, "names": names}),
    )
}

/// A shell of any pane.
pub fn shell() -> impl Strategy<Value = Value> {
    let states = some(vec![json!("prompt"), json!("waits"), json!("work"), json!(null)]);
    let children: [&[&str]; 5] =
        [&[], &["tee"], &["busybox", "cat"], &["sleep"], &["sleep", "tee"]];
    (states, select(children.map(<[&str]>::to_vec).to_vec())).prop_map(|(state, children)| {
        let mut shell = common::shell(31, "bash", "prompt", &children);
        shell["state"] = state;
        shell
    })
}

fn processes(taken_at: &[i64]) -> impl Strategy<Value = Scan> {
    let records: Vec<_> = PROCESSES
        .iter()
        .map(|(pid, start)| proptest::option::weighted(0.4, process(*pid, start)))
        .collect();
    let left: Vec<_> =
        LEFT.iter().map(|(pid, role)| proptest::option::weighted(0.4, left(*pid, role))).collect();
    // One scan sees a pid once.
    let records = (records, left).prop_map(|(records, left)| {
        let mut seen: Vec<Value> = Vec::new();
        for record in records.into_iter().chain(left).flatten() {
            if !seen.iter().any(|other| other["pid"] == record["pid"]) {
                seen.push(record);
            }
        }
        seen
    });
    closed("processes", taken_at, 0.07, records)
}

fn process(pid: i32, start_time: &'static str) -> impl Strategy<Value = Value> {
    let ancestors: [&[i32]; 7] =
        [&[1], &[1], &[1], &[801, 1], &[21, 801, 1], &[12, 22, 801, 1], &[812, 1]];
    let ancestors = select(ancestors.map(<[i32]>::to_vec).to_vec());
    let started = select(vec![-600, -600, -600, -600, 0, 3, 40]);
    let uid = select(vec![1000, 1000, 1000, 0]);
    let state = select(vec!["S", "S", "S", "R", "D", "S", "Z", "X"]);
    let changes = proptest::collection::vec(holder(), 0..3);
    (ancestors, started, uid, state, origin(), changes, shown_by(), session_file()).prop_map(
        move |(ancestors, started, uid, state, tmux, changes, shown, file)| {
            let mut process = common::process(pid);
            process["session_file"] = file;
            process["ppid"] = json!(ancestors[0]);
            process["ancestors"] = json!(ancestors);
            process["start_time"] = json!(start_time);
            process["started"] = json!(at(started));
            process["uid"] = json!(uid);
            process["state"] = json!(state);
            process["tmux"] = tmux;
            for (field, value) in changes {
                process[field] = value;
            }
            if let Some(args) = shown {
                common::seen_by_ps(&mut process);
                process["args"] = args;
            }
            process
        },
    )
}

/// What a Claude has left, of this role: below pid 1, the server's top, or a child.
fn left(pid: i32, role: &'static str) -> impl Strategy<Value = Value> {
    let ancestors: &[&[i32]] = match pid {
        31 => &[&[1], &[1], &[801, 1]],
        32 => &[&[31, 1], &[31, 1], &[1]],
        _ => &[&[1], &[1], &[31, 1], &[32, 31, 1], &[34, 1]],
    };
    let ancestors = select(ancestors.iter().map(|pids| pids.to_vec()).collect::<Vec<_>>());
    let started = select(vec![-600, -600, -600, -600, 0, 3, 40]);
    let uid = select(vec![1000, 1000, 1000, 0]);
    let state = select(vec!["S", "S", "S", "S", "D", "Z"]);
    let changes =
        (proptest::collection::vec(holder(), 0..2), proptest::collection::vec(of_server(), 0..2));
    (ancestors, started, uid, state, environment(), session_file(), changes).prop_map(
        move |(ancestors, started, uid, state, claude, file, (changes, of_server))| {
            let mut process = match role {
                "server" => common::server(pid, &[31, 32]),
                _ => common::child(pid, "s"),
            };
            process["ppid"] = json!(ancestors[0]);
            process["orphaned"] = json!(ancestors.len() == 1);
            process["ancestors"] = json!(ancestors);
            process["started"] = json!(at(started));
            process["uid"] = json!(uid);
            process["state"] = json!(state);
            process["claude"] = claude;
            process["session_file"] = file;
            for (field, value) in changes {
                process[field] = value;
            }
            if role == "server" {
                for (field, value) in of_server {
                    process["server"][field] = value;
                }
            }
            process
        },
    )
}

/// What the environment of a process says of the Claude that started it.
pub fn environment() -> impl Strategy<Value = Value> + Clone {
    let of = |session: Value, pid: Value| {
        let mut environment = common::environment("s");
        (environment["session"], environment["pid"]) = (session, pid);
        environment
    };
    some(vec![
        json!(null),
        of(json!("s"), json!(null)),
        of(json!("s"), json!(null)),
        of(json!("t"), json!(null)),
        of(json!("s"), json!(11)),
        of(json!("s"), json!(99)),
        of(json!(null), json!(null)),
    ])
}

/// A session file, or none.
pub fn session_file() -> impl Strategy<Value = Value> + Clone {
    let file = common::session_file;
    some(vec![
        json!(null),
        json!(null),
        json!(null),
        file("s", true),
        file("s", false),
        file("t", true),
    ])
}

/// A field of what is known of a server, and a value that says that it must be left alone.
pub fn of_server() -> impl Strategy<Value = (&'static str, Value)> {
    let below = |row: Row| {
        let mut holder = common::holder(row.word, json!("x"));
        holder["of"] = json!(33);
        ("below", json!([holder]))
    };
    let unread = |row: Row| ("below_unread", json!([row.word]));
    let plain = vec![
        ("abandoned", json!(false)),
        ("abandoned", json!(false)),
        ("abandoned", json!(null)),
        ("listening", json!([31])),
        ("listening", json!([33])),
        ("listening", json!(null)),
        ("claude", json!([11])),
        ("tmux", json!([801])),
        ("chain", json!([30])),
        ("top", json!(30)),
    ];
    let some = plain.into_iter().chain(HOWS.map(below)).chain(HOWS.map(unread));
    select(some.collect::<Vec<_>>())
}

/// The arguments of a process that ps showed; None: it was seen in /proc.
fn shown_by() -> impl Strategy<Value = Option<Value>> + Clone {
    let args = [
        json!(["claude", "-p", "x"]),
        json!(["claude", "--output-format=stream-json"]),
        json!(["claude"]),
        json!(["claude", "--", "--print"]),
        json!(["-p"]),
        json!([]),
    ];
    proptest::option::weighted(0.3, some(args.into()))
}

fn origin() -> impl Strategy<Value = Value> + Clone {
    let pane = |server: i32, pane: Value| json!({"server_pid": server, "pane": pane});
    some(vec![
        json!(null),
        json!(null),
        json!(null),
        json!(null),
        pane(801, json!(null)),
        pane(801, json!("%1")),
        pane(801, json!("%9")),
        pane(802, json!("%2")),
        pane(803, json!("%3")),
        pane(804, json!("%1")),
    ])
}

/// A field of a process that may hold it, and a value. Some do not hold alone, some only as ps
/// shows them.
pub fn holder() -> impl Strategy<Value = (&'static str, Value)> {
    let plain = vec![
        ("orphaned", json!(false)),
        ("tty", json!("pts/1")),
        ("tty", json!("pts/2")),
        ("tty", json!("pts/9")),
        ("service", json!("a.service")),
        ("claude_children", json!(2)),
        ("daemon", json!(true)),
        ("self", json!(true)),
        ("examined", json!(false)),
        ("tmux", json!({"server_pid": 801, "pane": "%1"})),
    ];
    let above = [
        json!({"pid": 899, "tty": null, "tmux": {"server_pid": 801, "pane": "%1"}}),
        json!({"pid": 899, "tty": null, "tmux": {"server_pid": 804, "pane": null}}),
        json!({"pid": 899, "tty": "pts/1", "tmux": null}),
        json!({"pid": 899, "tty": "pts/9", "tmux": {"server_pid": 801, "pane": "%9"}}),
    ];
    let plain = plain.into_iter().chain(above.map(|above| ("above", json!([above]))));
    let held = |row: Row| ("holders", json!([common::holder(row.word, json!("x"))]));
    let unread = |row: Row| ("unread", json!([row.word]));
    let all = plain.chain(HOWS.map(held)).chain(HOWS.map(unread));
    select(all.collect::<Vec<_>>())
}
