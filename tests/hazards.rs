//! The table of hazards in README.md against the names of the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::manual_recipes::sources;

/// The numbers in the names of tests below a directory: 22 for `fn h22_…`.
fn tested(directory: &Path, found: &mut BTreeSet<u32>) {
    let name = Regex::new(r"(?m)^#\[test\]\n(?:#\[.*\n)*fn h(\d\d)_").expect("a pattern");
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tested(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let numbers = name.captures_iter(&text).map(|found| found[1].parse().unwrap());
            found.extend(numbers.collect::<Vec<u32>>());
        }
    }
}

/// What is wrong with the rows of a table, given the numbers that have tests.
fn disagreements(page: &str, tested: &BTreeSet<u32>) -> Vec<String> {
    let (mut wrong, mut listed) = (Vec::new(), BTreeSet::new());
    let (_, table) = page.split_once("| number | the world |").expect("the table of hazards");
    for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, world, holds, state] = cells[..] else {
            wrong.push(format!("not four cells: {row}"));
            continue;
        };
        let Some(number) = number.parse().ok().filter(|_| number.len() == 2) else {
            wrong.push(format!("not a number of two digits: {row}"));
            continue;
        };
        if number != listed.len() as u32 + 1 || !listed.insert(number) {
            wrong.push(format!("h{number:02} does not follow the number before"));
        }
        if world.is_empty() || holds.is_empty() {
            wrong.push(format!("h{number:02} says nothing"));
        }
        match (state, tested.contains(&number)) {
            ("test", true) | ("not built yet", false) => {}
            ("test", false) => wrong.push(format!("h{number:02} has no test")),
            ("not built yet", true) => wrong.push(format!("h{number:02} has a test: say so")),
            _ => wrong.push(format!("h{number:02}: the state is neither test nor not built yet")),
        }
    }
    wrong.extend(tested.difference(&listed).map(|number| format!("h{number:02} has no row")));
    wrong
}

#[test]
fn each_hazard_has_a_row_and_each_row_tells_whether_it_is_tested() {
    let mut numbers = BTreeSet::new();
    for directory in ["tests", "shared", "tools"] {
        tested(&sources().join(directory), &mut numbers);
    }
    let page = fs::read_to_string(sources().join("tests/README.md")).unwrap();
    let wrong = disagreements(&page, &numbers);
    assert!(wrong.is_empty(), "tests/README.md:\n{}", wrong.join("\n"));
}

#[test]
fn what_the_table_gets_wrong_is_named() {
    let table = |rows: &str| format!("| number | the world | x | y |\n|---|\n{rows}\n");
    let wrong = |rows: &str| disagreements(&table(rows), &BTreeSet::from([1, 2]));
    let good = "| 01 | a | b | test |\n| 02 | a | b | test |\n| 03 | a | b | not built yet |";
    assert_eq!(wrong(good), [""; 0]);
    for (from, to, said) in [
        ("02 | a | b | test", "02 | a | b | not built yet", "h02 has a test: say so"),
        ("03 | a | b | not built yet", "03 | a | b | test", "h03 has no test"),
        ("| 02 | a | b | test |\n| 03", "| 03", "h03 does not follow the number before"),
        ("| 02 | a | b | test |\n| 03 | a | b | not built yet |", "", "h02 has no row"),
        ("| 02 | a", "| 01 | a", "h01 does not follow the number before"),
        ("02 | a", "02 | ", "h02 says nothing"),
        (
            "b | test |\n| 03",
            "b | tested |\n| 03",
            "h02: the state is neither test nor not built yet",
        ),
    ] {
        let rows = good.replacen(from, to, 1);
        assert!(wrong(&rows).iter().any(|line| line == said), "{said}: {:?}", wrong(&rows));
    }
}
