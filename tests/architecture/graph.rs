//! The files of the workspace's crates, and which of them refers to which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::source::{Import, Source};

/// A crate: what it is called on the map and in code, and where it begins.
#[derive(Clone, Copy, Debug)]
pub struct Crate {
    /// On the map.
    pub name: &'static str,
    /// In code.
    pub lib: &'static str,
    /// Path of its first file.
    pub root: &'static str,
    /// Its further programs, which only use it.
    pub programs: &'static [&'static str],
}

/// A file that is a module.
#[derive(Debug)]
pub struct Module {
    /// Index of its crate.
    pub of: usize,
    /// Its names from the root of the crate.
    pub path: Vec<String>,
    /// Path of the file, from the top of the repository.
    pub file: PathBuf,
    /// Whether it is a program on top of the crate's library.
    pub is_program: bool,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    source: Source,
}

/// One file refers to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Index of the file that refers.
    pub from: usize,
    /// Index of the file that defines what is meant.
    pub to: usize,
    /// The line, from 1.
    pub line: usize,
    /// Whether it only passes on a name.
    pub passes_on: bool,
}

/// All files and edges.
#[derive(Debug)]
pub struct Graph {
    /// The crates.
    pub crates: Vec<Crate>,
    /// The files.
    pub modules: Vec<Module>,
    /// Without those from a file to itself.
    pub edges: BTreeSet<Edge>,
    /// Paths of which the target is not known, with file and line.
    pub unresolved: Vec<String>,
    /// Files beside the crates' modules that are none of them.
    pub strays: Vec<String>,
    roots: Vec<usize>,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Something that this file defines.
    Item(usize),
    /// The file as a module.
    Module(usize),
}

impl Graph {
    /// Reads the crates below a directory.
    ///
    /// # Panics
    /// When a file is missing or is not understood.
    pub fn read(top: &Path, crates: &[Crate]) -> Graph {
        let mut graph = Graph {
            crates: crates.to_vec(),
            modules: Vec::new(),
            edges: BTreeSet::new(),
            unresolved: Vec::new(),
            strays: Vec::new(),
            roots: Vec::new(),
        };
        for (index, krate) in crates.iter().enumerate() {
            let root = graph.add(top, index, Path::new(krate.root), Vec::new(), None);
            graph.roots.push(root);
        }
        for (index, krate) in crates.iter().enumerate() {
            for program in krate.programs {
                let program = graph.add(top, index, Path::new(program), Vec::new(), None);
                graph.modules[program].is_program = true;
            }
        }
        for module in 0..graph.modules.len() {
            graph.connect(module);
        }
        for krate in crates {
            graph.find_strays(top, Path::new(krate.root).parent().expect("a directory"));
        }
        graph
    }

    fn add(
        &mut self,
        top: &Path,
        of: usize,
        file: &Path,
        path: Vec<String>,
        parent: Option<usize>,
    ) -> usize {
        let index = self.modules.len();
        let source = Source::read(&top.join(file));
        let names = source.modules.clone();
        let directory = match file.file_stem().and_then(|stem| stem.to_str()) {
            Some("lib" | "main" | "mod") => file.parent().expect("a directory").to_owned(),
            _ => file.with_extension(""),
        };
        let children = BTreeMap::new();
        let file = file.to_owned();
        let is_program = false;
        self.modules.push(Module { of, path, file, is_program, parent, children, source });
        for name in names {
            let inside = directory.join(&name).join("mod.rs");
            let beside = directory.join(&name).with_extension("rs");
            let file = if top.join(&inside).exists() { inside } else { beside };
            let path = [self.modules[index].path.clone(), vec![name.clone()]].concat();
            let child = self.add(top, of, &file, path, Some(index));
            self.modules[index].children.insert(name, child);
        }
        index
    }

    /// A file that no module declares is not compiled, and nothing else says so.
    fn find_strays(&mut self, top: &Path, directory: &Path) {
        for entry in fs::read_dir(top.join(directory)).expect("a directory of sources") {
            let entry = entry.expect("an entry of the directory");
            let path = directory.join(entry.file_name());
            if entry.path().is_dir() {
                self.find_strays(top, &path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("build.rs")
                && !self.modules.iter().any(|module| module.file == path)
            {
                self.strays.push(path.display().to_string());
            }
        }
    }

    fn connect(&mut self, from: usize) {
        let source = &self.modules[from].source;
        let imports = source.imports.iter().map(|import| {
            (import.path.clone(), import.line, import.exported, import.name.is_none())
        });
        let references =
            source.references.iter().map(|found| (found.path.clone(), found.line, false, false));
        for (path, line, passes_on, is_glob) in imports.chain(references).collect::<Vec<_>>() {
            match self.resolve(from, &path, 0) {
                Some(Target::Item(to)) => self.edge(from, to, line, passes_on),
                // A module alone says nothing of its files: what is used of it does. Of all
                // that it has, everything may be used.
                Some(Target::Module(to)) if is_glob && !passes_on => {
                    self.edge_to_all(from, to, line)
                }
                Some(Target::Module(to)) => self.edge_to_crate(from, to, line, passes_on),
                None if self.is_ours(from, &path) => {
                    let file = self.modules[from].file.display();
                    self.unresolved.push(format!("{file}:{line}: {}", path.join("::")));
                }
                None => {}
            }
        }
    }

    fn edge(&mut self, from: usize, to: usize, line: usize, passes_on: bool) {
        if from != to {
            self.edges.insert(Edge { from, to, line, passes_on });
        }
    }

    /// A module of another crate: that much is clear.
    fn edge_to_crate(&mut self, from: usize, to: usize, line: usize, passes_on: bool) {
        if self.modules[from].of != self.modules[to].of {
            self.edge(from, to, line, passes_on);
        }
    }

    fn edge_to_all(&mut self, from: usize, to: usize, line: usize) {
        self.edge(from, to, line, false);
        for import in self.modules[to].source.imports.clone() {
            if let Some(Target::Item(to)) = self.resolve(to, &import.path, 0) {
                self.edge(from, to, line, false);
            }
        }
    }

    /// Whether a path certainly leads into one of the crates.
    fn is_ours(&self, from: usize, path: &[String]) -> bool {
        let krate = |krate: &Crate| krate.lib == path[0];
        let is_relative = ["crate", "super", "self"].contains(&path[0].as_str());
        let has_own = self.modules[from].children.contains_key(&path[0]);
        path.len() > 1 && (is_relative || has_own || self.crates.iter().any(krate))
    }

    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let module = &self.modules[from];
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(self.root_of(from), rest, depth),
            "self" if rest.is_empty() => None,
            "self" => self.resolve(from, rest, depth),
            "super" if rest.is_empty() => module.parent.map(Target::Module),
            "super" if rest[0] == "super" => self.resolve(module.parent?, rest, depth),
            "super" => self.walk(module.parent?, rest, depth),
            _ => self.walk(from, path, depth).or_else(|| {
                let index = self.crates.iter().position(|krate| krate.lib == first)?;
                // A single name is a variable more often than a crate.
                if rest.is_empty() { None } else { self.walk(self.roots[index], rest, depth) }
            }),
        }
    }

    fn root_of(&self, module: usize) -> usize {
        self.modules[module].parent.map_or(module, |parent| self.root_of(parent))
    }

    /// Follows a path from inside a module.
    fn walk(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let Some((name, rest)) = path.split_first() else { return Some(Target::Module(from)) };
        // An import that leads back to itself is one of another crate.
        if depth > 12 {
            return None;
        }
        let module = &self.modules[from];
        let child = module.children.get(name).copied();
        if let Some(child) = child.filter(|_| !rest.is_empty())
            && let Some(target) = self.walk(child, rest, depth + 1)
        {
            return Some(target);
        }
        if module.source.items.contains(name) {
            return Some(Target::Item(from));
        }
        let named = |import: &&Import| import.name.as_ref() == Some(name);
        for import in module.source.imports.iter().filter(named) {
            let target = self.imported(from, import, depth);
            match target {
                Some(Target::Module(module)) => {
                    if let Some(target) = self.walk(module, rest, depth + 1) {
                        return Some(target);
                    }
                }
                Some(item) => return Some(item),
                None => {}
            }
        }
        if let Some(child) = child {
            return self.walk(child, rest, depth + 1);
        }
        for import in module.source.imports.iter().filter(|import| import.name.is_none()) {
            if let Some(Target::Module(module)) = self.imported(from, import, depth)
                && module != from
                && let Some(target) = self.walk(module, path, depth + 1)
            {
                return Some(target);
            }
        }
        None
    }

    /// What an import of a file means. Its first name is not what it brings itself.
    fn imported(&self, of: usize, import: &Import, depth: usize) -> Option<Target> {
        let is_itself = import.path.len() == 1 && import.name.as_ref() == import.path.first();
        if is_itself { None } else { self.resolve(of, &import.path, depth + 1) }
    }

    /// A shortest circle through each group of files that refer to each other.
    pub fn circles(&self) -> Vec<Vec<Edge>> {
        let mut circles: Vec<Vec<Edge>> = Vec::new();
        for start in 0..self.modules.len() {
            let reported = circles.iter().flatten().any(|edge| edge.from == start);
            if !reported && let Some(circle) = self.way_back(start) {
                circles.push(circle);
            }
        }
        circles
    }

    /// A shortest way from a file to itself.
    fn way_back(&self, start: usize) -> Option<Vec<Edge>> {
        let mut came_by: BTreeMap<usize, &Edge> = BTreeMap::new();
        let mut next = VecDeque::from([start]);
        while let Some(at) = next.pop_front() {
            for edge in self.edges.iter().filter(|edge| edge.from == at && !edge.passes_on) {
                if came_by.contains_key(&edge.to) {
                    continue;
                }
                came_by.insert(edge.to, edge);
                next.push_back(edge.to);
                if edge.to == start {
                    let mut way = vec![edge.clone()];
                    while way[0].from != start {
                        way.insert(0, came_by[&way[0].from].clone());
                    }
                    return Some(way);
                }
            }
        }
        None
    }

    /// The name of a file on the map: `crate::module`, of the top-level module it belongs to.
    pub fn place(&self, module: usize) -> String {
        let Module { of, path, .. } = &self.modules[module];
        let top = path.first().map_or("lib", String::as_str);
        format!("{}::{top}", self.crates[*of].name)
    }

    /// Where an edge is seen: `FILE:LINE`.
    pub fn line(&self, edge: &Edge) -> String {
        format!("{}:{}", self.modules[edge.from].file.display(), edge.line)
    }
}

impl Module {
    /// Whether there is anything but modules and imports.
    pub fn has_code(&self) -> bool {
        self.source.has_code
    }
}
