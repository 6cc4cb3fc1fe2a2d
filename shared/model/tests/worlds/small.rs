//! Every small world: up to three processes, two sessions and two entries, each flag of the
//! evidence and each option. What the random worlds sample is proved here for that size.

use std::collections::HashMap;
use std::thread;

use itertools::Itertools;
use jiff::SignedDuration;
use model::record::{HOWS, How};
use model::rules::Options;
use serde_json::json;

use crate::birth::World;
use crate::common::{self, GLOBAL, at, lines, scan};
use crate::oracle::{self, Row};
use crate::rows;

/// A property of a small world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dim {
    /// Absent, loose, held, in the pane of the first session.
    Process,
    /// Absent, idle, busy.
    Session,
    /// Absent, old, young.
    Entry,
    /// Everything was seen; no process, session or entry for sure.
    Evidence,
    /// A server with Claude below it was not asked.
    Unasked,
    /// None, and each that makes a finding of more.
    Options,
}

const DIMS: [(Dim, u8); 10] = [
    (Dim::Process, 4),
    (Dim::Process, 4),
    (Dim::Process, 4),
    (Dim::Session, 3),
    (Dim::Session, 3),
    (Dim::Entry, 3),
    (Dim::Entry, 3),
    (Dim::Evidence, 4),
    (Dim::Unasked, 2),
    (Dim::Options, 6),
];

type Small = [u8; DIMS.len()];

/// What would be done, and how often. Processes differ in nothing but their state: they are not
/// told apart, and of small worlds that differ in their order one is enough.
type Acts = HashMap<Row, usize>;

fn in_order(mut small: Small) -> Small {
    small[..3].sort_unstable();
    small
}

impl Dim {
    /// The changes that add evidence against acting, or take some for acting away.
    fn steps(self) -> &'static [(u8, u8)] {
        match self {
            Dim::Process => &[(1, 2), (1, 3), (1, 0)],
            Dim::Session => &[(1, 2)],
            Dim::Entry => &[(1, 2)],
            Dim::Evidence => &[(0, 1), (0, 2), (0, 3)],
            Dim::Unasked => &[(0, 1)],
            Dim::Options => &[(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)],
        }
    }
}

fn options(number: u8) -> Options {
    Options {
        prefix: "agent_".to_owned(),
        min_age: SignedDuration::from_secs(2),
        entry_age: SignedDuration::from_mins(1),
        outside_tmux: number == 1,
        despite: (number == 2).then_some(How::Log).into_iter().collect(),
        busy: number == 3,
        unregistered: number == 4,
        ignore_unasked: number == 5,
        stale_after: None,
    }
}

/// The world with these values.
fn world(small: Small) -> World {
    let [mut agents, mut sessions, mut processes] =
        ["agents", "sessions", "processes"].map(|of| scan(of, "h", 0));
    for (pid, state) in (11..).zip(&small[..3]) {
        let mut process = common::process(pid);
        match state {
            0 => continue,
            1 => {}
            2 => process["holders"] = json!([common::holder("log", json!("/log"))]),
            _ => process["ancestors"] = json!([21, 801, 1]),
        }
        processes.records.push(process);
    }
    for (number, (name, state)) in ["agent_a", "agent_b"].into_iter().zip(&small[3..5]).enumerate()
    {
        let running: &[&str] = match state {
            0 => continue,
            1 => &["bash"],
            _ => &["bash", "node"],
        };
        let tty = format!("pts/{number}");
        let panes = vec![common::pane(&format!("%{number}"), 21 + number as i32, &tty, running)];
        let mut session = common::session(&format!("${number}"), name, panes);
        // The second is active: only an entry or an option makes it one to judge.
        session["activity"] = json!(at(-1200 + 1199 * number as i64));
        sessions.records.push(session);
    }
    agents.records.push(common::registry(GLOBAL, "global"));
    for (id, state) in ["a", "b"].into_iter().zip(&small[5..7]) {
        let mut agent = common::agent(id);
        match state {
            0 => continue,
            1 => agent["started"] = json!(at(-6000)),
            _ => agent["started"] = json!(at(-5)),
        }
        agents.records.push(agent);
    }
    let mut all = [agents, sessions, processes];
    match small[7] {
        0 => {}
        1 => all[0].end["complete"] = json!(false),
        2 => all[1].end["complete"] = json!(false),
        _ => all[2].end["filtered"] = json!(true),
    }
    if small[8] == 1 {
        let mut server = common::unasked(899);
        server["uid"] = json!(0);
        all[1].end["unasked"] = json!([server]);
        let mut below = common::process(30);
        below["uid"] = json!(0);
        below["ancestors"] = json!([899, 1]);
        all[2].records.push(below);
    }
    World { scans: all.into(), options: options(small[9]) }
}

/// What would be done in each small world, after comparing all findings with those of the naive
/// implementation.
fn acts_of_all() -> HashMap<Small, Acts> {
    let all: Vec<Small> = DIMS
        .iter()
        .map(|(_, values)| 0..*values)
        .multi_cartesian_product()
        .map(|values| values.try_into().unwrap())
        .filter(|small| in_order(*small) == *small)
        .collect();
    let judged = |small: &Small| {
        let world = world(*small);
        let found = rows(&world);
        assert_eq!(found, oracle::findings(&lines(&world.scans), &world.options), "{small:?}");
        let acts = found.unwrap_or_default().into_iter().filter(|row| row[1] != "-");
        let alike = |mut row: Row| {
            if row[0] == "leaked_process" {
                row[2].truncate("process".len());
            }
            row
        };
        (*small, acts.map(alike).counts())
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let chunks = all.chunks(all.len().div_ceil(workers));
        let running: Vec<_> = chunks
            .map(|chunk| scope.spawn(move || chunk.iter().map(judged).collect::<Vec<_>>()))
            .collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn in_every_small_world_more_against_acting_adds_no_action() {
    let acts = acts_of_all();
    let mut with_acts = 0;
    for (small, before) in &acts {
        with_acts += usize::from(!before.is_empty());
        for (place, (dim, _)) in DIMS.iter().enumerate() {
            for (_, to) in dim.steps().iter().filter(|(from, _)| *from == small[place]) {
                let mut worse = *small;
                worse[place] = *to;
                let after = &acts[&in_order(worse)];
                let is_more = |(row, count): &(&Row, &usize)| before.get(*row) < Some(*count);
                let added = after.iter().find(is_more);
                assert!(added.is_none(), "{dim:?} {small:?} -> {worse:?}: {added:?}");
            }
        }
    }
    // Laws about worlds in which nothing is done say little.
    assert!(with_acts * 3 > acts.len(), "{with_acts} of {}", acts.len());
}

/// Each way to be held, alone, unread, and beside the one that is lifted.
#[test]
fn each_holder_alone_keeps_a_process_in_every_small_world() {
    let bare: Small = [1, 0, 0, 1, 1, 1, 1, 0, 0, 0];
    for (row, number, unread, beside) in
        itertools::iproduct!(HOWS, 0..DIMS[9].1, [false, true], [false, true])
    {
        let mut small = bare;
        small[9] = number;
        let mut world = world(small);
        let process = world.scans[2].records.first_mut().unwrap();
        let mut holders = vec![];
        if beside {
            holders.push(common::holder("log", json!("/log")));
        }
        match unread {
            true => process["unread"] = json!([row.word]),
            false => holders.push(common::holder(row.word, json!("x"))),
        }
        process["holders"] = json!(holders);
        let found = rows(&world).unwrap();
        assert_eq!(Some(&found), oracle::findings(&lines(&world.scans), &world.options).as_ref());
        let lifts = |how: How| match number {
            1 => how.row().is_liftable,
            2 => how == How::Log,
            _ => false,
        };
        let is_leak = !unread && lifts(row.how) && (!beside || lifts(How::Log));
        let leaks = found.iter().filter(|found| found[0] == "leaked_process").count();
        assert_eq!(leaks, usize::from(is_leak), "{} {number} {unread} {beside}", row.word);
    }
}
