//! The plan: findings on one screen, for a person who is about to say yes to them.
//!
//! First how much of what there is, then what would be done to each thing, then what is left
//! alone, at last what that adds up to. Every finding stands under one heading. Lists are cut so
//! that the plan fits; the counts are always whole.

mod actions;
mod consent;
mod items;
mod section;
mod sums;

use cli::{TableStyle, Tone, escaped, filled};
use itertools::Itertools;
use serde_json::Value;

pub use self::consent::consent;
use self::items::{Detail, held, kept};
use self::section::{Section, cut_to};

/// What a plan is about.
#[derive(Clone, Copy, Debug)]
pub struct Overview<'v> {
    /// The findings, in their order.
    pub findings: &'v [Value],
    /// Sessions about which nothing was found.
    pub sessions: &'v [Value],
    /// Whether there are others that a filter left out.
    pub is_filtered: bool,
    /// Whether everything was judged.
    pub is_whole: bool,
}

/// A plan as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanText {
    lists: String,
    conclusion: String,
    /// Whether lists were cut.
    pub is_cut: bool,
}

impl PlanText {
    /// All of it. `note`: a line above the conclusion, which stands last, right above a question.
    pub fn with_note(&self, note: &str) -> String {
        [&*self.lists, note, &*self.conclusion].concat()
    }
}

impl Overview<'_> {
    /// The plan, with no line wider than the terminal, and in `height` lines if there is one.
    pub fn text(&self, style: &TableStyle, height: Option<usize>) -> PlanText {
        let hosts: Vec<_> = self.findings.iter().map(|finding| &finding["host"]).unique().collect();
        let conclusion = sums::conclusion(self.findings, !self.is_filtered, self.is_whole);
        let line = |text: &str| filled(text, style) + "\n";
        let first = Some(sums::counts(self.findings)).filter(|counts| !counts.is_empty());
        let first = first.map(|counts| line(&counts)).unwrap_or_default();
        let conclusion = line(&conclusion);
        let mut all = Vec::new();
        let detail = Detail { style, is_brief: height.is_some() };
        for host in &hosts {
            let of_host: Vec<&Value> =
                self.findings.iter().filter(|finding| &&finding["host"] == host).collect();
            let on = match hosts.len() {
                0 | 1 => String::new(),
                _ => format!(" on {}", escaped(host.as_str().unwrap_or_default())),
            };
            all.extend(sections(&of_host, &on, detail));
        }
        if hosts.len() < 2 {
            all.push(Section::new("Sessions kept", Tone::Plain, kept(self.sessions, detail)));
        }
        all.retain(|section| !section.is_empty());
        let lines = first.lines().count() + conclusion.lines().count();
        let is_cut = cut_to(&mut all, height.map(|height| height.saturating_sub(lines)));
        // Where there is room, a line is left free between what belongs together.
        let gap = if height.is_some() { "" } else { "\n" };
        let parts = all.iter().map(|section| section.text(style));
        let parts = [first].into_iter().chain(parts).filter(|part| !part.is_empty());
        let lists = parts.map(|part| part + gap).collect();
        PlanText { lists, conclusion, is_cut }
    }
}

fn sections(findings: &[&Value], on: &str, detail: Detail<'_>) -> Vec<Section> {
    let acts = |finding: &&&Value| !finding["action"].is_null();
    let mut sections: Vec<Section> = actions::HEADINGS
        .iter()
        .map(|(word, heading)| {
            let of_action: Vec<&Value> =
                findings.iter().filter(|finding| finding["action"] == *word).copied().collect();
            Section::new(&format!("{heading}{on}"), Tone::Bad, actions::items(&of_action, detail))
        })
        .collect();
    // What is ended is not left alone, whatever else was found about it.
    let ended: Vec<&Value> =
        findings.iter().filter(acts).map(|finding| &finding["target"]).collect();
    let left: Vec<&Value> = findings
        .iter()
        .filter(|finding| !acts(finding) && !ended.contains(&&finding["target"]))
        .copied()
        .collect();
    sections.push(Section::new(&format!("Left alone{on}"), Tone::Plain, held(&left, detail)));
    sections
}
