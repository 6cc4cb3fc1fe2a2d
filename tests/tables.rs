//! What people see: tables, the report, progress and questions, on real terminals.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::world::{Entry, GuideCase, PROMPT, Registry, TOOLS, World, alive, records, run};

/// The guide's case with its scan and its findings in files.
fn saved(world: &World) -> GuideCase {
    let case = world.guide_case();
    fs::write(world.path().join("scan"), world.scan()).unwrap();
    fs::write(world.path().join("findings"), world.findings(&[])).unwrap();
    case
}

/// The commands that show the guide's case in tables, in a shell, by the tool.
fn commands(world: &World) -> [(&'static str, String); 5] {
    let (name, socket) = (world.name(), world.socket().display());
    [
        ("lsagents", "lsagents -T".to_owned()),
        ("lssessions", format!("lssessions -T -S '{socket}'")),
        ("lsclaude", format!("lsclaude -T --name {name}")),
        ("agentdiff", "agentdiff -T --min-age 0 scan".to_owned()),
        ("agentprune", "agentprune -T findings".to_owned()),
    ]
}

#[test]
fn an_unknown_field_is_an_error_that_says_what_lists_them() {
    let world = World::new();
    saved(&world);
    for (tool, field) in TOOLS.into_iter().zip(["stauts", "panes.x", "tmux.", "agent.x", "x"]) {
        let ran = run(world.tool(tool).args(["-T", "-o", &format!("type,{field}")]), "");
        let says = format!("{tool}: {field:?}: no such field; '{tool} -H' lists them");
        assert_eq!((ran.code, ran.err.lines().next()), (2, Some(&*says)), "{}", ran.out);
    }
    for (tool, fields) in [
        ("lsagents", "id,status,counters.active_agents.stored,path"),
        ("lssessions", "panes.running,panes.pid"),
        ("lsclaude", "tmux.pane,args,type"),
        ("agentdiff", "process.tmux.pane,agent.id,evidence.names"),
        ("agentprune", "finding.process.pid,entry.id"),
    ] {
        let ran = run(world.tool(tool).args(["-o", fields]), "");
        assert!(!ran.err.contains("no such field"), "{tool}: {}", ran.err);
    }
}

#[test]
fn tables_fit_the_terminal_and_lose_no_name() {
    let world = World::new();
    let case = saved(&world);
    let sessions: Vec<String> = case.live.iter().map(|live| live.session.clone()).collect();
    let pids: Vec<String> = case.live.iter().map(|live| live.claude.pid.to_string()).collect();
    for columns in [80, 140] {
        for (tool, command) in commands(&world) {
            let screen = world.screen(columns, 24, &format!("{command} 2>/dev/null"));
            assert_eq!(screen.status(), i32::from(tool == "agentdiff"), "{tool}");
            let shown = plain(&screen.history());
            let is_too_wide = |line: &&str| line.trim_end().chars().count() > columns.into();
            let path = world.global_path();
            for line in shown.lines().filter(is_too_wide) {
                // The path of a registry is one word, and whole.
                assert!(line.contains(path.to_str().unwrap()), "{tool} at {columns}: {line}");
            }
            let (names, foot) = match tool {
                "lsagents" => {
                    (sessions.iter().map(|name| name[6..].to_owned()).collect(), "96 agents")
                }
                "lssessions" => (sessions.clone(), "10 sessions, 0 attached"),
                "lsclaude" => (pids.clone(), "10 processes, "),
                "agentdiff" => {
                    (vec![case.zombie.clone()], "88 ghost agents, 1 registry with wrong counters.")
                }
                _ => (vec![format!("process {}", case.leaked.pid)], "91 actions"),
            };
            let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            for word in names.iter().map(String::as_str).chain([foot]) {
                assert!(shown.contains(word), "{tool} at {columns}: {word} in {shown}");
            }
        }
    }
    // Without a terminal nothing is cut, and nothing depends on a width.
    let table = run(world.lsclaude().arg("-T"), "").ok().out;
    assert!(table.contains(PROMPT) && !table.contains('…'), "{table}");
    let table = run(world.lsclaude().arg("-T").env("COLUMNS", "80"), "").ok().out;
    assert!(!table.contains(PROMPT) && table.contains('…'), "{table}");
}

#[test]
fn headings_and_sums_can_be_left_out() {
    let world = World::new();
    let case = saved(&world);
    let args = ["-T", "--no-headings", "-o", "pid,rss_bytes"];
    let table = run(world.lsclaude().args(args), "").ok().out;
    assert_eq!(table.lines().count(), 10, "{table}");
    assert!(table.lines().all(|line| line.ends_with(" MiB") || line.ends_with(" KiB")), "{table}");
    let args = ["-T", "-Q", ".orphaned", "-o", "pid,started,orphaned"];
    let table = run(world.lsclaude().args(args), "").ok().out;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines.len(), lines[3]), (4, "1 process"), "{table}");
    let row: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(
        (row[0], &row[2..]),
        (&*case.leaked.pid.to_string(), &["ago", "yes"][..]),
        "{table}"
    );
    let table = run(world.lsclaude().args(["-T", "-Q", "false", "-o", "pid"]), "").ok().out;
    assert_eq!(table, "PID\n\nno processes\n");
}

#[test]
fn a_record_whose_field_is_null_has_a_row() {
    let world = World::new();
    let entries = ["a-1-2", "b-1-2"].map(|id| Entry::new(id).unset("status"));
    world.write_global(&Registry::new(entries));
    let lsagents = |arguments: &[&str]| run(world.lsagents().arg("-T").args(arguments), "");
    assert_eq!(lsagents(&["-o", "status"]).ok().out, "STATUS\n-\n-\n\n2 agents\n");
    assert_eq!(lsagents(&["-o", "agents"]).ok().out, "AGENTS\n     2\n\n1 registry, 2 agents\n");
}

#[test]
fn colours_only_repeat_what_words_say_and_can_be_turned_off() {
    let world = World::new();
    let case = saved(&world);
    let red = |word: &str| format!("\u{1b}[31m{word}\u{1b}");
    for (tool, command) in commands(&world) {
        let colours = |line: &str| {
            let screen = world.screen(120, 24, line);
            screen.status();
            screen.history()
        };
        let coloured = colours(&command);
        assert!(!colours(&format!("NO_COLOR=1 {command}")).contains('\u{1b}'), "{tool}");
        assert!(!colours(&format!("{command} --color never")).contains('\u{1b}'), "{tool}");
        assert!(!colours(&format!("{command} | cat")).contains('\u{1b}'), "{tool}");
        assert!(!colours(&format!("TERM=dumb {command}")).contains('\u{1b}'), "{tool}");
        let piped = run(world.command("sh").args(["-c", &format!("{command} --color always")]), "");
        let expected = match tool {
            "lsagents" => "\u{1b}[32mworking\u{1b}".to_owned(),
            "agentdiff" => red("Entries to remove"),
            // What is only planned is neither good nor bad, and so are sessions.
            _ => continue,
        };
        assert!(coloured.contains(&expected), "{tool}: {coloured}");
        assert!(piped.out.contains(&expected), "{tool}: {}", piped.out);
    }
    let args = ["--yes", "-T", "--color=always", "findings"];
    let pruned = run(world.tool("agentprune").args(args), "").ok().out;
    assert_eq!(pruned.matches("\u{1b}[32mdone\u{1b}[0m").count(), 91);
    assert!(!alive(case.leaked.pid));
}

#[test]
fn the_report_says_what_is_wrong_what_is_left_alone_and_on_which_host() {
    let world = World::new();
    world.write_global(&Registry::new(["gone-1-2", "here-1-2"].map(Entry::new)).counters(2, 2));
    world.agent_session("here-1-2", &[]);
    let leaked = world.leaked(&[]).pid;
    let held = world.held_by_script().claude.pid;
    world.nohup_to_file();
    let scan = world.scan();
    let report = world.diff(&scan, &["-T"]).expect(&[1]).out;
    let order = [
        "To clean up: 1 leaked Claude (",
        "), 1 ghost agent. Left alone: 2 held Claudes (",
        ").\n\nProcesses to end (1):\n",
        &format!("  process {leaked} ("),
        "its parent is gone",
        "\n\nEntries to remove (1):\n  agent gone-1-2: ",
        "\n\nLeft alone (2):\n",
        &format!("  process {held} ("),
        " (--outside-tmux)\n",
        " (--despite log)",
        "\n\nSessions kept (1):\n  agent_here-1-2 (",
        "\n\nThis would end 1 process and remove 1 entry.\n",
    ];
    let mut rest = report.as_str();
    for part in order {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} not next in {report}"));
        rest = &rest[at + part.len()..];
    }
    assert_eq!(rest, "");
    let filter = ["-T", "-Q", ".kind == \"busy_session\""];
    assert_eq!(world.diff(&scan, &filter).expect(&[1]).out, "No findings.\n");
    // A filter may have left out what is to be cleaned up.
    let filter = ["-T", "-Q", ".kind == \"untracked_process\""];
    let filtered = world.diff(&scan, &filter).expect(&[1]).out;
    assert!(filtered.starts_with("Left alone: 2 held Claudes ("), "{filtered}");
    assert!(filtered.ends_with("\nNo action among these.\n"), "{filtered}");
    // Scans of two hosts are told apart.
    let other = scan.replace(&host(&scan), "elsewhere");
    let other = other.replace("\"scan\":\"", "\"scan\":\"2");
    let report = world.diff(&format!("{scan}{other}"), &["-T"]).expect(&[1]).out;
    for host in [&*host(&scan), "elsewhere"] {
        assert!(report.contains(&format!("\nProcesses to end on {host} (1):\n")), "{report}");
    }
    assert!(report.starts_with("To clean up: 2 leaked Claudes ("), "{report}");
}

fn host(scan: &str) -> String {
    let end = records(scan).into_iter().find(|record| record["type"] == "end").unwrap();
    end["host"].as_str().unwrap().to_owned()
}

#[test]
fn interactive_acts_only_on_the_answer_yes_to_the_plan_that_was_shown() {
    let world = World::new();
    let case = saved(&world);
    let before = fs::read(world.global_path()).unwrap();
    for answer in ["", "y", "no", "YES", "yes please"] {
        let screen = world.screen(80, 24, "agentprune -i <findings >actions");
        screen.wait_for("Do you want to proceed? (yes/no):");
        let plan = plain(&screen.history());
        for shown in [&format!("process {}", case.leaked.pid), &case.zombie] {
            assert!(plan.contains(shown), "{shown} in {plan}");
        }
        screen.enter(answer);
        if answer == "y" {
            screen.wait_for("Type yes in full:");
            screen.enter("y");
        }
        assert_eq!(screen.status(), 1, "{answer:?}");
        assert!(
            screen.text().contains("agentprune: not confirmed; nothing was done"),
            "{answer:?}"
        );
        assert_eq!(fs::read_to_string(world.path().join("actions")).unwrap(), "", "{answer:?}");
    }
    assert!(alive(case.leaked.pid) && alive(case.zombie_pane));
    assert_eq!(fs::read(world.global_path()).unwrap(), before);

    let screen = world.screen(80, 24, "cat findings | agentprune -i --log log >actions");
    screen.wait_for("Do you want to proceed? (yes/no):");
    screen.enter("yes");
    assert_eq!(screen.status(), 0);
    assert!(!alive(case.leaked.pid) && !alive(case.zombie_pane));
    let actions = records(&fs::read_to_string(world.path().join("actions")).unwrap());
    assert_eq!(actions.iter().filter(|action| action["result"] == "done").count(), 91);
    let log = fs::read_to_string(world.path().join("log")).unwrap();
    assert_eq!(log.lines().count(), 182);

    // What was removed is put back in the same way.
    let screen = world.screen(80, 24, "agentprune --undo -i log >actions");
    screen.wait_for("This would restore 88 entries.");
    screen.wait_for("Do you want to proceed? (yes/no):");
    screen.enter("yes");
    assert_eq!(screen.status(), 0);
    let registry: Value = serde_json::from_slice(&fs::read(world.global_path()).unwrap()).unwrap();
    assert_eq!(registry["agents"].as_object().unwrap().len(), 96);

    // An answer to what was not shown yet is none.
    let gate = world.path().join("gate");
    run(world.command("mkfifo").arg(&gate), "").ok();
    let screen = world.screen(80, 24, "cat gate; agentprune -i <findings >actions");
    screen.enter("yes");
    screen.wait_for("yes");
    fs::write(&gate, "").unwrap();
    screen.wait_for("Do you want to proceed? (yes/no):");
    screen.enter("no");
    assert_eq!(screen.status(), 1);

    // Nothing to do: nobody is asked. Nobody to ask: nothing is done.
    fs::write(world.path().join("empty"), world.diff(&world.scan(), &["-Q", "false"]).out).unwrap();
    let screen = world.screen(80, 24, "agentprune -i empty");
    assert_eq!(screen.status(), 0);
    let mut alone = world.command("setsid");
    let ran = run(alone.args(["agentprune", "-i", "findings"]), "").expect(&[2]);
    assert!(ran.err.starts_with("agentprune: /dev/tty: "), "{}", ran.err);
    assert!(ran.err.ends_with("use --yes; nothing was done\n"), "{}", ran.err);
}

#[test]
fn progress_is_shown_on_a_terminal_only_and_steps_with_verbose_only() {
    let world = World::new();
    world.write_global(&Registry::new([]));
    world.agent_session("here-1-2", &[]);
    for (columns, end) in [(80, " s left"), (20, " s…")] {
        let obeys = world.leaked(&[]).pid;
        let stubborn = [0, 1].map(|_| world.leaked(&[("STANDIN_IGNORE", "TERM")]).pid);
        fs::write(world.path().join("findings"), world.findings(&[])).unwrap();
        let command = "agentprune --yes --grace 1h findings >actions";
        let screen = world.screen(columns, 24, command);
        screen.wait_for("ending 1/3, 3");
        assert!(screen.text().trim_end().ends_with(end), "{}", screen.text());
        assert!(alive(stubborn[0]) && alive(stubborn[1]) && !alive(obeys));
        for pid in stubborn {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
        assert_eq!(screen.status(), 0);
        let text = screen.text();
        assert!(text.contains("agentprune: done 3") && !text.contains("ending"), "{text}");
    }

    for (arguments, says) in [(&["-v"][..], true), (&[], false), (&["-q"], false)] {
        let pid = world.leaked(&[("STANDIN_IGNORE", "TERM")]).pid;
        let findings = world.findings(&[]);
        let arguments = [&["--yes", "--grace", "0.3s", "-T"], arguments].concat();
        let ran = world.prune(&findings, &arguments);
        assert!(!alive(pid) && !ran.err.contains("ending") && !ran.err.contains('\r'), "{ran:?}");
        let steps = [
            "agentprune: SIGTERM to 1\n".to_owned(),
            "agentprune: SIGKILL to 1\n".to_owned(),
            format!("agentprune: done: kill_process: process {pid}: ended by SIGKILL\n"),
        ];
        for step in steps {
            assert_eq!(ran.err.contains(&step), says, "{arguments:?}: {step} in {}", ran.err);
        }
        if arguments.contains(&"-q") {
            assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
        }
    }
}

/// A text without the escapes for colours.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}
