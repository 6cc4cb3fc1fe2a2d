//! The demo: the cleanup guide's case, built in a private world, cleaned up by the real
//! tools, and measured before and after.
//!
//! Nothing but this world is touched: the tools are told its workspace, its tmux socket
//! and the name that counts as Claude in it. Afterwards it is removed.

mod world;

use std::process::ExitCode;
use std::time::Duration;

use itertools::Itertools;
use serde_json::Value;

use world::{GuideCase, Live, Ran, World, alive, records, run, stat, wait_until};

/// How many of a list of ghosts are shown.
const LIST: usize = 4;

fn main() -> ExitCode {
    println!("Building a private world like the cleanup guide's case ...");
    let world = World::new();
    let case = world.guide_case();
    introduce(&world);
    let mut checks = act(&world, &case, [Counts::BEFORE, Counts::AFTER], Shown::Whole);
    checks.extend(end(world));

    println!("\nThe same case as the orchestrator keeps it since January 2026: in a database ...");
    let world = World::new();
    let case = world.guide_case();
    world.move_to_database(&case);
    println!("\n  database     {}", world.database().display());
    let promised = [Counts::IN_DATABASE_BEFORE, Counts::IN_DATABASE_AFTER];
    checks.extend(act(&world, &case, promised, Shown::Result));
    checks.extend(end(world));
    report(&checks)
}

/// How much of what the scripts say is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// All but most ghosts.
    Whole,
    /// The checks of one script, the summary of the other.
    Result,
}

/// What is to hold, and whether it does.
type Check = (String, bool);

/// Verifies, cleans up and verifies again.
fn act(world: &World, case: &GuideCase, promised: [Counts; 2], shown: Shown) -> Vec<Check> {
    wait_until(|| "everything to be old enough to judge", || is_settled(world));
    let identities = Identities::of(case);
    let before = Counts::of(world);

    let ghosts = ghosts(case);
    let mut checks = Vec::new();
    for (script, option, status) in [
        ("verify_cleanup.sh", None, 1),
        ("cleanup_leaked_agents.sh", Some("--yes"), 0),
        ("verify_cleanup.sh", None, 0),
    ] {
        let ran = show(world, script, option, &ghosts, shown);
        let what = format!("{script} ended with status {}, expected {status}", ran.code);
        checks.push((what, ran.code == status));
    }

    let after = Counts::of(world);
    compare(&before, &after);
    checks.retain(|(_, holds)| !holds);
    checks.extend(identities.check(case));
    checks.push((
        format!("the leaked Claude (pid {}) is gone", case.leaked.pid),
        !alive(case.leaked.pid),
    ));
    checks.push((
        "the zombie session is gone, and only that".to_owned(),
        !alive(case.zombie_pane) && world.session_names().len() == case.live.len() + 1,
    ));
    checks.push(("all counts are as promised".to_owned(), [before, after] == promised));
    checks
}

/// Removes a world.
fn end(world: World) -> [Check; 1] {
    let directory = world.path().to_owned();
    drop(world);
    [(format!("{} is removed again", directory.display()), !directory.exists())]
}

fn introduce(world: &World) {
    println!(
        "
  8 agents at work, each in its tmux session, and their 8 registry entries
  1 session `work` in which somebody uses Claude, 1 editor open on claude.md
  1 leaked Claude: no terminal, no parent, nobody reads what it says
  1 zombie session: an agent's session with no Claude in it any more
  87 ghosts: registry entries without a session
  a registry that counts 95 agents, 15 of them active, and has 96

  workspace    {}
  tmux socket  {}
  Claude is    {}",
        world.path().display(),
        world.socket().display(),
        world.name(),
    );
}

/// Whether nothing is too young for `agentdiff` any more.
fn is_settled(world: &World) -> bool {
    std::thread::sleep(Duration::from_millis(300));
    let findings = findings(world);
    findings.last().is_some_and(|end| end["too_young"] == 0)
}

fn findings(world: &World) -> Vec<Value> {
    let ran = world.diff(&world.scan(), &["--min-age", "2s"]);
    ran.expect(&[0, 1]).records()
}

/// The ids of the registry entries to go.
fn ghosts(case: &GuideCase) -> Vec<String> {
    let registry: Value = serde_json::from_str(&case.registry).unwrap_or_default();
    let ids = registry["agents"].as_object().into_iter().flat_map(|agents| agents.keys());
    let is_live = |id: &&String| case.live.iter().any(|live| live.session.ends_with(id.as_str()));
    ids.filter(|id| !is_live(id)).cloned().collect()
}

/// Runs a script of the tools as a person would, and shows what it says. Only the beginning of
/// each list of ghosts is shown, so that the rest stays on the screen.
fn show(world: &World, script: &str, option: Option<&str>, ghosts: &[String], shown: Shown) -> Ran {
    println!("\n$ tools/{script} {}\\", option.map(|o| format!("{o} ")).unwrap_or_default());
    println!("    --workspace {} \\", world.path().display());
    println!("    -S {} --name {}", world.socket().display(), world.name());
    let mut command = world.script(script);
    if let Some(columns) = cli::width(std::io::stdout()) {
        command.env("COLUMNS", columns.to_string());
    }
    let ran = run(command.args(option), "");
    // The zombie session has the name of its agent, and a line of its own.
    let is_ghost =
        |line: &str| !line.starts_with("  session ") && ghosts.iter().any(|id| line.contains(id));
    let is_result = |line: &&str| line.contains("✓") || line.contains("✗");
    let (checks, summary) = match shown {
        Shown::Whole => (vec![], ran.out.lines().chain(ran.err.lines()).collect_vec()),
        Shown::Result => (
            ran.out.lines().filter(is_result).collect(),
            ran.out.lines().skip_while(|line| *line != "Summary:").collect(),
        ),
    };
    let lines = checks.into_iter().chain(summary);
    for (is_ghost, run) in &lines.chunk_by(|line| is_ghost(line)) {
        let lines: Vec<&str> = run.collect();
        let shown = if is_ghost && lines.len() > LIST { LIST } else { lines.len() };
        lines[..shown].iter().for_each(|line| println!("{line}"));
        if shown < lines.len() {
            println!("  [the demo leaves out {} more lines of ghosts here]", lines.len() - shown);
        }
    }
    ran
}

/// The guide's numbers, as the tools see them.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    entries: u64,
    /// A database stores no count of its rows.
    counted: Option<i64>,
    active: i64,
    /// A database stores no such count either.
    counted_active: Option<i64>,
    claude: usize,
    sessions: usize,
    ghosts: usize,
    leaked: usize,
    zombies: usize,
}

impl Counts {
    /// The entry of the zombie session is a ghost too.
    const BEFORE: Counts = Counts {
        entries: 96,
        counted: Some(95),
        active: 67,
        counted_active: Some(15),
        claude: 10,
        sessions: 10,
        ghosts: 88,
        leaked: 1,
        zombies: 1,
    };
    const AFTER: Counts = Counts {
        entries: 8,
        counted: Some(8),
        active: 8,
        counted_active: Some(8),
        claude: 9,
        sessions: 9,
        ghosts: 0,
        leaked: 0,
        zombies: 0,
    };

    /// All entries are active in the database. Those of ghosts stay there as history.
    const IN_DATABASE_BEFORE: Counts =
        Counts { entries: 96, counted: None, active: 96, counted_active: None, ..Counts::BEFORE };
    const IN_DATABASE_AFTER: Counts =
        Counts { entries: 96, counted: None, counted_active: None, ..Counts::AFTER };

    fn of(world: &World) -> Counts {
        let scan = records(&world.scan());
        let findings = findings(world);
        let of_type = |word: &'static str| scan.iter().filter(move |record| record["type"] == word);
        let of_kind = |word| findings.iter().filter(|finding| finding["kind"] == word).count();
        let registry = of_type("registry").max_by_key(|registry| registry["agents"].as_u64());
        let registry = registry.unwrap_or(&Value::Null);
        let stored = |name| registry["counters"][name]["stored"].as_i64();
        let active = registry["counters"]["active_agents"]["computed"].as_i64();
        Counts {
            entries: registry["agents"].as_u64().unwrap_or(0),
            counted: stored("total_agents_spawned"),
            active: active.unwrap_or(-1),
            counted_active: stored("active_agents"),
            claude: of_type("process").filter(|process| process["state"] != "Z").count(),
            sessions: of_type("session").count(),
            ghosts: of_kind("ghost_agent"),
            leaked: of_kind("leaked_process"),
            zombies: of_kind("zombie_session"),
        }
    }
}

fn compare(before: &Counts, after: &Counts) {
    println!("\n{:28}{:>8}{:>8}", "", "Before", "After");
    let row = |name: &str, number: fn(&Counts) -> i64| {
        println!("{name:28}{:>8}{:>8}", number(before), number(after));
    };
    if before.counted.is_some() {
        row("Registry agents", |counts| counts.entries as i64);
        row("  as the registry counts", |counts| counts.counted.unwrap_or(-1));
    } else {
        row("Registry agents", |counts| counts.active);
        row("  with the history", |counts| counts.entries as i64);
    }
    row("Active by their entries", |counts| counts.active);
    if before.counted_active.is_some() {
        row("  as the registry counts", |counts| counts.counted_active.unwrap_or(-1));
    }
    row("Claude processes", |counts| counts.claude as i64);
    row("Tmux sessions", |counts| counts.sessions as i64);
    row("Ghost agents", |counts| counts.ghosts as i64);
    row("Leaked processes", |counts| counts.leaked as i64);
    row("Zombie sessions", |counts| counts.zombies as i64);
}

/// Pids and start times of those who must live.
struct Identities {
    agents: Vec<(i32, u64)>,
    work: Vec<(i32, u64)>,
    editor: Vec<(i32, u64)>,
}

impl Identities {
    fn of(case: &GuideCase) -> Identities {
        let of_live = |live: &Live| identities([live.pane, live.claude.pid]);
        Identities {
            agents: case.live.iter().flat_map(of_live).collect(),
            work: of_live(&case.work),
            editor: identities([case.editor]),
        }
    }

    fn check(&self, case: &GuideCase) -> [Check; 3] {
        let now = Identities::of(case);
        [
            (
                "the 8 live agents run on, with the pids they had".to_owned(),
                now.agents == self.agents && now.agents.len() == 16,
            ),
            (
                format!("Claude in session `work` runs on (pid {})", case.work.claude.pid),
                now.work == self.work && now.work.len() == 2,
            ),
            (
                format!("the editor on claude.md runs on (pid {})", case.editor),
                now.editor == self.editor && now.editor.len() == 1,
            ),
        ]
    }
}

/// Those of the processes that run.
fn identities<const N: usize>(pids: [i32; N]) -> Vec<(i32, u64)> {
    let alive = pids.into_iter().filter(|&pid| alive(pid));
    alive.filter_map(|pid| Some((pid, stat(pid)?.start))).collect()
}

fn report(checks: &[Check]) -> ExitCode {
    println!();
    for (what, holds) in checks {
        println!("{} {what}", if *holds { "✓" } else { "✗" });
    }
    let failed = checks.iter().filter(|(_, holds)| !holds).count();
    if failed == 0 {
        return ExitCode::SUCCESS;
    }
    println!("\n{failed} of these did not hold.");
    ExitCode::FAILURE
}
