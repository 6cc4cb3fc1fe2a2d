//! `-T` without `-o`: the findings as a report. What is wrong and why, what agentprune
//! would do about it, and what is left alone.

use cli::{Cell, Findings, TableStyle, bytes, cell, columns, filled, painted, render};
use itertools::Itertools;
use model::record::End;
use serde_json::Value;

/// The report about these findings, in their order. `end` says whether something was not
/// judged, and whether a filter left findings out: then the report does not say that there is
/// nothing to clean up.
pub fn report(findings: &[Value], end: &End, style: TableStyle) -> String {
    let hosts = findings.iter().map(|finding| &finding["host"]).unique().count();
    let mut text = String::new();
    for (_, of_host) in &findings.iter().chunk_by(|finding| &finding["host"]) {
        let of_host: Vec<&Value> = of_host.collect();
        if hosts > 1 {
            text += &format!("On {}\n\n", word(of_host[0], "host").text);
        }
        let (wrong, held): (Vec<&Value>, Vec<&Value>) =
            of_host.into_iter().partition(|finding| is_actionable(finding));
        text += &section("To clean up", &wrong, style);
        text += &section("Left alone", &held, style);
    }
    text + &filled(&(sums(findings, end.filtered || !is_whole(end)) + unread(end)), &style) + "\n"
}

fn is_actionable(finding: &Value) -> bool {
    !finding["action"].is_null()
}

/// The findings under a title, grouped by kind.
fn section(title: &str, findings: &[&Value], style: TableStyle) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let columns = columns::<Findings>(&["target", "reason"]);
    let mut text = format!("{title}\n\n");
    for (_, of_kind) in &findings.iter().chunk_by(|finding| (&finding["kind"], &finding["action"]))
    {
        let of_kind: Vec<&&Value> = of_kind.collect();
        let kind = word(of_kind[0], "kind");
        text += &painted(&kind.text, kind.tone, style.colour);
        if is_actionable(of_kind[0]) {
            text += &format!(" → {}", word(of_kind[0], "action").text);
        }
        text.push('\n');
        let row = |finding: &&&Value| {
            let cells = columns.iter().map(|column| cell(finding, column, style.now));
            cells.collect::<Vec<Cell>>()
        };
        let rows: Vec<Vec<Cell>> = of_kind.iter().map(row).collect();
        text += &render(&columns, &rows, &TableStyle { headings: false, indent: "  ", ..style });
        text.push('\n');
    }
    text
}

/// The value of a field of a finding, as it is shown.
fn word(finding: &Value, field: &str) -> Cell {
    let columns = columns::<Findings>(&[field]);
    cell(finding, &columns[0], None)
}

/// The last line: how many findings of each kind there are, and the memory of their processes.
/// `partial`: there may be others.
fn sums(findings: &[Value], partial: bool) -> String {
    let counted = |wanted: bool| {
        let chosen = findings.iter().filter(|finding| is_actionable(finding) == wanted);
        // On several hosts a kind is found several times.
        let kinds = chosen.into_group_map_by(|finding| &finding["kind"]);
        let in_order = findings.iter().map(|finding| &finding["kind"]).unique();
        in_order.filter_map(|kind| Some(sum(kinds.get(kind)?))).join(", ")
    };
    match [&*counted(true), &*counted(false)] {
        ["", ""] => "No findings.".to_owned(),
        ["", held] if partial => format!("Left alone: {held}."),
        ["", held] => format!("Nothing to clean up. Left alone: {held}."),
        [wrong, ""] => format!("To clean up: {wrong}."),
        [wrong, held] => format!("To clean up: {wrong}. Left alone: {held}."),
    }
}

/// Says that findings may be missing.
fn unread(end: &End) -> &'static str {
    if is_whole(end) { "" } else { " Not everything could be judged." }
}

/// Whether everything was judged.
fn is_whole(end: &End) -> bool {
    end.error.is_none() && end.unjudged.as_ref().is_none_or(|unjudged| unjudged.is_empty())
}

/// How many findings of a kind there are, and the memory of the processes among them.
fn sum(of_kind: &Vec<&Value>) -> String {
    let resident = of_kind.iter().filter_map(|finding| finding["process"]["rss_bytes"].as_u64());
    let memory: u64 = resident.sum();
    let memory = if memory > 0 { format!(" ({})", bytes(memory)) } else { String::new() };
    format!("{} {}{memory}", of_kind.len(), word(of_kind[0], "kind").text)
}
