//! Tables of records that are always the same, at 80 and at 40 columns.

use std::fs;
use std::path::Path;

use cli::{Agents, Cell, Output, Processes, Sessions, TableStyle, cell, columns, render};
use serde_json::Value;

use super::snapshot;
use crate::world::{World, records, run};

/// When the scan in `scan.jsonl` was taken, a second later.
const NOW: &str = "2026-11-22T12:17:15Z";

fn scan() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots/scan.jsonl");
    fs::read_to_string(path).unwrap()
}

/// The table of a lister's records without `-o`, without the sums below it.
fn table<O: Output>(records: &[Value], width: usize) -> String {
    let columns = columns::<O>(O::COLUMNS);
    let now = Some(NOW.parse().unwrap());
    let style = TableStyle { width: Some(width), colour: false, headings: true, indent: "", now };
    let of = |record: &&Value| record["type"] == O::RECORDS[0].word;
    let row = |record: &Value| {
        let cells = columns.iter().map(|column| cell(record, column, now));
        cells.collect::<Vec<Cell>>()
    };
    let rows: Vec<Vec<Cell>> = records.iter().filter(of).map(row).collect();
    render(&columns, &rows, &style)
}

#[test]
fn the_tables_of_the_listers_are_reviewed() {
    let records = records(&scan());
    for width in [80, 40] {
        snapshot(&format!("table-lsagents-{width}"), &table::<Agents>(&records, width));
        snapshot(&format!("table-lssessions-{width}"), &table::<Sessions>(&records, width));
        snapshot(&format!("table-lsclaude-{width}"), &table::<Processes>(&records, width));
    }
}

#[test]
fn the_report_of_agentdiff_and_the_plan_of_agentprune_are_reviewed() {
    let world = World::new();
    let judge = |arguments: &[&str], columns: &str| {
        let mut command = world.tool("agentdiff");
        let ran = run(command.args(arguments).env("COLUMNS", columns), &scan()).expect(&[1]);
        format!("{}{}", ran.out, ran.err)
    };
    // agentprune acts on findings of this machine only.
    let here = run(&mut world.lsclaude(), "").ok().records().pop().unwrap();
    let field = |name: &str| here[name].as_str().unwrap().to_owned();
    let findings = judge(&[], "80").replace("build1", &field("host"));
    let findings = findings.replace("5f0c2b1e-9d3a-4c57-8a64-2e7d90b1c3f8", &field("boot_id"));
    let findings = findings.replace("4026532179", &field("pid_ns"));
    let findings: String =
        findings.lines().filter(|line| line.starts_with('{')).map(|l| format!("{l}\n")).collect();
    for columns in ["80", "40"] {
        snapshot(&format!("table-agentdiff-{columns}"), &judge(&["-T"], columns));
        let some = ["-T", "-o", "kind,target,process.rss_bytes,session.panes.running"];
        snapshot(&format!("table-agentdiff-o-{columns}"), &judge(&some, columns));
        let mut prune = world.tool("agentprune");
        let ran = run(prune.arg("-T").env("COLUMNS", columns), &findings).ok();
        let shown = format!("{}{}", ran.out, ran.err);
        snapshot(&format!("table-agentprune-{columns}"), &shown);
    }
}
