//! The code map of ARCHITECTURE.md: which crate and which module may refer to which, and
//! that no two files of a crate refer to each other in a circle.

mod graph;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use self::graph::{Crate, Graph};
use crate::manual_recipes::sources;

const CRATES: [Crate; 5] = [
    of("model", "model", "shared/model/src/lib.rs", &[]),
    of("registry", "registry", "shared/registry/src/lib.rs", &[]),
    of("host", "host", "shared/host/src/lib.rs", &[]),
    of("cli", "cli", "shared/cli/src/lib.rs", &[]),
    of(
        "tools",
        "agentutils",
        "tools/lib.rs",
        &[
            "tools/lsagents/main.rs",
            "tools/lssessions/main.rs",
            "tools/lsclaude/main.rs",
            "tools/agentdiff/main.rs",
            "tools/agentprune/main.rs",
            "tools/completions.rs",
        ],
    ),
];

const fn of(
    name: &'static str,
    lib: &'static str,
    root: &'static str,
    programs: &'static [&'static str],
) -> Crate {
    Crate { name, lib, root, programs }
}

/// The map: from each crate and top-level module to those it may refer to.
type Map = BTreeMap<String, BTreeSet<String>>;

/// The block of the page that is marked `code-map`: lines of the form `from: to to`.
///
/// # Panics
/// When there is none, or a line in it is of another form.
fn map_of(page: &str) -> Map {
    let (_, rest) = page.split_once("```code-map\n").expect("a block marked code-map");
    let (block, _) = rest.split_once("```").expect("the end of the block");
    let lines = block.lines().filter(|line| !line.is_empty());
    let entries = lines.map(|line| {
        let (from, to) = line
            .split_once(": ")
            .or_else(|| line.strip_suffix(':').map(|from| (from, "")))
            .unwrap_or_else(|| panic!("not of the form `from: to to`: {line}"));
        (from.trim().to_owned(), to.split_whitespace().map(str::to_owned).collect())
    });
    entries.collect()
}

/// The map as the sources have it, and where each edge is seen first.
fn map_in(graph: &Graph) -> (Map, BTreeMap<(String, String), String>) {
    let (mut map, mut first) = (Map::new(), BTreeMap::new());
    for (index, module) in graph.modules.iter().enumerate() {
        map.entry(graph.crates[module.of].name.to_owned()).or_default();
        // A root that only declares and passes on has no place of its own.
        if !module.is_program && (!module.path.is_empty() || module.has_code()) {
            map.entry(graph.place(index)).or_default();
        }
    }
    for edge in &graph.edges {
        let [from, to] = [edge.from, edge.to].map(|module| &graph.modules[module]);
        let is_root = from.path.is_empty();
        let (from, to) = match from.of == to.of {
            // A program uses its library; the library passes on what its modules have.
            true if from.is_program || (is_root && edge.passes_on) => continue,
            true => (graph.place(edge.from), graph.place(edge.to)),
            false => (graph.crates[from.of].name.to_owned(), graph.crates[to.of].name.to_owned()),
        };
        if from != to {
            first.entry((from.clone(), to.clone())).or_insert_with(|| graph.line(edge));
            map.entry(from).or_default().insert(to);
        }
    }
    (map, first)
}

/// Everything in which the sources disagree with the map, and the circles, a line each.
fn disagreements(graph: &Graph, map: &Map) -> Vec<String> {
    let (seen, first) = map_in(graph);
    let on = |map: &Map, from: &str, to: &str| map.get(from).is_some_and(|all| all.contains(to));
    let mut wrong = Vec::new();
    for ((from, to), line) in &first {
        if !on(map, from, to) {
            wrong.push(format!("{line}: {from} -> {to} is not on the map"));
        }
    }
    for place in seen.keys().filter(|place| !map.contains_key(*place)) {
        wrong.push(format!("{place} is not on the map"));
    }
    for (from, allowed) in map {
        if !seen.contains_key(from) {
            wrong.push(format!("{from} is on the map and not in the sources"));
        }
        for to in allowed.iter().filter(|to| seen.contains_key(from) && !on(&seen, from, to)) {
            wrong.push(format!("{from} -> {to} is on the map and not in the sources"));
        }
    }
    for circle in graph.circles() {
        let way: Vec<String> = circle.iter().map(|edge| graph.line(edge)).collect();
        wrong.push(format!("a circle: {}", way.join(" -> ")));
    }
    wrong.extend(graph.strays.iter().map(|file| format!("{file}: no module declares it")));
    wrong.extend(graph.unresolved.iter().map(|path| format!("{path}: leads nowhere")));
    wrong
}

#[test]
fn the_sources_agree_with_the_code_map_and_have_no_circles() {
    let page = sources().join("ARCHITECTURE.md");
    let page = fs::read_to_string(&page).expect("ARCHITECTURE.md");
    let graph = Graph::read(sources(), &CRATES);
    let wrong = disagreements(&graph, &map_of(&page));
    let (seen, _) = map_in(&graph);
    let lines = seen.iter().map(|(from, to)| {
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        format!("{from}: {}", to.join(" ")).trim_end().to_owned()
    });
    let seen: Vec<String> = lines.collect();
    assert!(
        wrong.is_empty(),
        "\n{}\n\nThe map by the sources would be:\n{}",
        wrong.join("\n"),
        seen.join("\n")
    );
}

/// Writes two crates and returns what is wrong with them by a map.
fn wrong_with(files: &[(&str, &str)], map: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let usual = [("one/lib.rs", "pub mod a;\n"), ("one/a.rs", ""), ("two/lib.rs", "")];
    let is_directory = files.iter().any(|(path, _)| *path == "one/a/mod.rs");
    let usual = usual.iter().filter(|(path, _)| !(is_directory && *path == "one/a.rs"));
    for (path, text) in usual.chain(files) {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let crates = [of("one", "one", "one/lib.rs", &[]), of("two", "two", "two/lib.rs", &[])];
    let map = map_of(&format!("```code-map\n{map}```\n"));
    disagreements(&Graph::read(directory.path(), &crates), &map)
}

#[test]
fn an_edge_is_named_with_its_file_and_line() {
    let map = "one:\none::a:\none::b:\ntwo:\n";
    let both = ("one/lib.rs", "pub mod a;\npub mod b;\n");
    for (code, line) in [
        ("use crate::b::Thing;\n", 1),
        ("\nuse super::{b::{self, Thing as Other}};\n", 2),
        ("/// crate::b::Thing\nfn f() -> super::b::Thing { todo!() }\n", 2),
        ("fn f() { println!(\"{}\", crate::b::Thing::new()) }\n", 1),
        ("#[serde(with = \"crate::b::Thing\")]\nstruct S;\n", 1),
        ("use crate::b;\nfn f() { g(b::Thing) }\n", 2),
        ("pub use super::b::Thing;\n", 1),
        ("use crate::b::*;\n", 1),
        ("mod own {\n  use super::super::b::Thing;\n}\n", 2),
        ("use crate::b as c;\nfn f(x: &[c::Thing]) {}\n", 2),
    ] {
        let wrong =
            wrong_with(&[both, ("one/a.rs", code), ("one/b.rs", "pub struct Thing;\n")], map);
        let expected = format!("one/a.rs:{line}: one::a -> one::b is not on the map");
        assert_eq!(wrong, [expected], "{code}");
    }
    let innocent = "// use crate::b::Thing;\nconst T: &str = \"crate::b::Thing\";\n\
                    #[cfg(test)]\nmod tests { use crate::b::Thing; }\nuse std::fs;\n\
                    mod own { use super::T; pub fn f() {} }\nfn g() { own::f(); self::own::f() }\n\
                    fn f<'b>(b: &'b str) { b.Thing() }\n";
    let files = [both, ("one/a.rs", innocent), ("one/b.rs", "pub struct Thing;\n")];
    assert_eq!(wrong_with(&files, map), [""; 0]);
    let crates = [("two/lib.rs", "use one::a::f;\n"), ("one/a.rs", "pub fn f() {}\n")];
    let wrong = wrong_with(&crates, "one:\none::a:\ntwo:\n");
    assert_eq!(wrong, ["two/lib.rs:1: two -> one is not on the map"]);
}

#[test]
fn what_is_on_the_map_only_is_named() {
    let wrong = wrong_with(&[], "one: two\none::a: one::b\none::b:\ntwo:\n");
    let of = |what: &str| format!("{what} is on the map and not in the sources");
    assert_eq!(wrong, [of("one -> two"), of("one::a -> one::b"), of("one::b")]);
    assert_eq!(wrong_with(&[], "one:\ntwo:\n"), ["one::a is not on the map"]);
    let wrong = wrong_with(&[("one/a.rs", "use crate::c::Gone;\n")], "one:\none::a:\ntwo:\n");
    assert_eq!(wrong, ["one/a.rs:1: crate::c::Gone: leads nowhere"]);
    let wrong = wrong_with(&[("one/a/b.rs", "")], "one:\none::a:\ntwo:\n");
    assert_eq!(wrong, ["one/a/b.rs: no module declares it"]);
}

#[test]
fn a_circle_is_named_with_all_its_steps() {
    let map = "one:\none::a:\ntwo:\n";
    let parent = ("one/a/mod.rs", "mod x;\nmod y;\npub use x::X;\npub use y::Y;\n");
    let child = ("one/a/x.rs", "use super::Y;\npub struct X(Y);\n");
    // The parent is passed through: who defines counts.
    let files = [parent, child, ("one/a/y.rs", "pub struct Y;\n")];
    assert_eq!(wrong_with(&files, map), [""; 0]);
    let files = [parent, child, ("one/a/y.rs", "pub struct Y(Option<Box<super::X>>);\n")];
    assert_eq!(wrong_with(&files, map), ["a circle: one/a/x.rs:1 -> one/a/y.rs:1"]);
    // A parent with code of its own is a file like others.
    let parent = ("one/a/mod.rs", "mod x;\npub use x::X;\npub struct Y(X);\n");
    let files = [parent, child];
    assert_eq!(wrong_with(&files, map), ["a circle: one/a/mod.rs:3 -> one/a/x.rs:1"]);
}
