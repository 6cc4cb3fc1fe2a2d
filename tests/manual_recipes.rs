//! The recipes of agentutils(7), as they stand in the page, for the tests that execute them.

use std::path::Path;
use std::process::Command;

use crate::examples::document::unescaped;
use crate::world::run;

// Built in: the directory of the sources may not be there where a test is `privately`.
const PAGE: &str = include_str!("../man/agentutils.7");

/// The directory of the sources.
pub fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The literal blocks under a heading of the page, as it shows them.
///
/// # Panics
/// When there is no such heading, or something in a block that is not understood.
pub fn recipes(heading: &str) -> Vec<String> {
    let start = format!(".Ss {heading}\n");
    let (_, section) = PAGE.split_once(&start).unwrap_or_else(|| panic!("no heading {heading}"));
    let is_heading = |line: &&str| line.starts_with(".Ss ") || line.starts_with(".Sh ");
    let mut blocks = Vec::new();
    let mut block = None;
    for line in section.lines().take_while(|line| !is_heading(line)) {
        match line {
            ".Bd -literal" => block = Some(String::new()),
            ".Ed" => blocks.extend(block.take()),
            _ => {
                if let Some(text) = &mut block {
                    assert!(!line.starts_with('.'), "not understood: {line}");
                    text.push_str(&unescaped(line));
                    text.push('\n');
                }
            }
        }
    }
    blocks
}

/// The only recipe under a heading.
///
/// # Panics
/// As [`recipes`], and when there is not just one.
pub fn recipe(heading: &str) -> String {
    let [recipe] = &recipes(heading)[..] else { panic!("{heading}: not one recipe") };
    recipe.clone()
}

#[test]
fn the_page_shows_the_recipes_as_they_are_executed() {
    let page = sources().join("man/agentutils.7");
    let rendered = run(Command::new("mandoc").args(["-T", "utf8"]).arg(page), "").ok().out;
    // Bold and underlined letters are overstruck.
    let letters: Vec<char> = rendered.chars().collect();
    let struck = |at: usize| letters.get(at + 1) == Some(&'\u{8}') || letters[at] == '\u{8}';
    let plain: String =
        (0..letters.len()).filter(|&at| !struck(at)).map(|at| letters[at]).collect();
    let lines: Vec<&str> = plain.lines().map(str::trim).collect();
    let headings =
        ["With cron", "With systemd", "With tmux", "For several users", "A health check", "Gauges"];
    let hosts = ["Scan all of them", "Clean up each of them", "Clean up from stored findings"];
    for heading in headings.into_iter().chain(hosts) {
        let recipes = recipes(heading);
        assert!(!recipes.is_empty(), "{heading}");
        for line in recipes.iter().flat_map(|recipe| recipe.lines()) {
            assert!(lines.contains(&line.trim()), "{heading}: not shown so: {line}");
        }
    }
}
