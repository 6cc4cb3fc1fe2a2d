//! Writers that take no lock and empty the file first.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::held_up::held_up;
use super::{SESSION, found, litter, live, mixed, world};
use crate::world::{Registry, run};

const LIVE: usize = 20;

/// Writes the registry 200 times over, with a pause while it is empty, and one while it
/// is half; each time with a ghost more.
const WRITER: &str = r#"
import json, random, sys, time
path, session = sys.argv[1], sys.argv[2]
agents = {'live-%d' % n: {'tmux_session': session, 'n': n} for n in range(20)}
for round in range(200):
    agents['ghost-%d' % round] = {'tmux_session': 'agent_gone_%d' % round}
    text = json.dumps({'total_agents_spawned': len(agents), 'active_agents': len(agents),
                       'round': round, 'agents': agents}, indent=2)
    with open(path, 'w') as f:
        time.sleep(random.random() * 0.02)
        f.write(text[:len(text) // 2])
        f.flush()
        time.sleep(random.random() * 0.02)
        f.write(text[len(text) // 2:])
    time.sleep(random.random() * 0.1)
"#;

#[test]
fn h21_half_a_file_is_waited_out() {
    let world = world();
    let registry = world.global_path();
    world.write_global(&mixed(LIVE, LIVE));
    let mut command = world.command("python3");
    command.args(["-c", WRITER]).arg(&registry).arg(SESSION).stderr(Stdio::piped());
    let mut writer = command.spawn().unwrap();
    let (mut prunes, mut foreign) = (0, 0);
    while writer.try_wait().unwrap().is_none() {
        let agents = run(world.tool("lsagents").arg("--registry").arg(&registry), "").ok();
        let lives = agents.out.matches("\"id\":\"live-").count();
        assert_eq!(lives, LIVE, "{}", agents.out);
        let findings = found(&world, &[&registry]);
        let ran = world.prune(&findings, &["--yes"]).expect(&[0, 1]);
        prunes += 1;
        for record in ran.records() {
            let reason = record["reason"].as_str().unwrap();
            match record["result"].as_str().unwrap() {
                "failed" if reason.contains("without taking its lock") => {
                    assert_eq!(ran.code, 1);
                    foreign += 1;
                }
                "done" | "gone" => {}
                _ => panic!("{record}"),
            }
        }
    }
    assert!(writer.wait().unwrap().success());
    let findings = found(&world, &[&registry]);
    world.prune(&findings, &["--yes"]).ok();
    let end: Value = serde_json::from_slice(&fs::read(&registry).unwrap()).unwrap();
    assert_eq!(end["agents"].as_object().unwrap().len(), LIVE);
    assert_eq!(litter(&registry), Vec::<String>::new());
    println!("200 rounds, {prunes} prunes, {foreign} findings failed for foreign writes");
}

#[test]
fn h21_a_foreign_write_in_the_middle_is_reported() {
    let world = world();
    let registry = world.global_path();
    let old = world.write_global(&mixed(20, 2));
    let findings = found(&world, &[&registry]);
    let shorter = Registry::new([live("live-00000-bbbbbb")]).global();
    let longer = mixed(40, 2).global();
    for (call, foreign, kept) in [
        // Written over, or cut short: not whole any more.
        ("pwrite64", &longer, false),
        ("ftruncate", &longer, false),
        ("ftruncate", &shorter, true),
        ("fsync", &longer, true),
        ("fsync", &shorter, true),
        ("fsync", &old, true),
    ] {
        super::reset(&registry, old.as_bytes());
        let write = || fs::write(&registry, foreign).unwrap();
        let Some(ran) = held_up(&world, &findings, call, write) else { return };
        let ran = ran.expect(&[1]);
        assert!(ran.out.contains("without taking its lock"), "{call}: {}{}", ran.out, ran.err);
        let end = fs::read_to_string(&registry).unwrap();
        assert_eq!(end == *foreign, kept, "{call}: {end}");
        let end: Value = serde_json::from_str(&end).unwrap();
        assert!(end["agents"].as_object().unwrap().contains_key("live-00000-bbbbbb"));
        assert_eq!(litter(&registry), Vec::<String>::new());
    }
}
