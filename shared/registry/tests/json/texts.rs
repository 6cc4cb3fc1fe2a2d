//! Registry texts as anybody might have written them, and what stands where in them: known
//! from the writing, not from reading.

use std::ops::Range;

use model::record::Scope;
use model::record::is_active;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use registry::json::counter_names;

use super::parts::{Agent, Top, entry, plain, style, top};

/// A JSON value by its spelling.
#[derive(Clone, Debug)]
pub enum Node {
    /// A scalar.
    Scalar(String),
    /// An array.
    List(Vec<Node>),
    /// An object.
    Object(Vec<(Key, Node)>),
}

/// A string: its spelling and what it means.
pub type Key = (String, String);

/// Where white space may stand, and how much of it there is.
#[derive(Clone, Debug)]
pub enum Style {
    /// None at all.
    Minified,
    /// A line for each member, with this unit of indentation and this end of line.
    Lines(&'static str, &'static str),
    /// Anything, in turn.
    Odd(Vec<&'static str>),
}

/// A text and what stands where in it.
#[derive(Clone, Debug)]
pub struct Written {
    /// The kind of registry.
    pub scope: Scope,
    /// The text.
    pub text: String,
    /// Span of the value of each member of the top level, by name.
    pub members: Vec<(String, Range<usize>)>,
    /// What stands before the last of them.
    pub separator: String,
    /// The entries of the `agents` that count.
    pub entries: Vec<Entry>,
}

/// An entry of a text.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// What it says of its state.
    pub status: Option<String>,
    /// Where it stands, key included.
    pub span: Range<usize>,
}

/// What may be odd in the registries to be made.
#[derive(Clone, Copy, Debug)]
pub struct Oddities {
    /// Several entries with one id.
    pub doubles: bool,
    /// Counters that are no whole numbers.
    pub counters: bool,
}

impl Written {
    /// The value that counts of the members with this name.
    pub fn member(&self, name: &str) -> Option<Range<usize>> {
        self.members.iter().rev().find(|(n, _)| n == name).map(|(_, span)| span.clone())
    }

    /// The ids, each once, in the order of the text.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if !ids.contains(&entry.id.as_str()) {
                ids.push(&entry.id);
            }
        }
        ids
    }

    /// What the counters should be once some entries have gone and some are over.
    pub fn computed(&self, remove: &[String], mark: &[String]) -> Vec<(&'static str, i64)> {
        let (mut all, mut active, mut completed) = (0, 0, 0);
        for (at, entry) in self.entries.iter().enumerate() {
            let later = self.entries[at + 1..].iter().any(|later| later.id == entry.id);
            if remove.contains(&entry.id) || later && self.scope == Scope::Global {
                continue;
            }
            let marked = mark.contains(&entry.id);
            let status = if marked { Some("terminated") } else { entry.status.as_deref() };
            all += 1;
            active += i64::from(is_active(self.scope, status));
            completed += i64::from(status == Some("completed"));
        }
        counter_names(self.scope).iter().copied().zip([all, active, completed]).collect()
    }
}

/// A registry of either kind.
pub fn registries(oddities: Oddities) -> impl Strategy<Value = Written> {
    (any::<bool>(), vec(entry(), 0..9), top(oddities), style(), select(vec!["", "\n", " \r\n\t"]))
        .prop_map(move |(is_task, mut entries, top, style, around)| {
            if !oddities.doubles {
                let mut seen = Vec::new();
                entries.retain(|Agent { id: (_, id), .. }| {
                    !seen.contains(id) && (seen.push(id.clone()), true).1
                });
            }
            let scope = if is_task { Scope::Task } else { Scope::Global };
            write(scope, entries, top, &mut Space { style, at: 0 }, around)
        })
}

fn write(scope: Scope, entries: Vec<Agent>, top: Top, space: &mut Space, around: &str) -> Written {
    let mut statuses = Vec::new();
    let mut nodes = Vec::new();
    for Agent { id, status, mut fields, place } in entries {
        if let Some((status, is_double)) = &status {
            if *is_double {
                let value = Node::Scalar("\"blocked\"".to_owned());
                fields.insert(0, (plain("status"), value));
            }
            let first = usize::from(*is_double);
            let place = first + place.index(fields.len() + 1 - first);
            let value = Node::Scalar(status.0.clone());
            fields.insert(place, (plain("status"), value));
        }
        if scope == Scope::Task {
            let value = Node::Scalar(id.0.clone());
            fields.insert(place.index(fields.len() + 1), (plain("id"), value));
        }
        statuses.push((id.1.clone(), status.map(|(status, _)| status.1)));
        nodes.push((id, Node::Object(fields)));
    }
    let agents = match scope {
        Scope::Global => Node::Object(nodes),
        Scope::Task | Scope::State => Node::List(nodes.into_iter().map(|(_, node)| node).collect()),
    };
    let mut members = top.before;
    members.extend(top.decoy.map(|decoy| (plain("agents"), decoy)));
    members.extend(top.between);
    members.push((top.agents_key, agents));
    let agents_at = members.len() - 1;
    members.extend(top.behind);
    let names = counter_names(scope);
    let mut last_agents = agents_at;
    for (place, value) in top.counters {
        if let (Some(value), name) = (value, names[place % names.len()]) {
            let place = place % (members.len() + 1);
            members.insert(place, (plain(name), value));
            last_agents += usize::from(place <= last_agents);
        }
    }
    let mut out = around.to_owned();
    let mut written = Written {
        scope,
        text: String::new(),
        members: Vec::new(),
        separator: String::new(),
        entries: Vec::new(),
    };
    let mut spans = Vec::new();
    out.push('{');
    for (at, ((key, name), value)) in members.iter().enumerate() {
        let from = out.len();
        separate(&mut out, at, 1, space);
        written.separator = out[from..].to_owned();
        out += key;
        space.colon(&mut out);
        let start = out.len();
        let mut of_children = Vec::new();
        value.write(&mut out, 1, space, &mut of_children);
        written.members.push((name.clone(), start..out.len()));
        if at == last_agents {
            spans = of_children;
        }
    }
    space.put(&mut out, 0);
    out += "}";
    out += around;
    written.text = out;
    written.entries = statuses
        .into_iter()
        .zip(spans)
        .map(|((id, status), span)| Entry { id, status, span })
        .collect();
    written
}

impl Node {
    fn write(
        &self,
        out: &mut String,
        depth: usize,
        space: &mut Space,
        spans: &mut Vec<Range<usize>>,
    ) {
        let ignored = &mut Vec::new();
        let brackets = match self {
            Node::Scalar(raw) => return *out += raw,
            Node::List(_) => ['[', ']'],
            Node::Object(_) => ['{', '}'],
        };
        out.push(brackets[0]);
        let mut any = false;
        let (none, of_object, of_list) = (plain(""), self.members(), self.items());
        let children =
            of_object.iter().map(|(k, n)| (k, n)).chain(of_list.iter().map(|n| (&none, n)));
        for (at, ((key, _), node)) in children.enumerate() {
            separate(out, at, depth + 1, space);
            let start = out.len();
            if brackets[0] == '{' {
                *out += key;
                space.colon(out);
            }
            node.write(out, depth + 1, space, ignored);
            spans.push(start..out.len());
            any = true;
        }
        if any || matches!(space.style, Style::Odd(_)) {
            space.put(out, depth);
        }
        out.push(brackets[1]);
    }

    fn members(&self) -> &[(Key, Node)] {
        if let Node::Object(members) = self { members } else { &[] }
    }

    fn items(&self) -> &[Node] {
        if let Node::List(items) = self { items } else { &[] }
    }
}

struct Space {
    style: Style,
    at: usize,
}

fn separate(out: &mut String, at: usize, depth: usize, space: &mut Space) {
    if at > 0 {
        space.odd(out);
        out.push(',');
    }
    space.put(out, depth);
}

impl Space {
    fn put(&mut self, out: &mut String, depth: usize) {
        match self.style {
            Style::Minified => {}
            Style::Lines(unit, end) => {
                *out += end;
                *out += &unit.repeat(depth);
            }
            Style::Odd(_) => self.odd(out),
        }
    }

    fn colon(&mut self, out: &mut String) {
        self.odd(out);
        out.push(':');
        match self.style {
            Style::Lines(..) => out.push(' '),
            _ => self.odd(out),
        }
    }

    fn odd(&mut self, out: &mut String) {
        if let Style::Odd(spaces) = &self.style {
            *out += spaces[self.at % spaces.len()];
            self.at += 1;
        }
    }
}
