//! What an interrupted run has left half done.
//!
//! A row that we wrote is known by the mark in `agent_progress_latest`. As long as nobody
//! wrote to it since, the last line of its progress file must not be older, and if we ended it,
//! no JSON file may have the agent as active. If it is otherwise, a run of ours came no further
//! than the row.

use std::time::Duration;

use jiff::Timestamp;

use super::marked::MarkedRow;
use super::places::{self, ReadMode};
use super::progress::{Appended, Line, ProgressFile, below, last_line};
use super::tasks::Tasks;
use super::workspace::Workspace;
use crate::clock::instant;
use crate::wait::WaitBudget;

/// How long a run that is still going on may take from a row to the end of its work.
const GOING_ON: Duration = Duration::from_secs(60);

/// Agents that we ended or whose end we undid, and of which something is left to do.
#[derive(Debug, Default)]
pub struct Unfinished {
    rows: Vec<MarkedRow>,
    /// Of each row, the size of its progress file, if that lacks our line.
    lines: Vec<Option<u64>>,
    /// Whether it stands as active in a JSON file.
    active: Vec<bool>,
    /// What could not be found out.
    pub notes: Vec<String>,
}

impl Unfinished {
    /// How many agents there are.
    pub fn len(&self) -> usize {
        self.todo().count()
    }

    /// Whether all of them were ended so long ago that no run can still be at work.
    pub fn is_old(&self) -> bool {
        self.todo().all(|at| {
            let ended = instant(&self.rows[at].last_update);
            ended.is_none_or(|at| Timestamp::now().duration_since(at).unsigned_abs() > GOING_ON)
        })
    }

    fn todo(&self) -> impl Iterator<Item = usize> {
        (0..self.rows.len()).filter(|at| self.lines[*at].is_some() || self.active[*at])
    }
}

/// Looks for what is left to do about these rows.
pub fn unfinished(
    rows: Vec<MarkedRow>,
    workspace: &Workspace,
    mode: ReadMode,
    wait: &mut WaitBudget,
) -> Unfinished {
    let mut unfinished = Unfinished::default();
    if rows.is_empty() {
        return unfinished;
    }
    let tasks = Tasks::new(workspace);
    for row in &rows {
        let file = tasks.progress(&row.task_id, &row.id);
        unfinished.lines.push(match lacks_line(workspace, &file, row) {
            Ok(lacks) => lacks,
            Err(error) => {
                let path = file.relative().display();
                unfinished.notes.push(format!("{path}: {error}"));
                None
            }
        });
    }
    let ended = rows.iter().filter(|row| !row.is_undone());
    let ended: Vec<(&str, &str)> = ended.map(|row| (&*row.id, &*row.task_id)).collect();
    let active = places::active(workspace, &ended, mode, wait, &mut unfinished.notes);
    let is_active = |row: &MarkedRow| !row.is_undone() && active.contains(&row.id);
    unfinished.active = rows.iter().map(is_active).collect();
    unfinished.rows = rows;
    unfinished
}

/// The size of a progress file whose last line is older than what we wrote.
fn lacks_line(
    workspace: &Workspace,
    file: &ProgressFile<'_>,
    row: &MarkedRow,
) -> std::io::Result<Option<u64>> {
    let size = file.size()?;
    let archived = below(&row.task_id, "archive", &row.id, "progress");
    let last = match file.last()? {
        None => last_line(workspace, &archived)?,
        last => last,
    };
    let last = last.as_ref().and_then(|line| line.text("timestamp")).and_then(instant);
    let is_older = match (last, instant(&row.last_update)) {
        (Some(last), Some(ours)) => last < ours,
        _ => true,
    };
    // A task whose directory is gone has no progress files, and needs none.
    let has_task = workspace.path.join(&row.task_id).is_dir();
    Ok((is_older && has_task).then_some(size))
}

/// Does what is left to do. Returns how many agents that concerned, and what went wrong.
pub fn finish(
    unfinished: &Unfinished,
    workspace: &Workspace,
    wait: &mut WaitBudget,
) -> (usize, Vec<String>) {
    let mut notes = unfinished.notes.clone();
    let tasks = Tasks::new(workspace);
    let mut ended = Vec::new();
    for at in unfinished.todo() {
        let row = &unfinished.rows[at];
        if !row.is_undone() {
            ended.push((&*row.id, &*row.task_id));
        }
        let Some(size) = unfinished.lines[at] else { continue };
        let file = tasks.progress(&row.task_id, &row.id);
        let line = Line {
            timestamp: &row.last_update,
            agent_id: &row.id,
            status: &row.status,
            message: &row.message,
            progress: row.progress,
        };
        match file.append(size, &line) {
            Ok(Appended::Done | Appended::Changed | Appended::OtherFirst) => {}
            Err(error) => notes.push(format!("{}: {error}", file.relative().display())),
        }
    }
    if !ended.is_empty() {
        notes.extend(places::mark(workspace, &ended, wait).notes);
    }
    (unfinished.len(), notes)
}
