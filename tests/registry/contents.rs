//! Registries with odd contents: refused with the place, or edited so that every byte of
//! what stays is the byte that was there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{found, litter, world};
use crate::world::{World, run};

/// `<old|new>` is what stands there before the edit and after it.
fn edits() -> Vec<(&'static str, String)> {
    let deep = format!("{}{{\"agents\": 1}}{}", "[".repeat(40), "]".repeat(40));
    let edit = |name, text: &str| (name, text.to_owned());
    vec![
        edit(
            "minified",
            r#"{"total_agents_spawned":<2|1>,"active_agents":<2|1>,"agents":{<"g":{"n":1},|>"live":{"tmux_session":"agent_live"}}}"#,
        ),
        edit(
            "tabs",
            "{\n\t\"agents\": {\n\t\t\"live\": {\"tmux_session\": \"agent_live\"}<,\n\t\t\"g\": {}|>\n\t},\n\t\"total_agents_spawned\": <2|1>,\n\t\"active_agents\":\t<2|1>\n}\n",
        ),
        edit(
            "crlf",
            "{\r\n  \"agents\": {\r\n    <\"g\": {\r\n      \"x\": []\r\n    },\r\n    |>\"live\": {\"tmux_session\": \"agent_live\"}\r\n  },\r\n  \"total_agents_spawned\": <7|1>,\r\n  \"active_agents\": <7|1>\r\n}\r\n",
        ),
        edit(
            "spaces before commas",
            "{ \"v\" : 1 , \"agents\" : { <\"g\" : { } , |>\"live\" : { \"tmux_session\" : \"agent_live\" } }<| , \"total_agents_spawned\": 1 , \"active_agents\": 1> }",
        ),
        edit(
            "numbers and escapes",
            r#"{"total_agents_spawned": <3|2>, "active_agents": <3|1>, "x": [1e400, 1.10, -0, 1E+2, "\u00e9 é \ud83d\ude00 \ud800"], "agents": {"live": {"tmux_session": "\u0061gent_live", "n": 1e400, "p": 1.10, "é": "\u00e9"}, <"g": {"n": 1e400}, |>"\u00e9": {"tmux_session": "agent_live", "status": "compl\u0065ted"}}}"#,
        ),
        edit(
            "duplicate keys",
            r#"{"agents": {"g": {}}, "active_agents": 7, "agents": {<"g": {"status": "completed"}, |>"live": {"tmux_session": "x", "tmux_session": "agent_live"}<, "g": {}|>}, "total_agents_spawned": 1, "active_agents": <2|1>, "total_agents_spawned": <2|1>}"#,
        ),
        (
            "deep",
            format!(
                r#"{{"agents": {{"live": {{"tmux_session": "agent_live", "x": {deep}}}<, "g": {{"y": {deep}}}|>}}, "deep": {deep}, "total_agents_spawned": <2|1>, "active_agents": <2|1>}}"#
            ),
        ),
        edit(
            "without tmux_session and status",
            r#"{"agents": {<"g": {"tmux_session": null, "status": 5}, |>"live": {"status": null, "id": 7}<, "g2": {}|>}, "total_agents_spawned": <3|1>, "active_agents": <3|1>}"#,
        ),
        edit(
            "only ghosts",
            "{\n  \"agents\": {<\n    \"g\": {},\n    \"g2\": {}\n  |>},\n  \"total_agents_spawned\": <2|0>,\n  \"active_agents\": <2|0>\n}",
        ),
        edit(
            "a task",
            r#"{"agents": [{"id": "live", "tmux_session": "agent_live", "status": "running"}, {"status" : <"running"|"terminated">, "id": "g", "terminated_at" : <null|"NOW">, "last_update": <1e400|"NOW">, "termination_reason": <""|"session_not_found">}], "active_count": <2|1>}"#,
        ),
    ]
}

/// Before and after.
fn sides(template: &str) -> [String; 2] {
    let mut sides = [String::new(), String::new()];
    let mut rest = template;
    while let Some((same, marked)) = rest.split_once('<') {
        let (old, marked) = marked.split_once('|').unwrap();
        let (new, behind) = marked.split_once('>').unwrap();
        sides[0] += &format!("{same}{old}");
        sides[1] += &format!("{same}{new}");
        rest = behind;
    }
    sides.map(|side| side + rest)
}

#[test]
fn h22_odd_registries_are_edited_without_touching_another_byte() {
    let world = world();
    for (name, template) in edits() {
        let [before, after] = sides(&template);
        let path = world.path().join(format!("{name}.json"));
        fs::write(&path, &before).unwrap();
        let findings = found(&world, &[&path]);
        world.prune(&findings, &["--yes", "--log", name]).ok();
        let mut text = fs::read_to_string(&path).unwrap();
        if let Some((_, now)) = text.split_once("\"terminated_at\" : \"") {
            let now = now.split_once('"').unwrap().0.to_owned();
            text = text.replace(&now, "NOW");
        }
        assert_eq!(text, after, "{name}");
        run(world.tool("agentprune").args(["--undo", "--yes", name]), "").ok();
        let mut undone = fs::read_to_string(&path).unwrap();
        if name == "spaces before commas" {
            // Counters that were added are right: they stay.
            undone = undone.replace(" , \"total_agents_spawned\": 2 , \"active_agents\": 2", "");
            undone = undone.replace(" , \"total_agents_spawned\": 1 , \"active_agents\": 1", "");
        }
        if name == "crlf" || name == "numbers and escapes" {
            assert_eq!(undone, before, "{name}");
        }
        assert_eq!(undone.len(), before.len(), "{name}: {undone}");
    }
}

const GOOD: &str = r#"{"agents": {"g": {}, "live": {"tmux_session": "agent_live"}}}"#;

#[test]
fn h22_corrupt_registries_are_refused_with_the_place() {
    let world = world();
    let cases: [(&str, &[u8], &str); 14] = [
        ("truncated", br#"{"agents": {"g": {"status": "wor"#, "line 1, column 32: cut off: EOF"),
        ("empty", b"", "line 1, column 1: the file is empty"),
        ("trailing", b"{\"agents\": {\"g\": {}}}\n}", "line 2, column 1: trailing characters"),
        ("two texts", b"{\"agents\": {}}\n{\"agents\": {}}", "line 2, column 1: trailing"),
        ("bom", b"\xef\xbb\xbf{\"agents\": {\"g\": {}}}", "line 1, column 1: byte order mark"),
        ("missing", b"{\n \"agent\": {}}", "line 2, column 13: \"agents\" is missing"),
        ("null", b"{\n\"agents\": null}", "line 2, column 11: \"agents\" is null"),
        ("number", b"{\"agents\": 5}", "line 1, column 12: \"agents\" is 5"),
        ("not utf-8", b"{\"agents\": {\"g\": \"\xff\"}}", "line 1, column 19: not UTF-8"),
        ("an entry of a number", b"{\"agents\": {\n\"g\": 5}}", "line 2, column "),
        ("comma", b"{\"agents\": {\n \"g\": {},}}", "line 2, column "),
        ("nan", b"{\"agents\": {\n \"g\": {\"x\": NaN}}}", "line 2, column "),
        ("form feed", b"\x0c{\"agents\": {\"g\": {}}}", "line 1, column 1"),
        ("zeros", b"{\"agents\": {\"g\": {}}}\0\0", "line 1, column 22: trailing"),
    ];
    let began = Instant::now();
    std::thread::scope(|scope| {
        for (name, bytes, reason) in cases {
            let path = world.path().join(name).join("R.json");
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(&path, GOOD).unwrap();
            let findings = found(&world, &[&path]);
            fs::write(&path, bytes).unwrap();
            let tools = [list(&world, &path), prune(&world, &path, &findings)];
            scope.spawn(move || refused(tools, name, bytes, reason, &path));
        }
    });
    println!("{} corrupt registries in {:?}", cases.len(), began.elapsed());
}

fn list(world: &World, path: &Path) -> std::process::Command {
    let mut command = world.tool("lsagents");
    command.arg("--registry").arg(path);
    command
}

fn prune(world: &World, path: &Path, findings: &str) -> std::process::Command {
    let file = path.with_file_name("findings");
    fs::write(&file, findings).unwrap();
    let mut command = world.tool("agentprune");
    command.arg("--yes").arg(file);
    command
}

fn refused(
    [mut lsagents, mut agentprune]: [std::process::Command; 2],
    name: &str,
    bytes: &[u8],
    reason: &str,
    path: &PathBuf,
) {
    let file = path.display().to_string();
    let listed = run(&mut lsagents, "").expect(&[2]);
    assert!(listed.err.contains(&file) && listed.err.contains(reason), "{name}: {}", listed.err);
    assert!(listed.out.contains("\"complete\":false"), "{name}: {}", listed.out);
    assert!(!listed.out.contains("\"type\":\"agent\""), "{name}: {}", listed.out);
    let pruned = run(&mut agentprune, "").expect(&[1]);
    let records = pruned.records();
    let because = records[0]["reason"].as_str().unwrap();
    assert_eq!(records[0]["result"], "failed");
    assert!(because.contains(&file) && because.contains(reason), "{name}: {because}");
    assert_eq!(fs::read(path).unwrap(), bytes, "{name}");
    assert_eq!(litter(path), ["findings"], "{name}");
}
