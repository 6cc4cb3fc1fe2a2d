//! How the time of the judgement grows with what is judged.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use model::record::Text;
use model::record::{
    Agent, Counter, DefaultRule, End, Format, Holder, How, Machine, Names, Namespace, Of, Pane,
    ProcSource, Process, Record, Registry, RegistryFile, Role, Scope, Servers, Session, Shell,
    ShellState, Stdout, TmuxOrigin,
};

use super::race::{Times, race, seconds, time};
use super::scale::Scale;
use super::table::{Row, Target};
use super::world::World;

/// How many agents there are to a session.
const AGENTS: usize = 100;

/// How many Claude processes there are in a session.
const PROCESSES: usize = 10;

const REGISTRY: &str = "/home/somebody/project/.agent-workspace/registry/GLOBAL_REGISTRY.json";
const UID: u32 = 1000;
const SERVER: i32 = 2;

/// See the [module](self).
pub fn growth(scale: Scale) -> Vec<Row> {
    let world = World::new();
    let sizes = [10_000, 100_000, 1_000_000].map(|size| scale.of(size, size / 100));
    let [small, middle, large] = sizes.map(|agents| {
        let path = world.path().join(format!("{agents}.records"));
        write(&path, agents).expect("a file of the world");
        path
    });
    let turn = |records: &Path| {
        let mut agentdiff = world.tool("agentdiff");
        time(agentdiff.arg(records), 1)
    };
    assert_eq!(ghosts(&world, &small), sizes[0] - sizes[0] / AGENTS);
    let times =
        race(scale.of(5, 2), [&mut || turn(&small), &mut || turn(&middle), &mut || turn(&large)]);
    let [.., large] = &times;
    let work = |agents: usize| {
        let sessions = agents / AGENTS;
        format!(
            "agentdiff, {agents} agents, {sessions} sessions, {} processes",
            sessions * PROCESSES
        )
    };
    let each = |times: &Times, agents: usize| times.median() / agents as f64;
    let growth = |at: usize| {
        let (before, after) = (each(&times[at - 1], sizes[at - 1]), each(&times[at], sizes[at]));
        let work = format!("{}, per agent", work(sizes[at]));
        let other = format!("with {} agents", sizes[at - 1]);
        let nanoseconds = |seconds: f64| format!("{:.0} ns", seconds * 1e9);
        let (ours, theirs) = (nanoseconds(after), nanoseconds(before));
        Row::new(&work, ours, &other, theirs, after / before, Target::Within(1.2))
    };
    let share = large.median() / 3.0;
    vec![
        Row::new(
            &work(sizes[2]),
            large.to_string(),
            "limit",
            seconds(3.0),
            share,
            Target::Within(1.0),
        ),
        growth(1),
        growth(2),
    ]
}

fn ghosts(world: &World, records: &Path) -> usize {
    let mut agentdiff = world.tool("agentdiff");
    let ran = super::world::run(agentdiff.arg(records), "").expect(&[1]);
    ran.out.lines().filter(|line| line.contains("\"kind\":\"ghost_agent\"")).count()
}

/// Writes a scan of so many agents. One in a hundred has a session, with Claude in it.
fn write(path: &Path, agents: usize) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut line = |record: &Record<'_>| -> std::io::Result<()> {
        serde_json::to_writer(&mut out, record)?;
        out.write_all(b"\n")
    };
    let taken_at = Timestamp::from_second(1_760_000_000).expect("a time");
    let sessions = agents / AGENTS;
    for number in 0..agents {
        line(&Record::Agent(&agent(number, taken_at)))?;
    }
    line(&Record::Registry(&registry(agents)))?;
    line(&Record::End(&end(Of::Agents, agents + 1, taken_at)))?;
    for number in 0..sessions {
        line(&Record::Session(&session(number, taken_at)))?;
    }
    line(&Record::End(&end(Of::Sessions, sessions, taken_at)))?;
    for number in 0..sessions * PROCESSES {
        line(&Record::Process(&process(number, sessions, taken_at)))?;
    }
    line(&Record::End(&end(Of::Processes, sessions * PROCESSES, taken_at)))?;
    out.flush()
}

fn id(number: usize) -> String {
    format!("worker-{number:07}")
}

fn agent(number: usize, taken_at: Timestamp) -> Agent<'static> {
    let text = |text: &'static str| Some(Text::from(text));
    Agent {
        scan: "agents".into(),
        id: id(number).into(),
        agent_type: text("worker"),
        task_id: text("TASK-20251029-232447-3bf85ff8"),
        parent: text("orchestrator"),
        status: text("working"),
        tmux_session: Some(format!("agent_{}", id(number)).into()),
        started_at: text("2025-10-09T07:53:20.104729"),
        last_update: text("2025-10-09T07:53:20.104729"),
        completed_at: None,
        started: Some(taken_at - SignedDuration::from_hours(1)),
        updated: Some(taken_at - SignedDuration::from_hours(1)),
        active: true,
        progress_bytes: None,
        format: Format::Json,
        scope: Scope::Global,
        registry: REGISTRY.into(),
    }
}

fn registry(agents: usize) -> Registry {
    let counter = Counter { stored: Some(agents as i64), computed: agents as i64 };
    Registry {
        scan: "agents".to_owned(),
        path: REGISTRY.to_owned(),
        format: Format::Json,
        scope: Scope::Global,
        file: RegistryFile {
            owner_uid: UID,
            gid: UID,
            mode: 0o600,
            device: None,
            device_path: None,
        },
        agents: agents as u64,
        counters: ["total_agents_spawned", "active_agents"]
            .map(|name| (name.to_owned(), counter))
            .into(),
    }
}

/// The process in the pane of a session.
fn pane_pid(session: usize) -> i32 {
    10 + session as i32
}

fn session(number: usize, taken_at: Timestamp) -> Session {
    // Spread over the agents.
    let agent = id(number * AGENTS);
    let pane = Pane {
        id: format!("%{number}"),
        pid: pane_pid(number),
        tty: format!("pts/{number}"),
        dead: false,
        start_command: format!("claude -p x | tee logs/{agent}_stream.jsonl"),
        running: ["claude", "sh", "tee"].map(str::to_owned).into(),
        below: ["claude", "sh", "tee"].map(str::to_owned).into(),
        adopted: Vec::new(),
        shells: vec![Shell {
            pid: pane_pid(number),
            name: "sh".to_owned(),
            state: Some(ShellState::Work),
            children: ["claude", "tee"].map(str::to_owned).into(),
        }],
    };
    Session {
        scan: "sessions".to_owned(),
        name: format!("agent_{agent}"),
        id: format!("${number}"),
        uid: UID,
        socket: "/tmp/tmux-1000/default".to_owned(),
        server_pid: SERVER,
        created: taken_at - SignedDuration::from_hours(1),
        activity: taken_at,
        attached: 0,
        windows: 1,
        agent: Some(agent),
        panes: vec![pane],
    }
}

fn process(number: usize, sessions: usize, taken_at: Timestamp) -> Process {
    let session = number % sessions;
    let pane = pane_pid(session);
    Process {
        scan: "processes".to_owned(),
        role: Role::Claude,
        source: ProcSource::Proc,
        pid: pane_pid(sessions + number),
        ppid: pane,
        parent_name: Some("sh".to_owned()),
        ancestors: vec![pane, SERVER, 1],
        pgid: pane,
        sid: Some(pane),
        uid: UID,
        user: Some("somebody".to_owned()),
        tty: Some(format!("pts/{session}")),
        name: "claude".to_owned(),
        exe: Some("/usr/local/bin/claude".to_owned()),
        args: ["claude", "--print", "read claude.md"].map(str::to_owned).into(),
        start_time: format!("{}", 1_000_000 + number),
        started: taken_at - SignedDuration::from_hours(1),
        rss_bytes: 200 << 20,
        cpu_seconds: 12.5,
        state: "S".to_owned(),
        orphaned: false,
        is_self: false,
        daemon: false,
        claude_children: 0,
        tmux: Some(TmuxOrigin { server_pid: SERVER, pane: Some(format!("%{session}")) }),
        service: None,
        namespace: Some(Namespace::Own),
        stdout: Some(Stdout::Pipe),
        holders: vec![Holder::thing(How::Terminal, format!("pts/{session}"))],
        unread: Vec::new(),
        examined: false,
        above: Vec::new(),
        cwd: Some("/work".to_owned()),
        claude: None,
        session_file: None,
        server: None,
    }
}

fn end(of: Of, count: usize, taken_at: Timestamp) -> End {
    let machine = Machine {
        host: "somewhere".to_owned(),
        boot_id: "5c1a9b52-8c1f-4f0e-9d55-1f1c3c1d6f00".to_owned(),
        pid_ns: "4026531836".to_owned(),
    };
    let scan = match of {
        Of::Agents => "agents",
        Of::Sessions => "sessions",
        Of::Processes | Of::Findings => "processes",
    };
    let mut end = End::new(scan.to_owned(), of, &machine, UID, taken_at);
    end.count = count as u64;
    match of {
        Of::Sessions => {
            end.servers = Some(Servers::All);
            end.sockets = Some(vec!["/tmp/tmux-1000/default".to_owned()]);
            end.server_pids = Some(vec![SERVER]);
            end.unasked = Some(Vec::new());
            end.proc_source = Some(ProcSource::Proc);
        }
        Of::Processes => {
            end.names = Some(Names::Rule(DefaultRule::Default));
            end.proc_source = Some(ProcSource::Proc);
        }
        Of::Agents | Of::Findings => {}
    }
    end
}
