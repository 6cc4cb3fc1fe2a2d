//! The edit against what the orchestrator's own language makes of the same file.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use model::record::Scope;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use registry::ChangeKind;
use registry::json::{Layout, edit};
use serde_json::{Value, json};

use super::texts::{Oddities, registries};
use super::{cases, chosen};

/// Reads one question a line; to each it answers with the file as Python would have
/// written it, and with what the guide's snippet would make of that file.
const PYTHON: &str = r#"
import json, sys
for line in sys.stdin:
    question = json.loads(line)
    remove, mark, now = question['remove'], question['mark'], question['now']
    style = question['style']
    registry = json.loads(question['text'])
    before = json.dumps(registry, **style)
    agents = registry['agents']
    if isinstance(agents, dict):
        kept = {i: e for i, e in agents.items() if i not in remove}
        entries = kept.items()
        active = lambda e: e.get('status') not in ['completed', 'terminated']
        names = ['total_agents_spawned', 'active_agents']
    else:
        kept = [e for e in agents if e.get('id') not in remove]
        entries = [(e.get('id'), e) for e in kept]
        active = lambda e: e.get('status') in ['running', 'working', 'blocked', 'reviewing']
        names = ['total_spawned', 'active_count', 'completed_count']
    for i, e in entries:
        if i in mark:
            e['status'] = 'terminated'
            e['termination_reason'] = 'session_not_found'
            e['terminated_at'] = now
            e['last_update'] = now
    registry['agents'] = kept
    counts = [len(kept), sum(1 for _, e in entries if active(e)),
              sum(1 for _, e in entries if e.get('status') == 'completed')]
    for name, count in zip(names, counts):
        if name in registry or isinstance(agents, dict) and len(kept) < len(agents):
            registry[name] = count
    print(json.dumps({'before': before, 'after': json.dumps(registry, **style)}))
"#;

fn ask_python(questions: &[Value]) -> Vec<Value> {
    let mut command = Command::new("python3");
    command.args(["-c", PYTHON]).env("PYTHONIOENCODING", "utf-8");
    let mut python = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let asking = thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    asking.join().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `json.dump` is given, and how often; the orchestrator writes the first.
fn styles() -> [Value; 4] {
    [
        json!({"indent": 2}),
        json!({"indent": 4}),
        json!({"indent": "\t"}),
        json!({"indent": 2, "ensure_ascii": false}),
    ]
}

#[test]
fn python_writes_the_same_bytes() {
    let mut runner = TestRunner::new(cases(600));
    let oddities = Oddities { doubles: true, counters: true };
    let asked = registries(oddities).prop_flat_map(|written| {
        let (remove, mark) = (chosen(&written), chosen(&written));
        (Just(written), remove, mark)
    });
    let mut questions = Vec::new();
    for number in 0..runner.config().cases as usize {
        let (written, remove, mark) = asked.new_tree(&mut runner).unwrap().current();
        // To Python 1e400 is infinite, and what it writes then is not JSON.
        let mut text = written.text.replace("1e400", "1e300");
        let style = &styles()[number % 6 % 4];
        if !style["ensure_ascii"].is_null() {
            text = text.replace("\\udead", "\\ufffd");
        }
        questions.push(json!({
            "text": text, "style": style, "now": "2025-10-29T23:25:23.104729",
            "remove": remove, "mark": if written.scope == Scope::Task { mark } else { vec![] },
        }));
    }
    let answers = ask_python(&questions);
    assert_eq!(answers.len(), questions.len());
    let mut changed = 0;
    for (question, answer) in questions.iter().zip(answers) {
        let (before, after) =
            (answer["before"].as_str().unwrap(), answer["after"].as_str().unwrap());
        let ids = |name: &str| -> Vec<&str> {
            question[name].as_array().unwrap().iter().filter_map(Value::as_str).collect()
        };
        let remove = ids("remove").into_iter().map(|id| (id, ChangeKind::Remove));
        let mark = ids("mark").into_iter().filter(|id| !ids("remove").contains(id));
        let changes: Vec<(&str, ChangeKind)> =
            remove.chain(mark.map(|id| (id, ChangeKind::Terminate))).collect();
        let now = question["now"].as_str().unwrap();
        let edited = edit(before, &Layout::of(before).unwrap(), &changes, now).unwrap();
        assert_eq!(edited.text, after, "of\n{before}\n{changes:?}");
        changed += edited.removed.len();
    }
    println!("{} registries, {changed} entries changed, as Python", questions.len());
}
