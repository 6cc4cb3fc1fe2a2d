//! Findings that somebody, or something, has spoilt.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::world::{World, of_kind, through};

/// Address space for a tool that must not hold 100 MB.
const LITTLE_MEMORY: [&str; 4] = ["sh", "-c", "ulimit -v 131072 && exec \"$@\"", "sh"];

#[test]
fn h17_malformed_findings_are_refused_with_their_line_and_nothing_is_signalled() {
    let world = World::new();
    let sample = world.sample();
    let leak = of_kind(&sample.findings, "leaked_process").remove(0);
    let ghost = of_kind(&sample.findings, "ghost_agent").remove(0);
    let zombie = of_kind(&sample.findings, "zombie_session").remove(0);

    let mut spoilt: Vec<(String, String)> = Vec::new();
    for pid in [
        json!(0),
        json!(1),
        json!(-1),
        json!("12; rm -rf"),
        json!(1_u64 << 40),
        json!(null),
        json!(-2_147_483_648_i64),
        json!(4_194_305),
        json!(2.5),
        json!([2]),
        json!(true),
    ] {
        let mut finding = leak.clone();
        finding["process"]["pid"] = pid.clone();
        spoilt.push((format!("pid {pid}"), finding.to_string()));
    }
    // 1e400 is no number that Rust can hold; 1e1 is one, but no pid.
    for pid in ["1e400", "1e1", "00", "0x10", "12 13", "NaN"] {
        let pid_of = |pid: &str| format!("\"pid\":{pid},");
        let text = leak.to_string().replace(&pid_of(&sample.leaked.pid.to_string()), &pid_of(pid));
        assert_ne!(text, leak.to_string());
        spoilt.push((format!("pid {pid}"), text));
    }
    // Every field that a decision rests on.
    let head = ["kind", "action", "target", "reason", "host", "boot_id", "pid_ns", "evidence"];
    let of_process = ["pid", "start_time", "tty", "namespace", "stdout", "service", "tmux"];
    let of_session = ["id", "server_pid", "created", "socket", "windows", "attached", "panes"];
    let of_agent = ["id", "tmux_session", "status", "registry", "scope"];
    let of_evidence = ["servers", "sockets", "server_pids", "names", "prefix", "outside_tmux"];
    for (finding, parent, fields) in [
        (&leak, "", &head[..]),
        (&leak, "", &["process"]),
        (&ghost, "", &["agent"]),
        (&zombie, "", &["session"]),
        (&leak, "process", &of_process),
        (&zombie, "session", &of_session),
        (&ghost, "agent", &of_agent),
        (&leak, "evidence", &of_evidence),
    ] {
        for field in fields {
            let mut finding = finding.clone();
            let place = if parent.is_empty() { &mut finding } else { &mut finding[parent] };
            assert!(place.as_object_mut().unwrap().remove(*field).is_some(), "{parent} {field}");
            spoilt.push((format!("no {parent} {field}"), finding.to_string()));
        }
    }
    for (field, value) in [
        ("kind", json!("haunted_process")),
        ("kind", json!("ghost_agent")),
        ("kind", json!("untracked_process")),
        ("kind", json!(null)),
        ("action", json!("kill_everything")),
        ("action", json!("kill_session")),
        ("action", json!("remove_entry")),
        ("process", Value::Null),
        ("process", json!("12; rm -rf")),
        ("evidence", json!({})),
    ] {
        let mut finding = leak.clone();
        finding[field] = value.clone();
        spoilt.push((format!("{field} {value}"), finding.to_string()));
    }
    // Shown is one thing, meant another.
    for (finding, kind, field) in
        [(&leak, "process", "pid"), (&ghost, "agent", "id"), (&zombie, "session", "name")]
    {
        let mut finding = finding.clone();
        finding["target"] = json!(format!("{kind} other"));
        spoilt.push((format!("{kind} other"), finding.to_string()));
        assert!(!finding[kind][field].is_null());
    }
    // An empty prefix makes an agent's session of everybody's.
    let mut everybodys = zombie.clone();
    everybodys["evidence"]["prefix"] = json!("");
    spoilt.push(("no prefix".to_owned(), everybodys.to_string()));
    let text = leak.to_string();
    let deep = format!("{{\"type\":\"finding\",\"process\":{}", "[".repeat(200_000));
    let array = format!("[{text}]");
    for (name, line) in [
        ("cut", &text[..text.len() - 1]),
        ("cut in the middle", &text[..text.len() / 2]),
        ("doubled", &[text.as_str(), &text].concat()),
        ("in an array", &array),
        ("a string", "\"kill 1\""),
        ("a number", "4711"),
        ("words", "kill -9 1"),
        ("no type", "{}"),
        ("deep", &deep),
        ("NUL", "\0"),
    ] {
        spoilt.push((name.to_owned(), line.to_owned()));
    }

    // What stands before and after is sound, and is not acted on either.
    assert!(spoilt.len() > 60);
    for (name, line) in &spoilt {
        let input = format!("{leak}\n{line}\n{}", sample.findings);
        let ran = world.prune(&input, &["--yes"]).expect(&[2]);
        assert!(ran.err.starts_with("agentprune: input: line 2: "), "{name}: {}", ran.err);
        assert!(ran.err.ends_with("nothing was done\n"), "{name}: {}", ran.err);
        assert_eq!(ran.out, "", "{name}");
    }
    world.assert_untouched(&sample, "malformed findings");

    let not_text = [text.as_bytes(), b"\n\xff\xfe\n"].concat();
    let (code, said) = fed(&world, "agentprune", &[&not_text]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("line 2: not UTF-8"), "{said}");
    world.assert_untouched(&sample, "invalid UTF-8");

    // 100 MB without a newline, after a line that is sound.
    let megabyte = vec![b'x'; 1 << 20];
    let sound = format!("{leak}\n");
    let mut much = vec![sound.as_bytes(), b"{\"type\":\"finding\",\"kind\":\""];
    much.extend(std::iter::repeat_n(megabyte.as_slice(), 100));
    for tool in ["agentprune", "agentdiff"] {
        let (code, said) = fed(&world, tool, &much);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("line 2: longer than any record"), "{said}");
    }
    world.assert_untouched(&sample, "100 MB");
}

/// Feeds a tool that has little memory, as long as it reads. Returns its exit status and
/// what it said.
fn fed(world: &World, tool: &str, input: &[&[u8]]) -> (i32, String) {
    let mut command = world.tool(tool);
    if tool == "agentprune" {
        command.arg("--yes");
    }
    let mut child = through(&LITTLE_MEMORY, &command)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = input.iter().try_for_each(|part| stdin.write_all(part));
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}
