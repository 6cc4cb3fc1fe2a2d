//! What registries are made of, odd and ordinary.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::texts::{Key, Node, Oddities, Style};

/// Members of an object.
pub type Fields = Vec<(Key, Node)>;

/// An entry in the making.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its key, or its field `id`.
    pub id: Key,
    /// What it says of its state, and whether it has said another thing before.
    pub status: Option<(Key, bool)>,
    /// All else.
    pub fields: Fields,
    /// Where among that id and status stand.
    pub place: Index,
}

/// The top level in the making.
#[derive(Clone, Debug)]
pub struct Top {
    /// Members before `agents`.
    pub before: Fields,
    /// Other `agents` before those that count.
    pub decoy: Option<Node>,
    /// Members between the two.
    pub between: Fields,
    /// Counters, and where among all members they stand.
    pub counters: Vec<(usize, Option<Node>)>,
    /// Members behind `agents`.
    pub behind: Fields,
    /// The spelling of `agents`.
    pub agents_key: Key,
}

/// A string without anything to escape.
pub fn plain(text: &str) -> Key {
    (format!("\"{text}\""), text.to_owned())
}

/// Styles.
pub fn style() -> impl Strategy<Value = Style> {
    let spaces = select(vec!["", "", " ", "\n", "\r\n", "\t", "  \n "]);
    prop_oneof![
        Just(Style::Minified),
        select(vec!["  ", "    ", "\t"]).prop_map(|unit| Style::Lines(unit, "\n")),
        Just(Style::Lines("  ", "\r\n")),
        vec(spaces, 1..12).prop_map(Style::Odd),
    ]
}

/// Spellings and what they mean; there are no others of the same meaning in another one.
fn pieces() -> Vec<Key> {
    [
        ("a", "a"),
        ("z9", "z9"),
        ("é", "é"),
        (r"\u00e9", "é"),
        (r"\u00E9", "é"),
        (r#"\""#, "\""),
        (r"\\", "\\"),
        (r"\/", "/"),
        (r"\t", "\t"),
        ("{", "{"),
        ("],}", "],}"),
        (r#"\",\"agents\":{"#, "\",\"agents\":{"),
        ("😀", "😀"),
        (r"\ud83d\ude00", "😀"),
        (" ", " "),
        ("日本", "日本"),
        ("\u{2028}", "\u{2028}"),
    ]
    .map(|(raw, text)| (raw.to_owned(), text.to_owned()))
    .to_vec()
}

fn text() -> impl Strategy<Value = Key> {
    vec(select(pieces()), 0..4).prop_map(|pieces| {
        let (raw, text): (Vec<String>, Vec<String>) = pieces.into_iter().unzip();
        (format!("\"{}\"", raw.concat()), text.concat())
    })
}

fn id() -> impl Strategy<Value = Key> {
    prop_oneof![
        6 => (0..40).prop_map(|number| plain(&format!("worker-{number}"))),
        1 => (0..6).prop_map(|n| (format!(r#""work\u0065r-{n}""#), format!("worker-{n}"))),
        2 => text(),
    ]
}

/// A value that no tool looks at. `\udead` and `1e400` are in no other place.
fn ignored() -> impl Strategy<Value = Node> {
    let raws = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.10",
        "1e400",
        "-1E+2",
        "0.1e-7",
        "12345678901234567890",
        r#""\udead""#,
        r#""x\udead\u0000""#,
    ];
    let scalar = prop_oneof![
        select(raws.to_vec()).prop_map(|raw| Node::Scalar(raw.to_owned())),
        text().prop_map(|(raw, _)| Node::Scalar(raw)),
    ];
    let tree = scalar.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Node::List),
            vec((name(), inner), 0..3).prop_map(Node::Object),
        ]
    });
    let depth = prop_oneof![8 => Just(0), 1 => 1..36_usize];
    (tree, depth).prop_map(|(tree, depth)| {
        (0..depth).fold(tree, |inner, level| match level % 3 {
            0 => Node::Object(vec![(plain("agents"), inner)]),
            _ => Node::List(vec![inner]),
        })
    })
}

/// A name of a member that no tool looks at.
fn name() -> impl Strategy<Value = Key> {
    prop_oneof![
        select(vec!["prompt", "depth", "max_agents", "tasks", "x"]).prop_map(plain),
        text().prop_map(|(raw, text)| (raw.replacen('"', "\"_", 1), format!("_{text}"))),
    ]
}

/// A member of an entry, but for id and status.
fn field() -> impl Strategy<Value = (Key, Node)> {
    let known =
        select(vec!["tmux_session", "started_at", "last_update", "terminated_at", "parent"]);
    let value = prop_oneof![
        3 => text().prop_map(|(raw, _)| Node::Scalar(raw)),
        1 => Just(Node::Scalar("null".to_owned())),
    ];
    prop_oneof![(known.prop_map(plain), value), (name(), ignored())]
}

/// Entries.
pub fn entry() -> impl Strategy<Value = Agent> {
    let spellings =
        ["working", "running", "completed", "terminated", "blocked", "", r"work\u0069ng", "odd"];
    let status = select(spellings.to_vec())
        .prop_map(|raw| (format!("\"{raw}\""), raw.replace(r"\u0069", "i")));
    let status = weighted(0.7, (status, proptest::bool::weighted(0.1)));
    (id(), status, vec(field(), 0..5), any::<Index>())
        .prop_map(|(id, status, fields, place)| Agent { id, status, fields, place })
}

/// Top levels.
pub fn top(oddities: Oddities) -> impl Strategy<Value = Top> {
    let number = (0..12_i64).prop_map(|n| Node::Scalar(n.to_string()));
    let odd = ignored().boxed();
    let counter = if oddities.counters {
        prop_oneof![3 => number.boxed(), 1 => odd].boxed()
    } else {
        number.boxed()
    };
    let fields = || vec((name(), ignored()), 0..3);
    let agents_key =
        select(vec![plain("agents"), (r#""\u0061gents""#.to_owned(), "agents".to_owned())]);
    let counters = vec((0..30_usize, weighted(0.8, counter)), 0..5);
    (fields(), weighted(0.15, ignored()), fields(), counters, fields(), agents_key).prop_map(
        |(before, decoy, between, counters, behind, agents_key)| Top {
            before,
            decoy,
            between,
            counters,
            behind,
            agents_key,
        },
    )
}
