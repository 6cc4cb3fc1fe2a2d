//! The rows of a database's agents, packed: there may be a hundred thousand.

/// The columns that are read, in the order of the fields of [`Row`].
pub struct Columns;

impl Columns {
    /// All of them. They are named, because a migration changes their order.
    pub const ALL: [&str; 9] = [
        "agent_id",
        "task_id",
        "tmux_session",
        "status",
        "started_at",
        "completed_at",
        "last_update",
        "type",
        "parent",
    ];
    /// Those without which nothing can be said. They were there in every version.
    pub const NEEDED: &[&str] = Columns::ALL.split_at(7).0;
}

/// One agent, as its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'r> {
    /// `agent_id`
    pub id: &'r str,
    /// `task_id`
    pub task_id: &'r str,
    /// The session that the orchestrator asked tmux for; `''` where it is not known.
    pub tmux_session: Option<&'r str>,
    /// `status`
    pub status: Option<&'r str>,
    /// Local time without an offset, as the other times.
    pub started_at: Option<&'r str>,
    /// `completed_at`
    pub completed_at: Option<&'r str>,
    /// `last_update`
    pub last_update: Option<&'r str>,
    /// `type`
    pub agent_type: Option<&'r str>,
    /// `parent`
    pub parent: Option<&'r str>,
}

type Texts<'r> = [Option<&'r str>; Columns::ALL.len()];

impl<'r> Row<'r> {
    /// The row of these texts, in the order of `Columns::ALL`. None without a key.
    pub fn new(texts: Texts<'r>) -> Option<Row<'r>> {
        let [id, task_id, tmux_session, status, started_at, completed_at, last_update, rest @ ..] =
            texts;
        let [agent_type, parent] = rest;
        Some(Row {
            id: id?,
            task_id: task_id?,
            tmux_session,
            status,
            started_at,
            completed_at,
            last_update,
            agent_type,
            parent,
        })
    }

    fn texts(&self) -> Texts<'r> {
        [
            Some(self.id),
            Some(self.task_id),
            self.tmux_session,
            self.status,
            self.started_at,
            self.completed_at,
            self.last_update,
            self.agent_type,
            self.parent,
        ]
    }
}

/// Rows in one piece of memory.
#[derive(Debug, Default)]
pub struct Rows {
    text: String,
    /// For each row, the length of each text, one more than it is, and 0 for NULL.
    lengths: Vec<[u32; Columns::ALL.len()]>,
}

impl Rows {
    /// Adds a copy of a row.
    pub fn push(&mut self, row: &Row<'_>) {
        let length = |text: Option<&str>| text.map_or(0, |text| text.len() as u32 + 1);
        self.lengths.push(row.texts().map(length));
        row.texts().into_iter().flatten().for_each(|text| self.text += text);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The rows, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        let mut at = 0;
        self.lengths.iter().filter_map(move |lengths| {
            Row::new(lengths.map(|length| {
                let length = length.checked_sub(1)? as usize;
                at += length;
                Some(&self.text[at - length..at])
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_come_out_as_they_went_in() {
        let row = |id, status, parent| Row {
            id,
            task_id: "TASK-1",
            tmux_session: Some(""),
            status,
            started_at: None,
            completed_at: None,
            last_update: Some("2026-01-01T00:00:00"),
            agent_type: Some("é"),
            parent,
        };
        let rows =
            [row("a", None, Some("p")), row("", Some("working"), None), row("c", None, None)];
        let mut packed = Rows::default();
        rows.iter().for_each(|row| packed.push(row));
        assert_eq!(packed.iter().collect::<Vec<_>>(), rows);
        assert_eq!(packed.len(), 3);
    }
}
